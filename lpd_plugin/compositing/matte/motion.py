"""Where the pixels of one picture were in another: dense motion, and carrying mattes along it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..plate.fill import fill_smoothly

WORKING_SIDE = 128  # longer side of the grey picture that motion is measured in, pixels
FINEST = 2
FILLING_SIDE = 64  # pixels on which it is worked out how motion goes on where nothing moves visibly
CERTAIN = (0.8, 1.0)  # alpha from which on, and at which wholly, a pixel's own colour and motion are believed
MARGIN = 0.012  # of the side: pixels that near to uncertain ones are not believed either


@dataclass(frozen=True)
class Motion:
    """flow: (h, w, 2) float32, how far from each pixel of a picture its content lies in the other, in pixels x, y."""

    flow: np.ndarray

    @classmethod
    def between(cls, picture: np.ndarray, other: np.ndarray, known: np.ndarray | None = None, finest: int = FINEST) -> "Motion":
        """From `picture` to `other`, both grey (h, w) uint8 of one size, by dense inverse search (Kroeger et al. 2016).

        Measured on copies of at most WORKING_SIDE pixels; both sides have 12 pixels or more. known: (h, w) in [0, 1], where
        `picture` shows what moves; elsewhere motion goes on smoothly from there. finest: 0 to 2, how often the copies are
        halved for the last step of the search; each less takes three to four times as long.
        """
        parts = [None if part is None else small(part) for part in (picture, other, known)]
        return cls(_motion(*parts, finest)).enlarged(picture.shape[1::-1])

    def enlarged(self, size: tuple[int, int]) -> "Motion":
        """The same motion of pictures of another size, width and height."""
        height, width = self.flow.shape[:2]
        if size == (width, height):
            return self
        flow = cv2.resize(self.flow, size, interpolation=cv2.INTER_LINEAR)
        if size[0] * height == size[1] * width:  # the same both ways: one number is several times as fast
            flow *= np.float32(size[0] / width)
            return Motion(flow)
        return Motion(cv2.multiply(flow, (size[0] / width, size[1] / height, 0, 0)))

    def then(self, further: "Motion") -> "Motion":
        """From the first picture to a third, over the second."""
        return Motion(self.flow + self.carried(further.flow))

    def carried(self, image: np.ndarray) -> np.ndarray:
        """What the other picture (h, w) or (h, w, C), or its matte, looks like moved onto this one; same type."""
        places = self.flow + _pixels(*self.flow.shape[:2])
        return cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def small(picture: np.ndarray) -> np.ndarray:
    """A picture or mask (h, w) or (h, w, C) as the copy that motion is measured in, at most WORKING_SIDE pixels a side."""
    height, width = picture.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return picture
    return cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)


def _motion(picture: np.ndarray, other: np.ndarray, known: np.ndarray | None, finest: int) -> np.ndarray:
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(finest)
    flow = search.calc(picture, other, None)
    return flow if known is None else fill_smoothly(flow, known, FILLING_SIDE)


@lru_cache(maxsize=4)
def _pixels(height: int, width: int) -> np.ndarray:
    """(height, width, 2) float32: every pixel's own x, y."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.dstack(np.meshgrid(x, y))


def inner_part(matte: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1]: where a picture surely shows the head itself, some pixels inside the matte's edge."""
    low, high = CERTAIN
    margin = 2 * max(1, round(MARGIN * max(matte.shape))) + 1
    sure = np.clip((matte - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return cv2.erode(sure, np.ones((margin, margin), np.uint8), borderType=cv2.BORDER_REPLICATE)


def grey_of(rgb: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Luma of a display-referred picture (h, w, 3) float32, as (h, w) uint8, for measuring motion.

    known: (h, w) in [0, 1]; elsewhere the luma goes on smoothly from there, so that an edge which flickers is not taken for
    one that moves.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(rgb, np.float32), cv2.COLOR_RGB2GRAY)
    if known is not None:
        grey = fill_smoothly(grey[..., None], known)[..., 0]
    return (np.clip(grey, 0, 1) * 255).astype(np.uint8)
