"""How long a whole render takes against its parts: drawing heads alone, and decoding and encoding alone.

    python benchmarks/whole_render.py CLIP [--frames 60] [--repeats 3] [--sizes 854 1920 3840]

CLIP is scaled to pictures of these sizes on the longer side (8-bit 4:2:0). Its person performs what the clip shows, backwards, with the
embedded weights and all defaults of the composite node. Measured is wall-clock time on all cores, the median of the repeats, with tracks,
identity, descriptors and clean plate there already: what grows with the clip's length. Prints a table; the committed one is
whole_render.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is loaded
import numpy as np
import torch
from compositing import DEFAULTS, scaled

from lpd_plugin.allocator import keep_freed
from lpd_plugin.compositing.composite_clip import CompositeClip
from lpd_plugin.compositing.plate.clean_plate import plate_for
from lpd_plugin.reenactment.crops import chosen_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.video.writer import write_clip
from lpd_plugin.weights.files import load_matte, load_model

PICTURES = 24


def composite(path: Path) -> CompositeClip:
    clip, model, network = open_clip(path), load_model(), load_matte()
    track = track_head(clip)
    identity = encode_identity(model, chosen_crops([(clip, track)], PICTURES, model))
    heads = GeneratedHeads(identity, encode_pose(model, clip, track).reversed(), model)
    return CompositeClip(clip, track, heads, plate_for(clip, track, head_matte=network), DEFAULTS, network)


def seconds(work: Callable[[], object], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        begun = time.monotonic()
        work()
        spent.append(time.monotonic() - begun)
    return statistics.median(spent)


def row(path: Path, longest: int, frames: int, repeats: int, folder: Path) -> str:
    whole = composite(scaled(path, longest, frames, "yuv420p", "libx264", folder / f"{longest}.mp4"))
    footage, info = whole.footage, whole.footage.info
    times = np.array([float(time) for time in footage.timestamps()])
    heads = whole.heads.retimed(times, "hold")
    next(iter(whole.frames()))  # measures the clip, once
    count, target = len(times), folder / "out.mp4"
    codec = seconds(lambda: write_clip(footage, target, "h264", overwrite=True), repeats)
    drawing = seconds(lambda: sum(1 for _ in heads), repeats)
    render = seconds(lambda: write_clip(whole, target, "h264", overwrite=True), repeats)
    columns = (f"{1000 * part / count:.0f}" for part in (codec, drawing, render))
    slower = max(codec, drawing)
    return f"| {info.width} x {info.height} | {' | '.join(columns)} | {render / slower:.2f} | {render / (codec + drawing):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=(854, 1920, 3840))
    options = parser.parse_args()
    keep_freed()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; {options.frames} frames.\n")
    print("| ms a frame | decoding and encoding | drawing heads | whole render | against the slower of both | against their sum |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for longest in options.sizes:
            print(row(options.clip, longest, options.frames, options.repeats, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
