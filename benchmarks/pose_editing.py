"""What moves in generated pictures when a performance is edited, measured by a landmarker from outside.

    python benchmarks/pose_editing.py --models FOLDER [--man CLIP --portrait PICTURE]

FOLDER holds face_landmarker.task (mediapipe). The demo's talking man drives himself and the demo's portrait; both may be
given where the demo's packages are not installed beside mediapipe. Table 1: the expression amplified about the neutral
moment, head motion left alone; jaw opening (mediapipe's jawOpen) is the mean over moments at which the driver's mouth is
open beyond its median, turn the spread of yaw. Table 2: one movement offset by so many spreads throughout, mean of the
judge's own measure of it over moments spread over the clip. Angles in degrees (the judge counts roll anticlockwise, the
offset clockwise), the rest in [0, 1]. Prints the tables; the committed ones are pose_editing.md.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from face_judges import MOVEMENTS, FaceJudges

from lpd_plugin.reenactment.crops import chosen_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.performance.editing import PoseEdit
from lpd_plugin.reenactment.pose import Pose, encode_pose
from lpd_plugin.rendering.demo import demo_media
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

AMOUNTS = (0.0, 0.5, 1.0, 1.5, 2.0)
OFFSETS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
MOVED = ("yaw", "pitch", "roll", "jaw", "smile", "blink")
PICTURES, MOMENTS = 8, 12
ANGLES = ("yaw", "pitch", "roll")


def pictures(identity: Identity, pose: Pose, model) -> list[np.ndarray]:
    """uint8 RGB (S, S, 3) of every moment, on grey."""
    heads = GeneratedHeads(identity, pose, model)
    made = (head.rgb * head.matte[..., None] + 0.4 * (1 - head.matte[..., None]) for head in heads)
    return [(np.clip(rgb, 0, 1) * 255).round().astype(np.uint8) for rgb in made]


def measured(judge: FaceJudges, identity: Identity, pose: Pose, model) -> np.ndarray:
    """(N, 7), see MOVEMENTS, angles in degrees; NaN where no face is seen."""
    seen = [judge.look(picture) for picture in pictures(identity, pose, model)]
    rows = np.array([np.full(len(MOVEMENTS), np.nan) if one is None else one[1] for one in seen])
    rows[:, [MOVEMENTS.index(a) for a in ANGLES]] *= 180 / np.pi
    return rows


def at_rows(pose: Pose, rows: np.ndarray) -> Pose:
    return replace(pose, times=pose.times[rows], descriptors=pose.descriptors[rows], present=pose.present[rows])


def spread_over(rows: np.ndarray) -> np.ndarray:
    return np.unique(rows[np.linspace(0, len(rows) - 1, MOMENTS).round().astype(int)])


def amplification(judge: FaceJudges, people: dict[str, Identity], pose: Pose, model) -> None:
    jaw = pose.parts.amount("jaw", pose.descriptors)
    rows = spread_over(np.flatnonzero(jaw > np.median(jaw) + 0.5))
    print("| person | measure |" + "".join(f" {a:g} |" for a in AMOUNTS) + "\n" + "|---" * (2 + len(AMOUNTS)) + "|")
    for name, identity in people.items():
        values = [measured(judge, identity, at_rows(PoseEdit(expression=a).shaped(pose), rows), model) for a in AMOUNTS]
        jaws = [np.nanmean(v[:, MOVEMENTS.index("jaw")]) for v in values]
        turns = [np.nanstd(v[:, MOVEMENTS.index("yaw")]) for v in values]
        print(f"| {name} | jaw opening |" + "".join(f" {v:.3f} |" for v in jaws))
        print(f"| {name} | spread of yaw, degrees |" + "".join(f" {v:.1f} |" for v in turns), flush=True)


def offsets(judge: FaceJudges, people: dict[str, Identity], pose: Pose, model) -> None:
    rows = spread_over(np.arange(len(pose)))
    print("\n| person | movement |" + "".join(f" {o:+g} |" for o in OFFSETS) + "\n" + "|---" * (2 + len(OFFSETS)) + "|")
    for name, identity in people.items():
        for movement in MOVED:
            cells = []
            for offset in OFFSETS:
                edited = PoseEdit(offsets={movement: offset}).shaped(at_rows(pose, rows))
                value = np.nanmean(measured(judge, identity, edited, model)[:, MOVEMENTS.index(movement)])
                cells.append(f" {value:.1f} |" if movement in ANGLES else f" {value:.3f} |")
            print(f"| {name} | {movement} |" + "".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--man", type=Path)
    parser.add_argument("--portrait", type=Path)
    arguments = parser.parse_args()
    judge = FaceJudges(arguments.models)
    torch.set_num_threads(1)
    model = load_model("compact")
    given = (arguments.portrait, arguments.man)
    clips = {n: open_clip(path) for n, path in zip(("portrait", "man"), given if all(given) else demo_media())}
    tracks = {name: track_head(clip) for name, clip in clips.items()}
    people = {n: encode_identity(model, chosen_crops([(clips[n], tracks[n])], PICTURES, model)) for n in ("man", "portrait")}
    pose = encode_pose(model, clips["man"], tracks["man"])
    amplification(judge, people, pose, model)
    offsets(judge, people, pose, model)


if __name__ == "__main__":
    main()
