"""From one recording to head crops with masks, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadInput, WorkFailed
from ..learning.data.video_files import read_clip, resized
from ..progress import Progress
from ..reenactment.mattes import crop_mattes
from ..video.clip import Clip
from ..video.crop import crop_square
from ..video.open import open_clip
from ..video.track import CropBox, Origin, Track
from ..video.tracking.tracker import track_head
from ..weights.files import load_matte
from .recordings import Recording

MOST_MIRRORED = 0.45  # share of a crop outside its picture
LEAST_MATTE = 0.08  # share of a crop that a head with its neck fills at least
MATTE_SIDE = 256


@dataclass(frozen=True)
class CropSettings:
    """side: of crops, pixels. frames: at most so many of each video, evenly over time. least_frames: fewer are not
    worth keeping (eight pictures and a target make a training sample). least_head: pixels that the crop square
    measures in the source at least. quality: JPEG's, 1 to 100. matte: the head matte network's weights."""

    side: int = 256
    frames: int = 64
    least_frames: int = 9
    least_head: int = 96
    quality: int = 92
    matte: str = "matte"


@dataclass(frozen=True)
class HeadCrops:
    """frames (N, side, side, 3) RGB and masks (N, side, side), uint8; numbers (N,): their places in the recording;
    pad_fraction: mean share of a crop that lay outside the picture."""

    frames: np.ndarray
    masks: np.ndarray
    numbers: np.ndarray
    pad_fraction: float


class Dropped(Exception):
    """A recording gives nothing. `kind`: a few words that many have in common; the message: why, in a sentence."""

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind = kind


def crops_of(source: Path, recording: Recording, settings: CropSettings, progress: Progress | None = None) -> HeadCrops:
    """Read one recording; a damaged one gives what can be read of it. `progress` is asked whether to stop.

    Raises `Dropped` with the reason where it gives nothing.
    """
    try:
        crops = _cut_already(source, recording, settings) if recording.masks else _cut(source, recording, settings, progress)
    except (BadInput, WorkFailed) as error:
        raise Dropped("cannot be used", str(error)) from error
    if len(crops.frames) < settings.least_frames:
        raise Dropped(
            "too few frames",
            f"only {len(crops.frames)} frames show a head that can be used, {settings.least_frames} are needed",
        )
    return crops


def _cut_already(source: Path, recording: Recording, settings: CropSettings) -> HeadCrops:
    frames, masks = read_clip(source / recording.path, source / recording.masks)
    rows = _spread(np.arange(len(frames)), settings.frames)
    frames, masks = (resized(pictures[rows], settings.side) for pictures in (frames, masks))
    return HeadCrops(frames, masks, rows, recording.pad_fraction)


def _cut(source: Path, recording: Recording, settings: CropSettings, progress: Progress | None) -> HeadCrops:
    clip = open_clip(source / recording.path)
    track = track_head(clip, progress=progress)
    outside = _outside(track)
    rows = _spread(_usable(track, outside, settings), settings.frames)
    crops = np.stack(list(_crops_at(clip, track, rows, settings.side)))
    masks = resized(crop_mattes(load_matte(settings.matte), resized(crops, MATTE_SIDE)), settings.side)
    good = masks.mean((1, 2)) / 255 >= LEAST_MATTE
    rows = rows[: len(crops)][good]
    return HeadCrops(crops[good], masks[good], rows, float(outside[rows].mean()) if len(rows) else 0.0)


def _usable(track: Track, outside: np.ndarray, settings: CropSettings) -> np.ndarray:
    """Frames in which the head was seen, inside the picture; raises `Dropped` if there are none, or the head is small."""
    if not track.present.any():
        raise Dropped("no head", f"no head was found in any of {len(track)} frames")
    side = float(np.median(track.side[track.present]))
    if side < settings.least_head:
        raise Dropped(
            "small head", f"the head is too small: its crop measures {side:.0f} pixels, {settings.least_head} are needed"
        )
    rows = np.flatnonzero(track.present & (track.origin != Origin.INTERPOLATED) & (outside <= MOST_MIRRORED))
    if not len(rows):
        raise Dropped("outside the picture", "the head lies too far outside the picture in every frame")
    return rows


def _crops_at(clip: Clip, track: Track, rows: np.ndarray, side: int) -> Iterator[np.ndarray]:
    wanted, last = set(rows.tolist()), int(rows[-1])
    for frame in clip.frames():
        if frame.index in wanted:
            yield crop_square(frame.rgb(), track.box(frame.index), side)
        if frame.index >= last:
            return


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _outside(track: Track) -> np.ndarray:
    """(N,) share of each crop that lies outside the picture; 1 where there is no head."""
    shares = np.ones(len(track))
    for index in np.flatnonzero(track.present):
        box: CropBox = track.box(index)
        sides = [
            max(0.0, min(start + box.side, size) - max(start, 0.0))
            for start, size in zip((box.left, box.top), track.frame_size)
        ]
        shares[index] = 1 - sides[0] * sides[1] / box.side**2
    return shares
