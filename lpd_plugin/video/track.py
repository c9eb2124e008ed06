"""A head's way through a clip: a square crop box per frame, and how each was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np


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
