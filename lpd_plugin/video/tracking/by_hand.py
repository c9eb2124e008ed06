"""Boxes set by hand: they win where they are, lead between each other, and fade into the track beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...errors import BadInput
from ..track import CropBox, Origin, Track

FADE = 1.0  # seconds over which a correction fades into the track


def checked_keyframes(keyframes: Mapping[int, CropBox] | None) -> dict[int, CropBox]:
    """Sorted by frame. Raises BadInput for a negative frame or a box without area."""
    checked = {}
    for frame, box in sorted((keyframes or {}).items()):
        if frame < 0 or int(frame) != frame:
            raise BadInput(f"The keyframe {frame} is no frame number: count frames from 0.")
        if not (box.side > 0 and math.isfinite(box.left + box.top + box.side)):
            raise BadInput(f"The keyframe box at frame {frame} has no area: give a side greater than 0.")
        checked[int(frame)] = box
    return checked


def with_keyframes(track: Track, keyframes: Mapping[int, CropBox], cuts: list[int]) -> Track:
    """The track with the user's boxes in it.

    Between two keyframes the box goes straight from one to the other. Before the first and after the
    last, the correction fades within the shot over FADE seconds; with no head found anywhere, the
    nearest keyframe holds. Raises BadInput for a keyframe beyond the last frame.
    """
    if not keyframes:
        return track
    frames = np.array(list(keyframes))
    if frames[-1] >= len(track):
        raise BadInput(f"The keyframe {frames[-1]} lies beyond the clip's last frame {len(track) - 1}: remove it.")
    values = np.array([(box.left + box.side / 2, box.top + box.side / 2, box.side) for box in keyframes.values()])
    shown = np.column_stack([track.centre, track.side]).astype(np.float64)
    origin, confidence = track.origin.copy(), track.confidence.copy()
    found = track.present
    index = np.arange(len(track))
    for end, value, outside in ((frames[0], values[0], index < frames[0]), (frames[-1], values[-1], index > frames[-1])):
        if not found.any():
            shown[outside], origin[outside], confidence[outside] = value, Origin.INTERPOLATED, 0.5
        elif found[end]:
            near = outside & found & _same_shot(end, cuts, len(track))
            fade = np.clip(np.abs(track.times - track.times[end]) / FADE, 0, 1)
            share = 0.5 + 0.5 * np.cos(np.pi * fade[near])
            shown[near] += share[:, None] * (value - np.append(track.centre[end], track.side[end]))
    between = slice(frames[0], frames[-1] + 1)
    for column in range(3):
        shown[between, column] = np.interp(track.times[between], track.times[frames], values[:, column])
    origin[between], confidence[between] = Origin.INTERPOLATED, 1.0
    origin[frames] = Origin.MANUAL
    shown[:, 2] = np.maximum(shown[:, 2], np.where(origin != Origin.ABSENT, 1.0, 0.0))
    return replace(
        track,
        centre=shown[:, :2].astype(np.float32),
        side=shown[:, 2].astype(np.float32),
        origin=origin,
        confidence=confidence,
    )


def _same_shot(frame: int, cuts: list[int], count: int) -> np.ndarray:
    begin = max((cut for cut in cuts if cut <= frame), default=0)
    end = min((cut for cut in cuts if cut > frame), default=count)
    index = np.arange(count)
    return (index >= begin) & (index < end)
