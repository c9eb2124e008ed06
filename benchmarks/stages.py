"""What a frame costs, stage by stage, from footage as it comes to a file: processor time of every part of `reenact`, alone.

    python benchmarks/stages.py CLIP [--frames 60] [--sizes 854 1920 3840]

CLIP is scaled to pictures of these sizes on the longer side (8-bit 4:2:0). Its person performs what it shows, backwards, with all
defaults of the composite node, not adapted. Every stage runs by itself, one thread, one after the other; so nothing is hidden
behind another stage, and the sum is what a whole render uses of processors, not how long it takes. "once a clip" is spread over the
frames; of what the drawing of a head consists is not added again. With published weights a head costs what generator.md says.
Prints a table; the committed one is stages.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from compositing import DEFAULTS, Kept, clocked, scaled

from lpd_plugin.allocator import keep_freed
from lpd_plugin.compositing.composite_clip import CompositeClip
from lpd_plugin.compositing.plate.clean_plate import plate_for
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.painter import Painter
from lpd_plugin.reenactment import painting
from lpd_plugin.reenactment.crops import chosen_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.video.writer import write_clip
from lpd_plugin.weights.files import load_matte, load_model

PICTURES = 20  # of a person, as `reenact` has by default
DRAWING = {
    "a pose drawn": [(Generator, "forward")], "pictures moved": [(Painter, "forward")], "one outline": [(painting, "one_outline")],
}  # fmt: skip


class Stages:
    """Processor milliseconds a frame by name, in the order in which they are measured."""

    def __init__(self, frames: int):
        self.frames, self.spent = frames, {}

    def measure(self, name: str, work: Callable[[], object]) -> object:
        begun = time.process_time()
        result = work()
        self.spent[name] = (time.process_time() - begun) / self.frames * 1000
        return result


def measured(path: Path, frames: int, longest: int, folder: Path) -> tuple[str, dict[str, float]]:
    """A size's column: its head and the stages' milliseconds a frame."""
    clip = open_clip(scaled(path, longest, frames, "yuv420p", "libx264", folder / f"{longest}.mp4"))
    model, network = load_model(), load_matte()
    stages = Stages(len(clip.timestamps()))
    stages.measure("decoding", lambda: sum(1 for _ in clip.frames()))
    decoding = stages.spent["decoding"]
    track = stages.measure("head found and followed", lambda: track_head(clip))
    pose = stages.measure("performance read", lambda: encode_pose(model, clip, track)).reversed()
    identity = stages.measure(
        "person read (once a clip)", lambda: encode_identity(model, chosen_crops([(clip, track)], PICTURES, model))
    )
    plate = stages.measure("clean plate (once a clip)", lambda: plate_for(clip, track, head_matte=network))
    generated = GeneratedHeads(identity, pose, model)
    generated._batch(0)  # makes the drawing ready
    with clocked(DRAWING) as spent:
        drawn = stages.measure("head drawn", lambda: [h for start in range(0, stages.frames, 4) for h in generated._batch(start)])
    stages.spent |= {f"– {name}": seconds / stages.frames * 1000 for name, seconds in spent.items()}
    heads = Kept(drawn, np.asarray(track.times), float(clip.info.rate))
    whole = CompositeClip(clip, track, heads, plate, DEFAULTS, network)
    next(iter(whole.frames()))  # measures the clip, once
    stages.measure("composited", lambda: sum(1 for _ in whole.frames()))
    stages.measure("encoded (h264)", lambda: write_clip(clip, folder / "out.mp4", "h264", overwrite=True))
    for name in ("head found and followed", "performance read", "composited", "encoded (h264)"):
        stages.spent[name] -= decoding  # each reads the clip anew
    side = float(np.median(track.side))
    return f"{clip.info.width} x {clip.info.height}, square of {side:.0f}", stages.spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--sizes", type=int, nargs="+", default=(854, 1920, 3840))
    options = parser.parse_args()
    keep_freed()  # as the command line does
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        columns = [measured(options.clip, options.frames, longest, Path(folder)) for longest in options.sizes]
    print("| processor ms a frame | " + " | ".join(name for name, _ in columns) + " |\n|---|" + "---|" * len(columns))
    for name in columns[0][1]:
        print(f"| {name} | " + " | ".join(f"{values[name]:.1f}" for _, values in columns) + " |")
    sums = (sum(value for name, value in values.items() if not name.startswith("–")) for _, values in columns)
    print("| **all** | " + " | ".join(f"**{total:.0f}**" for total in sums) + " |")


if __name__ == "__main__":
    main()
