"""A head's way through a clip: a square crop box per frame, and how each was found."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np

from ..errors import BadInput
from ..whole_files import written_whole


class Origin(IntEnum):
    """How a box was found."""

    ABSENT = 0
    DETECTED = 1
    TRACKED = 2
    INTERPOLATED = 3
    MANUAL = 4


@dataclass(frozen=True)
class CropBox:
    """A square in displayed pixels; (left, top) is its corner on the pixel grid's edges, not centres."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Track:
    """One head through N frames. The square is the paper's crop: 1.8 times the face box's longer side.

    times (N,) float64 seconds; centre (N, 2) float32 x, y; side (N,) float32;
    confidence (N,) float32 in [0, 1]; origin (N,) uint8 of `Origin`. Where absent, centre and side are 0.
    """

    times: np.ndarray
    centre: np.ndarray
    side: np.ndarray
    confidence: np.ndarray
    origin: np.ndarray
    frame_size: tuple[int, int]  # width, height of the footage

    def __len__(self) -> int:
        return len(self.times)

    @property
    def present(self) -> np.ndarray:
        """(N,) bool: where there is a head."""
        return self.origin != Origin.ABSENT

    def box(self, index: int) -> CropBox | None:
        """The crop square of a frame, or None where the head is absent."""
        if not self.present[index]:
            return None
        side = float(self.side[index])
        x, y = (float(v) for v in self.centre[index])
        return CropBox(x - side / 2, y - side / 2, side)

    def snapped(self) -> "Track":
        """The same track with every square on whole pixels, so that cutting at full size copies pixels."""
        side = np.round(self.side)
        corner = np.round(self.centre - self.side[:, None] / 2)
        return replace(self, side=side.astype(np.float32), centre=(corner + side[:, None] / 2).astype(np.float32))

    def at(self, times: np.ndarray) -> "Track":
        """The track at other times (M,) in seconds: boxes between two frames with a head are interpolated.

        A moment takes the origin, and the absence, of the frame nearest to it.
        """
        times = np.asarray(times, np.float64)
        after = np.clip(np.searchsorted(self.times, times), 1, max(1, len(self) - 1))
        after = np.minimum(after, len(self) - 1)
        before = np.maximum(after - 1, 0)
        span = self.times[after] - self.times[before]
        share = np.clip((times - self.times[before]) / np.where(span > 0, span, 1), 0, 1)
        nearest = np.where(share < 0.5, before, after)
        share = np.where(self.present[before] & self.present[after], share, nearest == after).astype(np.float32)

        def mixed(values: np.ndarray) -> np.ndarray:
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            return values[before] * (1 - weight) + values[after] * weight

        return replace(
            self,
            times=times,
            centre=mixed(self.centre),
            side=mixed(self.side),
            confidence=mixed(self.confidence),
            origin=self.origin[nearest],
        )

    def absent_ranges(self) -> list[tuple[int, int]]:
        """First and last frame of every stretch without a head."""
        change = np.flatnonzero(np.diff(np.concatenate([[0], (~self.present).astype(np.int8), [0]])))
        return [(int(begin), int(end) - 1) for begin, end in zip(change[::2], change[1::2])]

    def summary(self) -> str:
        """One line for a report: how the boxes were found and in which frames there is no head."""
        counts = [f"{int((self.origin == one).sum())} {one.name.lower()}" for one in Origin if (self.origin == one).any()]
        ranges = [f"{begin}" if begin == end else f"{begin}-{end}" for begin, end in self.absent_ranges()]
        missing = f"; no head in frames {', '.join(ranges)}" if ranges else ""
        return f"{len(self)} frames: {', '.join(counts)}{missing}"

    def save(self, path: str | os.PathLike) -> None:
        """Write an .npz file, whole or not at all."""
        with written_whole(path) as part, open(part, "wb") as file:
            np.savez_compressed(file, **{one.name: np.asarray(getattr(self, one.name)) for one in fields(self)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Track":
        """Read what `save` wrote. Raises `BadInput` for a missing, damaged or foreign file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {one.name: file[one.name] for one in fields(cls)}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path} is not a saved head track: {error}.") from error
        return cls(**{**values, "frame_size": tuple(int(v) for v in values["frame_size"])})
