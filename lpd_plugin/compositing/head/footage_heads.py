"""Heads cut from footage: its own performance as heads, at its own resolution."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cv2
import numpy as np

from ...reenactment.heads import END_POLICIES, Head, Heads
from ...video.clip import Clip
from ...video.regions.region import Rect
from ...video.track import Track
from ..picture.look import Look, look_at

BLOCK = 24  # frames decoded and kept at once when the performance runs backwards


class FootageHeads(Heads):
    """The heads of a clip, cut along its track, with a matte of 1.

    size: side of the heads in pixels. None keeps the footage's resolution: squares are put on whole pixels
    (composite them along `track.snapped()`), each head is as large as its square, `size` the largest of them.
    """

    def __init__(
        self,
        clip: Clip,
        track: Track,
        size: int | None = None,
        picks: np.ndarray | None = None,
        times: np.ndarray | None = None,
    ):
        """picks: frame numbers in the order wanted, -1 for no head; all of them when None. times: their moments."""
        self.clip, self.track, self._native = clip, track.snapped() if size is None else track, size is None
        self._picks = np.arange(len(track)) if picks is None else picks
        self.times = np.asarray(track.times[: len(self._picks)] if times is None else times, np.float64)
        self.size = size or int(max(self.track.side, default=0))

    def __len__(self) -> int:
        return len(self._picks)

    def __iter__(self) -> Iterator[Head | None]:
        """Decodes forwards as wanted; steps back by decoding short blocks, so memory stays bounded."""
        block: dict[int, Head | None] = {}
        ahead: Iterator[tuple[int, Head | None]] = iter(())
        position = len(self.track)  # of the next frame that `ahead` gives
        last: tuple[int, Head | None] = (-1, None)
        for pick in (int(p) for p in self._picks):
            if pick < 0:
                yield None
                continue
            if pick == last[0]:
                yield last[1]
                continue
            if pick in block:
                last = pick, block[pick]
            elif pick == last[0] - 1:
                start = max(0, pick - BLOCK + 1)
                block = dict(self._cut(start, pick + 1))
                last = pick, block.get(pick)
            else:
                if not position <= pick < position + 4 * BLOCK:
                    ahead, position = self._cut(pick, len(self.track)), pick
                last = pick, next((head for number, head in ahead if number == pick), None)
                position = pick + 1
            yield last[1]

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, Head | None]]:
        frames = self.clip.frames(start)
        try:
            for frame in frames:
                if frame.index >= end:
                    return
                look = look_at(frame.picture, self.track.box(frame.index))
                yield frame.index, None if look is None else self._head(look)
        finally:
            if hasattr(frames, "close"):
                frames.close()

    def _head(self, look: Look) -> Head:
        rgb = whole_square(look) if self._native else look.crop(self.size)
        return Head(rgb, np.ones(rgb.shape[:2], np.float32))

    def retimed(self, times: np.ndarray, end_policy: str) -> "FootageHeads":
        """The frame nearest to each time: pictures, unlike descriptors, do not interpolate."""
        nearest = nearest_moments(self.times, np.asarray(times, np.float64), end_policy)
        picks = np.where(nearest < 0, -1, self._picks[nearest])
        return type(self)(self.clip, self.track, None if self._native else self.size, picks, times)

    def fingerprint(self) -> str:
        made = hashlib.sha256(f"footage heads {self.clip.fingerprint()} {self._native} {self.size}".encode())
        for array in (self.track.centre, self.track.side, self.track.origin, self._picks, self.times):
            made.update(np.ascontiguousarray(array).tobytes())
        return made.hexdigest()


def whole_square(look: Look) -> np.ndarray:
    """A square on whole pixels at the footage's resolution, mirrored where it leaves the picture."""
    left, top, side = round(look.box.left), round(look.box.top), round(look.box.side)
    square, rect = Rect(left, top, left + side, top + side), look.rect
    return cv2.copyMakeBorder(
        look.rgb, rect.top - square.top, square.bottom - rect.bottom,
        rect.left - square.left, square.right - rect.right, cv2.BORDER_REFLECT_101,
    )  # fmt: skip


def nearest_moments(source: np.ndarray, wanted: np.ndarray, end_policy: str) -> np.ndarray:
    """For every wanted time the number of the nearest source time, -1 where the end policy shows nothing."""
    if end_policy not in END_POLICIES:
        raise ValueError(f"end policy {end_policy!r}")
    last = source[-1]
    step = float(np.median(np.diff(source))) if len(source) > 1 else 1.0
    folded = wanted
    if end_policy == "loop":
        folded = np.mod(wanted, last + step)
    elif end_policy == "ping-pong" and last > 0:
        folded = last - np.abs(np.mod(wanted, 2 * last) - last)
    after = np.clip(np.searchsorted(source, folded), 1, max(1, len(source) - 1))
    before = after - 1
    after = np.minimum(after, len(source) - 1)
    picks = np.where(np.abs(source[after] - folded) < np.abs(folded - source[before]), after, before)
    return np.where((end_policy == "trim") & (wanted > last + 1e-6), -1, picks)
