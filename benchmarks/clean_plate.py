"""Clean plates against the truth, whether what is invented flickers, and what it costs.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/clean_plate.py

Needs ../shared. Known scenes: a real head with its matte, laid over a real background that a made camera sees
(tests/plate_media.py). Prints tables; the committed ones are clean_plate.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from plate_media import COUNT, KnownScene, creeping, panning, standing

from lpd_plugin.compositing.picture.look import look_at
from lpd_plugin.compositing.plate.clean_plate import clean_plate
from lpd_plugin.compositing.plate.patch_fill import patch_fill
from lpd_plugin.compositing.plate.plate import Plate
from lpd_plugin.compositing.plate.reach import goes_beyond, reach_rect, reaching_mattes
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_matte

SHARED = Path(__file__).parents[2] / "shared"
CAMERAS = (
    ("stands", standing, 150),
    ("pans 6.3 px a frame and zooms", panning, 60),
    ("pans 1.5 px a frame, head still", creeping, 0),
)
MOMENTS = (5, 11, 18, 23, 29)
SECONDS = "3"  # of the footage


@contextmanager
def cpu_seconds(found: list[float]) -> Iterator[None]:
    """Appends the processor time of what is inside: other work on the machine counts less."""
    start = time.process_time()
    yield
    found.append(time.process_time() - start)


def errors(scene: KnownScene, plate: Plate) -> tuple[float, float, float, float]:
    """Mean differences from the truth, codes of 255, behind the person where the background was seen in four frames or
    more, and where it never was; the share of the hidden that was never seen; and the mean confidence there."""
    seen_error, never_error, never_share, sure = [], [], [], []
    for index in MOMENTS:
        place = reach_rect(scene.track.box(index), 640, 400)
        rgb, confidence = plate.at(index, place)
        error = np.abs(rgb - scene.truth_at(index)[place.slices()]).mean(-1) * 255
        hidden = scene.clear(index)[place.slices()] == 0
        seen = scene.seen(4, index)[place.slices()] & hidden
        never = ~scene.seen(1, index, alpha=0.5)[place.slices()]
        seen_error.append(error[seen].mean())
        never_error.append(error[never].mean() if never.any() else np.nan)
        never_share.append(never.sum() / hidden.sum())
        sure.append(confidence[never].mean() if never.any() else np.nan)
    found = (seen_error, never_error, never_share, sure)
    return tuple(float(np.nanmean(one)) if np.isfinite(one).any() else np.nan for one in found)


def flicker(scene: KnownScene, plate: Plate) -> float:
    """Largest mean difference, codes of 255, of two plates one after the other, the camera's own motion taken off."""
    changes = []
    for index in range(10, 26):
        place = reach_rect(scene.track.box(index), 640, 400)
        now, later = (plate.at(n, place)[0] for n in (index, index + 1))
        camera = [np.vstack([scene.camera(n), [0, 0, 1]]) for n in (index, index + 1)]
        here = np.array([[1, 0, place.left], [0, 1, place.top], [0, 0, 1]])
        ahead = (np.linalg.inv(here) @ np.linalg.inv(camera[1]) @ camera[0] @ here)[:2]
        carried = cv2.warpAffine(later, ahead, now.shape[1::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        changes.append(np.abs(now - carried)[40:-20, 40:-40].mean() * 255)
    return float(max(changes))


def known_scenes() -> None:
    print("| camera | plate | seen | never seen | share never seen | confidence there | flicker |")
    print("|---|---|---|---|---|---|---|")
    for name, camera, swing in CAMERAS:
        scene = KnownScene(SHARED, camera, swing)
        plate = clean_plate(scene.clip, scene.track, scene.head_matte)
        seen, never, share, sure = (f"{one:.2f}" if np.isfinite(one) else "" for one in errors(scene, plate))
        kind = "moving" if plate.moving else "still"
        print(f"| {name} | {kind} | {seen} | {never} | {share} | {sure} | {flicker(scene, plate):.2f} |")


def real_footage(head_matte: Callable) -> None:
    print("\n| footage | square | plate | made, s | first frame, s | every frame, ms | frames with hair beyond the square |")
    print("|---|---|---|---|---|---|---|")
    for path in sorted((SHARED / "footage").glob("*.mp4")):
        clip = open_clip(path, None, SECONDS)
        track = track_head(clip)
        made, first, each = [], [], []
        with cpu_seconds(made):
            plate = clean_plate(clip, track, head_matte)
        present = np.flatnonzero(track.present)
        places = {int(n): reach_rect(track.box(n), clip.info.width, clip.info.height) for n in present[:49]}
        for number, place in places.items():
            with cpu_seconds(each if first else first):
                plate.at(number, place)
        beyond, looked = 0, 0
        for frame in clip.frames():
            if frame.index in places and frame.index % 12 == 0:
                look = look_at(frame.picture, track.box(frame.index))
                beyond += goes_beyond(reaching_mattes([frame.picture], [look], head_matte)[0])
                looked += 1
        kind = "moving" if plate.moving else "still"
        side = round(float(track.side[present].mean()))
        numbers = f"{made[0]:.1f} | {first[0]:.1f} | {1000 * np.mean(each):.0f} | {beyond} of {looked}"
        print(f"| {path.stem} | {side} | {kind} | {numbers} |")


def filling() -> None:
    print("\n| hole, pixels | patch fill, s |\n|---|---|")
    picture = open_clip(SHARED / "footage" / "foot_06_profile.mp4")
    rgb = next(picture.frames()).rgb().astype(np.float32) / 255
    for side in (100, 300):
        hole = np.zeros(rgb.shape[:2], bool)
        hole[60 : 60 + side, 700 : 700 + side] = True
        taken: list[float] = []
        with cpu_seconds(taken):
            patch_fill(rgb, ~hole, hole)
        print(f"| {side} x {side} | {taken[0]:.1f} |")


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = load_matte()

    def head_matte(crops):
        with torch.inference_mode():
            return network(torch.as_tensor(np.asarray(crops), dtype=torch.float32)).numpy()

    print(f"{COUNT} frames of 640 x 400 pixels, differences in codes of 255\n")
    known_scenes()
    real_footage(head_matte)
    filling()


if __name__ == "__main__":
    main()
