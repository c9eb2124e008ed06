"""What a clean plate is to the composite, whatever it was made from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ...video.regions.components import Components
from ...video.regions.region import EMPTY, Rect, rect_common
from ...video.track import Track
from ..picture.own_grid import places_of, read_own_codes


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

    def bare(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As `at`, without the grain that `add_grain` adds."""
        return self.at(index, rect, rgb)

    def means(self, index: int, rect: Rect, step: int) -> tuple[np.ndarray, np.ndarray]:
        """`bare` averaged over blocks of `step` pixels; all sides of rect are multiples of it."""
        size = rect.width // step, rect.height // step
        return tuple(cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in self.bare(index, rect))

    def own_codes(self, index: int, components: Components, size: tuple[int, int]) -> tuple[list[Rect], list[np.ndarray]] | None:
        """`bare` at a frame in the codes of a picture's own components, float32: where their samples lie, and those; None
        where the plate is not kept so. size: of the picture, width and height."""
        return None

    def noise(self, codes: np.ndarray, index: int, rect: Rect) -> np.ndarray | None:
        """What `add_grain` adds, by the luma of the background (height, width) uint8; None for nothing."""
        return None

    def add_grain(self, background: np.ndarray, index: int, rect: Rect) -> None:
        """What `bare` lacks, in place, on any part of its rectangle."""

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
            # PyTorch converts half precision several times faster than NumPy.
            return torch.from_numpy(self.rgb[place]).float().numpy(), self.confidence[place].copy()
        background = np.zeros((rect.height, rect.width, 3), np.float32)
        confidence = np.zeros((rect.height, rect.width), np.float32)
        if not common.empty:
            background[common.slices(rect)] = self.rgb[common.slices(self.rect)]
            confidence[common.slices(rect)] = self.confidence[common.slices(self.rect)]
        return background, confidence

    def means(self, index: int, rect: Rect, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Of the plate, which is the same at all frames, worked out once and kept."""
        x, y = -(-self.rect.left // step) * step, -(-self.rect.top // step) * step
        whole = Rect(x, y, self.rect.right - (self.rect.right - x) % step, self.rect.bottom - (self.rect.bottom - y) % step)
        if rect.left % step or rect.top % step or rect_common(rect, whole) != rect or not self.shows(index):
            return super().means(index, rect, step)
        kept = self.__dict__.setdefault("_means", {})
        if step not in kept:
            kept.clear()
            kept[step] = super().means(index, whole, step)
        rows, columns = rect.slices(whole)
        place = slice(rows.start // step, rows.stop // step), slice(columns.start // step, columns.stop // step)
        return tuple(one[place] for one in kept[step])

    def own_codes(self, index: int, components: Components, size: tuple[int, int]) -> tuple[list[Rect], list[np.ndarray]] | None:
        """Of the plate, which is the same at all frames, worked out once and kept."""
        return kept_codes(self, self.rgb, self.rect, components, size) if self.shows(index) else None

    def shows(self, index: int) -> bool:
        """By the nearest frame that was looked at."""
        if self.rect.empty or not len(self.samples):
            return False
        return bool(self.valid[np.abs(self.samples - index).argmin()])

    def fingerprint(self) -> str:
        return self.digest


def kept_codes(
    plate: Plate, rgb: np.ndarray, rect: Rect, components: Components, size: tuple[int, int]
) -> tuple[list[Rect], list[np.ndarray]]:
    """`Plate.own_codes` of a plate that is `rgb` on `rect` at all frames, kept with it for one kind of picture."""
    kept, key = plate.__dict__.setdefault("_own_codes", {}), (components.parts, components.from_rgb.tobytes(), size)
    if key not in kept:
        kept.clear()
        kept[key] = places_of(components, rect, size), read_own_codes(rgb, rect, components, size)
    return kept[key]


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
