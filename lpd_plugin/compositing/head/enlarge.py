"""A head's square enlarged to the footage's pixels so that, shrunk again, it is the same square.

The curve through a square's pixels is the one whose mean over every pixel is that pixel: a cubic spline fitted to
averages (Schoenberg 1973; de Boor 1978, "histospline"). It is where iterative back-projection (Irani & Peleg 1991)
with spline interpolation and area reduction ends, reached at once, because both steps are linear and separable.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from ...video.track import CropBox
from ..picture.region import Rect
from ..picture.square import square_to_rect

PHASES = 64  # steps in which the scale is told apart
RINGING = 0.1  # share of the range of a pixel's neighbourhood by which the curve may leave it
BLOCK = 128  # pixels of a side worked on together: each needs only the few coefficients around it
NEGLIGIBLE = 1e-7
REACH = 2  # source pixels to either side on which a point of a cubic spline depends


def enlarged(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """An (S, S, C) float32 picture, C from 1 to 4, of the square `box` on the pixels of `rect`: (height, width, C).

    The geometry of `square_to_rect`, which also does what is no enlargement: shrinking, and copies of squares that
    lie on whole pixels with their own side. Values stay within the range of the source pixels around, widened by a
    tenth, so edges do not ring. Beyond the square its border repeats.
    """
    if not _enlarges(image, box):
        return square_to_rect(image, box, rect).reshape(rect.height, rect.width, -1)
    planes = np.moveaxis(image, 2, 0).astype(np.float32)
    sharpen = _averages_to_coefficients(image.shape[0], round(PHASES * image.shape[0] / box.side))
    ranges = [_on_whole_pixels(bound, box, rect) for bound in _ranges(image)]
    return _drawn(sharpen @ planes @ sharpen.T, box, rect, ranges).reshape(rect.height, rect.width, -1)


def enlarged_matte(matte: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """An (S, S) float32 matte in [0, 1] on the pixels of `rect`: (height, width) in [0, 1].

    Where it is enlarged a cubic B-spline runs through it, not exactly through every pixel: it has no steps and no
    ringing, and softens the matte by a Gaussian of 0.58 source pixels. Otherwise as `square_to_rect`.
    """
    if not _enlarges(matte, box):
        return np.clip(square_to_rect(matte, box, rect), 0, 1)
    drawn = _drawn(matte[None].astype(np.float32), box, rect)
    return np.clip(drawn, 0, 1, out=drawn)


def enlarged_smoothly(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """(S, S, C) float32 of any range, say a flow, on the pixels of `rect`, by a cubic B-spline as for a matte."""
    if not _enlarges(image, box):
        return square_to_rect(image, box, rect)
    return _drawn(np.moveaxis(image, 2, 0).astype(np.float32), box, rect)


def _enlarges(image: np.ndarray, box: CropBox) -> bool:
    return box.side > image.shape[0] + 0.5


def _spline(x: np.ndarray) -> np.ndarray:
    """The cubic B-spline, non-zero from -2 to 2."""
    x = np.abs(x)
    inner, outer = 2 / 3 - x * x + x**3 / 2, np.maximum(2 - x, 0) ** 3 / 6
    return np.where(x < 1, inner, outer)


@lru_cache(maxsize=64)
def _averages_to_coefficients(size: int, part: int) -> np.ndarray:
    """(size, size): from averages over equal parts of a side to the spline's coefficients, along one axis.

    part: share of such a part that a pixel of the enlarged picture covers, in 64ths. The inverse of what a spline,
    sampled on pixels wherever they lie and averaged over each part, makes of coefficients.
    """
    steps = 64
    x = np.arange(-4 * steps, 4 * steps + 1) / steps
    curve = _spline(x)
    for width in (1.0, part / PHASES):
        # A part's border cuts through pixels: their share makes a trapezium of the box.
        box = np.clip((width / 2 - np.abs(x)) * steps + 0.5, 0, 1)
        curve = np.convolve(curve, box / box.sum(), "same")
    forward = np.zeros((size, size))
    rows = np.arange(size)
    taps = curve[steps::steps][:7]
    for offset, tap in zip(range(-3, 4), taps / taps.sum()):
        np.add.at(forward, (rows, np.clip(rows + offset, 0, size - 1)), tap)
    inverse = np.linalg.inv(forward)
    inverse[np.abs(inverse) < NEGLIGIBLE] = 0  # far from the diagonal numbers become so small that sums are slow
    return inverse.astype(np.float32)


def _ranges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value around each pixel, a little widened."""
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(image, kernel), cv2.dilate(image, kernel)
    margin = RINGING * (high - low)
    return low - margin, high + margin


def _on_whole_pixels(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """Drawn on the pixels of `rect` up to half a pixel beside where it belongs: quick, and enough for ranges."""
    side, left, top = round(box.side), round(box.left), round(box.top)
    whole = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    above, before = max(top - rect.top, 0), max(left - rect.left, 0)
    below, after = max(rect.bottom - top - side, 0), max(rect.right - left - side, 0)
    if above or before or below or after:
        whole = cv2.copyMakeBorder(whole, above, below, before, after, cv2.BORDER_REPLICATE)
    y, x = rect.top - top + above, rect.left - left + before
    return whole[y : y + rect.height, x : x + rect.width]


def _drawn(coefficients: np.ndarray, box: CropBox, rect: Rect, ranges: Sequence[np.ndarray] = ()) -> np.ndarray:
    """The spline with coefficients (C, S, S), sampled at the pixels of `rect`: (height, width, C), without C where 1.

    ranges: the least and the greatest values, of the result's shape, that it is clamped to.
    """
    channels, size, _ = coefficients.shape
    wide = np.empty((channels, size, rect.width), np.float32)
    for pixels, sources, weights in _blocks(size, box.side, rect.left - box.left, rect.width):
        np.matmul(coefficients[..., sources], weights.T, out=wide[..., pixels])
    result = np.empty((rect.height, rect.width, channels)[: 3 if channels > 1 else 2], np.float32)
    for pixels, sources, weights in _blocks(size, box.side, rect.top - box.top, rect.height):
        # Block by block and in place: what is worked on stays in the processor's cache.
        drawn = result[pixels]
        if channels > 1:
            cv2.merge([weights @ plane[sources] for plane in wide], dst=drawn)
        else:
            np.matmul(weights, wide[0, sources], out=drawn)
        for limit, bounds in zip((cv2.max, cv2.min), ranges):
            limit(drawn, bounds[pixels], dst=drawn)
    return result


def _blocks(size: int, side: float, offset: float, length: int):
    """Pixels of one axis in blocks: their slice, the slice of coefficients they need, weights (pixels, needed)."""
    place = (np.arange(length) + 0.5 + offset) * (size / side) - 0.5
    first = np.floor(np.clip(place, -1, size)).astype(int) - REACH + 1
    for start in range(0, length, BLOCK):
        pixels = slice(start, min(start + BLOCK, length))
        low = int(np.clip(first[pixels][0], 0, size - 1))
        high = int(np.clip(first[pixels][-1] + 2 * REACH, low + 1, size))
        weights = np.zeros((pixels.stop - start, high - low), np.float32)
        rows = np.arange(pixels.stop - start)
        at = np.clip(place[pixels], -1, size)
        for tap in range(2 * REACH):
            source = first[pixels] + tap
            np.add.at(weights, (rows, np.clip(source, low, high - 1) - low), _spline(at - source))
        yield pixels, slice(low, high), weights
