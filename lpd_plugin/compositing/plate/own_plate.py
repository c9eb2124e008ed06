"""A plate that the user brings: a still, or a clip that runs along with the footage."""

from __future__ import annotations

import bisect
import hashlib

import numpy as np

from ...errors import BadInput
from ...video.clip import Clip
from ...video.regions.components import Components
from ...video.regions.region import Rect, read_region
from .plate import Plate, kept_codes
from .reader import FrameReader


class PicturePlate(Plate):
    """One picture for all frames, trusted everywhere. rgb: float32 (height, width, 3) of the footage's size."""

    def __init__(self, rgb: np.ndarray, digest: str):
        self.rgb, self.digest = np.asarray(rgb, np.float32), digest

    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        return self.rgb[rect.slices()].copy(), np.ones((rect.height, rect.width), np.float32)

    def own_codes(self, index: int, components: Components, size: tuple[int, int]) -> tuple[list[Rect], list[np.ndarray]] | None:
        return kept_codes(self, self.rgb, Rect(0, 0, *size), components, size)

    def shows(self, index: int) -> bool:
        return True

    def fingerprint(self) -> str:
        return self.digest


class ClipPlate(Plate):
    """A clip of the footage's size, trusted everywhere; at every frame its picture of that moment, the last one after
    its end."""

    moving = True

    def __init__(self, clip: Clip, footage: Clip):
        self.reader = FrameReader(clip, kept=4)
        times = clip.timestamps()
        # A float's breadth early: a plate of 30 frames a second that was cut by decimals still keeps step.
        self.picks = [max(0, bisect.bisect_right(times, time + 1e-6) - 1) for time in map(float, footage.timestamps())]
        self.digest = hashlib.sha256(f"clip plate {clip.fingerprint()} {self.picks}".encode()).hexdigest()

    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        pick = self.picks[min(index, len(self.picks) - 1)]
        return read_region(self.reader.picture(pick), rect), np.ones((rect.height, rect.width), np.float32)

    def shows(self, index: int) -> bool:
        return True

    def fingerprint(self) -> str:
        return self.digest


def own_plate(plate: Clip, footage: Clip) -> Plate:
    """The user's clean plate for a footage: a still or a batch of one picture for all frames, else a clip by time.

    Raises BadInput where it is not of the footage's size.
    """
    size, wanted = (plate.info.width, plate.info.height), (footage.info.width, footage.info.height)
    if size != wanted:
        raise BadInput(
            f"the clean plate ({plate.describe()}) is {size[0]}x{size[1]}, but the footage ({footage.describe()}) is "
            f"{wanted[0]}x{wanted[1]}: give a plate of the footage's size."
        )
    if len(plate.timestamps()) > 1:
        return ClipPlate(plate, footage)
    picture = next(iter(plate.frames())).picture
    return PicturePlate(read_region(picture, Rect(0, 0, *size)), plate.fingerprint())
