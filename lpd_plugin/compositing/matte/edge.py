"""The edge of what is laid over the footage: matte refinement, the region's shape, the crop's border."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...errors import BadInput
from ...video.track import CropBox
from ..picture.region import Rect
from ..picture.square import square_coordinates, square_to_rect

REGIONS = ("head", "person", "square")


@dataclass(frozen=True)
class EdgeOptions:
    """How a matte becomes the alpha of the composite.

    region: "head" ends with a ramp at the neck, "person" keeps shoulders and ends at the crop's border,
    "square" takes the matte as it is. erode: footage pixels to take off (negative: to add). feather: width of
    the soft edge in footage pixels. gamma: above 1 thins half-transparent edges, below 1 thickens them.
    border: width of the fall-off inside the crop's border, as a share of its side.
    """

    region: str = "head"
    erode: float = 0.0
    feather: float = 2.0
    gamma: float = 1.0
    border: float = 0.06

    def __post_init__(self):
        if self.region not in REGIONS:
            raise BadInput(f'the region "{self.region}" does not exist; choose one of {", ".join(REGIONS)}.')
        for name, low, high in (("erode", -200, 200), ("feather", 0, 200), ("gamma", 0.1, 10), ("border", 0, 0.5)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInput(f"{name} is {value}; it has to lie between {low} and {high}.")


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, without a kink between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def matte_on_rect(matte: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """A head's matte (S, S) on the footage's pixels, smooth also where it is enlarged several times."""
    if box.side > matte.shape[0]:
        # Cubic interpolation of a hard edge shows the coarse grid as steps; half a coarse pixel of blur hides it.
        matte = cv2.GaussianBlur(matte, (0, 0), 0.6)
    return np.clip(square_to_rect(matte, box, rect), 0, 1)


def refine_matte(matte: np.ndarray, options: EdgeOptions) -> np.ndarray:
    """Erode or dilate, feather and bend a matte (height, width) at the footage's resolution."""
    if options.erode:
        matte = shift_edge(matte, -options.erode)
    if options.feather:
        matte = blur_edge(matte, options.feather)
    if options.gamma != 1:
        matte = matte**options.gamma
    return matte


def shift_edge(matte: np.ndarray, pixels: float) -> np.ndarray:
    """Grow a soft matte by that many pixels (shrink where negative); fractions mix the two whole steps."""
    low = int(np.floor(abs(pixels)))
    part = abs(pixels) - low
    operate = cv2.dilate if pixels > 0 else cv2.erode

    def by(radius: int) -> np.ndarray:
        if radius == 0:
            return matte
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        # What lies beyond the rectangle continues it, or heads at the picture's border would lose their edge.
        return operate(matte, disc, borderType=cv2.BORDER_REPLICATE)

    return by(low) if part == 0 else (1 - part) * by(low) + part * by(low + 1)


def blur_edge(matte: np.ndarray, width: float) -> np.ndarray:
    """Make the edge `width` pixels soft (10 % to 90 % of a step), where it is."""
    return cv2.GaussianBlur(matte, (0, 0), max(width / 2.56, 0.05), borderType=cv2.BORDER_REPLICATE)


def border_falloff(box: CropBox, rect: Rect, border: float) -> np.ndarray:
    """(height, width): 0 on the outermost pixels of the crop square, 1 from `border` times its side inwards."""
    if border == 0:
        return np.ones((rect.height, rect.width), np.float32)
    u, v = square_coordinates(box, rect)
    pixel = np.float32(1 / box.side)
    width = max(border, 2 * pixel)
    across = smoothstep((np.minimum(u, 1 - u) - pixel) / (width - pixel))
    down = smoothstep((np.minimum(v, 1 - v) - pixel) / (width - pixel))
    return across * down


# The neck, in square coordinates: chins lie at about 0.75 to 0.8 (the face box ends at 0.78), shoulders of
# the training clips are twice as wide as the head from 0.85 on.
NECK_TOP, NECK_BOTTOM = 0.80, 0.94
NARROWING_TOP, NARROWING_BOTTOM = 0.48, 0.83
NECK_HALF_WIDTH = 0.23
SIDE_SOFTNESS = 0.08


def region_weight(region: str, box: CropBox, rect: Rect) -> np.ndarray:
    """(height, width) in [0, 1]: where the region lets the composite change the footage at all.

    "head": everything down to the jaw, below it only the neck's width, fading out before the shoulders, so
    that the footage keeps its own body. Otherwise 1 everywhere.
    """
    if region != "head":
        return np.ones((rect.height, rect.width), np.float32)
    u, v = square_coordinates(box, rect)
    down = 1 - smoothstep((v - NECK_TOP) / (NECK_BOTTOM - NECK_TOP))
    narrowing = smoothstep((v - NARROWING_TOP) / (NARROWING_BOTTOM - NARROWING_TOP))
    half_width = 0.5 + SIDE_SOFTNESS + narrowing * (NECK_HALF_WIDTH - 0.5 - SIDE_SOFTNESS)
    across = smoothstep((half_width + SIDE_SOFTNESS / 2 - np.abs(u - 0.5)) / SIDE_SOFTNESS)
    return (down * across).astype(np.float32)
