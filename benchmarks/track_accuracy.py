"""How well the embedded tracking agrees with YuNet on the shared footage and the demo's clip.

    python benchmarks/track_accuracy.py --yunet yunet_n_640_640.onnx CLIP [CLIP ...]

Per clip: frames by how they were found, intersection over union of the unsmoothed face box with YuNet's nearest
face (mean and 5th percentile), frames where only YuNet sees a face, frames where only the track does, and frames
a second. YuNet is a judge here, no part of the tracking. Prints a table; the committed one is track_accuracy.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import Origin
from lpd_plugin.video.tracking.detectors import overlap
from lpd_plugin.video.tracking.selection import chosen_head, parse_which
from lpd_plugin.video.tracking.tracker import default_detector, raw_boxes, see_heads

HEADER = "| clip | frames | detected | tracked | bridged | absent | IoU | 5 % | only YuNet | only track | frames/s |"


def row(path: Path, judge, which: str) -> str:
    clip = open_clip(path)
    begun = time.monotonic()
    seen = see_heads(clip)
    rate = len(seen.times) / (time.monotonic() - begun)
    boxes, _, origin = raw_boxes(seen, chosen_head(seen.heads, parse_which(which)))
    shares, only_judge, only_track = [], 0, 0
    for frame in clip.frames():
        faces = [one.box for one in judge.detect(frame.rgb())]
        found = origin[frame.index] != Origin.ABSENT
        only_judge += bool(faces) and not found
        only_track += found and not faces
        if faces and found:
            shares.append(max(overlap(face, boxes[frame.index]) for face in faces))
    counts = [int((origin == kind).sum()) for kind in (Origin.DETECTED, Origin.TRACKED, Origin.INTERPOLATED, Origin.ABSENT)]
    agreement = (np.mean(shares), np.percentile(shares, 5)) if shares else (np.nan, np.nan)
    cells = [path.stem, len(origin), *counts, *(f"{v:.2f}" for v in agreement), only_judge, only_track, f"{rate:.0f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--which", default="largest")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    judge = default_detector(arguments.yunet)
    print(HEADER + "\n" + "|---" * (HEADER.count("|") - 1) + "|", flush=True)
    for path in arguments.clips:
        print(row(path, judge, arguments.which), flush=True)


if __name__ == "__main__":
    main()
