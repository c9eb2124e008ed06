"""Pictures, tracks and heads that the composite's tests share."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from lpd_plugin.reenactment.heads import Head, Heads
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.track import Origin, Track


def noise_picture(pixel_format: str, width: int = 65, height: int = 49, seed: int = 0) -> av.VideoFrame:
    """Every sample random over all codes: the hardest picture to leave unchanged."""
    random = np.random.default_rng(seed)
    picture = av.VideoFrame(width, height, pixel_format)
    picture.pts, picture.time_base = 77, Fraction(1, 30000)
    for component in picture.format.components:
        samples = plane_views(picture)[component.plane]
        samples[:] = random.integers(0, 1 << component.bits, samples.shape)
    return picture


def flat_picture(pixel_format: str, codes: tuple[int, ...], width: int = 32, height: int = 24) -> av.VideoFrame:
    picture = av.VideoFrame(width, height, pixel_format)
    for samples, code in zip(plane_views(picture), codes, strict=True):
        samples[:] = code
    return picture


def fixed_track(times, centre: tuple[float, float], side: float, frame_size, absent=()) -> Track:
    """The same square in every frame but the `absent` ones; or one centre a frame."""
    count = len(times)
    centres = np.broadcast_to(np.asarray(centre, np.float32), (count, 2)).copy()
    sides, origin = np.full(count, side, np.float32), np.full(count, Origin.DETECTED, np.uint8)
    for index in absent:
        centres[index], sides[index], origin[index] = 0, 0, Origin.ABSENT
    confidence = (origin != Origin.ABSENT).astype(np.float32)
    return Track(np.array([float(t) for t in times]), centres, sides, confidence, origin, frame_size)


class FlatHeads(Heads):
    """One colour with a round matte; None at the numbers given."""

    def __init__(self, times, colour=(0.9, 0.1, 0.1), size: int = 64, none=()):
        self.times, self.colour, self.size, self.none = np.asarray(times, np.float64), colour, size, none

    def __iter__(self):
        y, x = np.mgrid[: self.size, : self.size] / (self.size - 1) - 0.5
        matte = (np.hypot(x, y + 0.1) < 0.3).astype(np.float32)
        for index in range(len(self.times)):
            rgb = np.broadcast_to(np.float32(self.colour), (self.size, self.size, 3))
            yield None if index in self.none else Head(rgb.copy(), matte)

    def retimed(self, times, end_policy):
        late = np.flatnonzero(np.asarray(times) > self.times[-1] + 1e-6) if end_policy == "trim" else ()
        return FlatHeads(times, self.colour, self.size, {*self.none, *late})

    def fingerprint(self) -> str:
        return f"flat {self.colour} {self.size} {self.none} {self.times.tolist()}"
