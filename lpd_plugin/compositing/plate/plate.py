"""What a clean plate is to the composite, whatever it was made from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ...video.track import Track
from ..picture.region import Rect


EMPTY = Rect(0, 0, 0, 0)


def rect_common(one: Rect, other: Rect) -> Rect:
    """What two rectangles share; may be empty."""
    return Rect(
        max(one.left, other.left), max(one.top, other.top),
        min(one.right, other.right), min(one.bottom, other.bottom),
    )  # fmt: skip


class Plate(ABC):
    """The footage without the head. The same frame gives the same plate whatever was asked before."""

    moving = False  # whether the camera moves

    @abstractmethod
    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Background at a frame and rectangle: rgb float32 (height, width, 3), display-referred, nominally 0..1, and
        confidence float32 (height, width), 0..1, which is 0 where it was never seen.

        rgb: the frame's own pixels there, where the caller has them. Both results are 0 outside the plate, and
        everywhere at frames that the plate does not show.
        """

    @abstractmethod
    def shows(self, index: int) -> bool:
        """Whether the plate knows a frame's view."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hex digest that changes when the plate would."""


@dataclass(frozen=True)
class StillPlate(Plate):
    """A standing camera's plate, the same at all frames that show its view.

    rect: the part of the frame it covers (empty: nothing is known). rgb: float16 (height, width, 3), complete.
    confidence: float32 (height, width), the share of the samples that saw what the plate shows; 0 where it was
    filled in. samples, valid: numbers of the frames looked at, and whether each shows the plate's view.
    """

    rect: Rect
    rgb: np.ndarray
    confidence: np.ndarray
    samples: np.ndarray
    valid: np.ndarray
    digest: str

    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        common = rect_common(rect, self.rect) if self.shows(index) else EMPTY
        if common == rect:
            place = rect.slices(self.rect)
            return self.rgb[place].astype(np.float32), self.confidence[place].copy()
        background = np.zeros((rect.height, rect.width, 3), np.float32)
        confidence = np.zeros((rect.height, rect.width), np.float32)
        if not common.empty:
            background[common.slices(rect)] = self.rgb[common.slices(self.rect)]
            confidence[common.slices(rect)] = self.confidence[common.slices(self.rect)]
        return background, confidence

    def shows(self, index: int) -> bool:
        """By the nearest frame that was looked at."""
        if self.rect.empty or not len(self.samples):
            return False
        return bool(self.valid[np.abs(self.samples - index).argmin()])

    def fingerprint(self) -> str:
        return self.digest


def empty_plate(digest: str = "") -> StillPlate:
    """A plate that knows nothing: the composite then fills in from the frame itself."""
    nothing = np.zeros((0, 0, 3), np.float16)
    return StillPlate(EMPTY, nothing, nothing[..., 0].astype(np.float32), np.zeros(0, int), np.zeros(0, bool), digest)


def plate_digest(kind: str, clip, track: Track, *more) -> str:
    """The fingerprint of a plate made from this footage along this track."""
    made = hashlib.sha256(f"{kind} {clip.fingerprint()} {more}".encode())
    for array in (track.centre, track.side, track.origin):
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()
