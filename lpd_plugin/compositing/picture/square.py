"""Between a head's crop square and the footage's pixel grid.

Square coordinates run from 0 to 1 over the crop, pixel centres of an S x S picture at (i + 0.5) / S.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...video.regions.region import EMPTY, Rect, rect_common
from ...video.track import CropBox

MATTE_SIDE = 256  # the side of the crops that a head matte network sees

HeadMatte = Callable  # torch float32 (N, 3, 256, 256) RGB in [0, 1] -> (N, 1, 256, 256) person in [0, 1]


def square_to_rect(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """An (S, S) or (S, S, C) float32 picture of the square `box`, drawn on the pixels of `rect`.

    Smooth when enlarging (cubic, may overshoot), anti-aliased when shrinking (area). When the square lies on
    whole pixels and S is its side, pixels are copied. Beyond the square its border repeats.
    """
    size = image.shape[0]
    if box.side < size - 0.5:
        size = max(1, round(box.side))
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    exact = size == box.side and box.left == int(box.left) and box.top == int(box.top)
    if exact and rect == rect_inside(rect, box):
        return image[rect.slices(Rect(int(box.left), int(box.top), 0, 0))]
    scale = size / box.side
    # From a pixel of the rectangle to the square's picture, centres at half pixels.
    to_square = np.array([
        [scale, 0, (rect.left + 0.5 - box.left) * scale - 0.5],
        [0, scale, (rect.top + 0.5 - box.top) * scale - 0.5],
    ])  # fmt: skip
    return cv2.warpAffine(
        image, to_square, (rect.width, rect.height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def rect_inside(rect: Rect, box: CropBox) -> Rect:
    """The part of `rect` that lies in the square, whole pixels."""
    left, top, side = round(box.left), round(box.top), round(box.side)
    return Rect(max(rect.left, left), max(rect.top, top), min(rect.right, left + side), min(rect.bottom, top + side))


def square_coordinates(box: CropBox, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
    """Square coordinates of the rectangle's pixel centres: u (1, width), v (height, 1), float32."""
    u = (np.arange(rect.left, rect.right, dtype=np.float32) + 0.5 - np.float32(box.left)) / np.float32(box.side)
    v = (np.arange(rect.top, rect.bottom, dtype=np.float32) + 0.5 - np.float32(box.top)) / np.float32(box.side)
    return u[None, :], v[:, None]


def drawn_extent(mask: np.ndarray, box: CropBox, within: Rect) -> Rect:
    """The rectangle around what a mask (S, S) of the square `box` shows, drawn on the footage's pixels, and a little more;
    may be empty."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return EMPTY
    # Drawn smoothly, a pixel of the matte reaches to its neighbours but two.
    step, more = box.side / mask.shape[0], 3
    around = Rect(
        int(np.floor(box.left + (x - more) * step)), int(np.floor(box.top + (y - more) * step)),
        int(np.ceil(box.left + (x + width + more) * step)), int(np.ceil(box.top + (y + height + more) * step)),
    )  # fmt: skip
    common = rect_common(around, within)
    return EMPTY if common.empty else common


def drawn_small(mask: np.ndarray, box: CropBox, rect: Rect, size: tuple[int, int]) -> np.ndarray:
    """A mask or picture (S, S, ...) of the square `box` over `rect`, drawn on `size` (width, height) pixels."""
    scale, across, down = mask.shape[0] / box.side, rect.width / size[0], rect.height / size[1]
    to_square = np.array([
        [scale * across, 0, (rect.left + across / 2 - box.left) * scale - 0.5],
        [0, scale * down, (rect.top + down / 2 - box.top) * scale - 0.5],
    ])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(mask, to_square, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def typical_person() -> np.ndarray:
    """(256, 256) outline of an average person in the crop: head, neck and shoulders, a soft edge.

    Half widths by height are the 70th percentile over 43 training clips' mattes, so it errs to the outside.
    """
    heights = (0.0, 0.04, 0.09, 0.14, 0.19, 0.23, 0.28, 0.37, 0.47, 0.56, 0.66, 0.75, 0.80, 0.84, 0.89, 0.94, 1.0)
    widths = (0.0, 0.0, 0.1, 0.17, 0.22, 0.24, 0.255, 0.265, 0.27, 0.255, 0.22, 0.26, 0.35, 0.43, 0.5, 0.55, 0.6)
    v = (np.arange(MATTE_SIDE, dtype=np.float32) + 0.5) / MATTE_SIDE
    half = np.interp(v, heights, widths).astype(np.float32)[:, None]
    distance = half - np.abs(v - 0.5)[None, :]
    soft = np.clip(distance / 0.03 + 0.5, 0, 1) * (half > 0.005)
    return cv2.GaussianBlur(soft, (0, 0), 2.0)


def grown_matte(matte: np.ndarray, pixels: float) -> np.ndarray:
    """A matte grown by some pixels, as `matte/edge.py: shift_edge` does, in steps of 1/255: four times as fast, for what is
    blurred afterwards."""
    low = int(pixels)
    sizes = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2) for radius in (low, low + 1)]
    one, other = (cv2.dilate(cv2.convertScaleAbs(matte, alpha=255), disc) for disc in sizes)
    part = pixels - low
    return cv2.addWeighted(one, (1 - part) / 255, other, part / 255, 0, dtype=cv2.CV_32F)
