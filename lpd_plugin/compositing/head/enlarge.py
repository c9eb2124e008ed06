"""A head's square enlarged to the footage's pixels so that, shrunk again, it is the same square.

The curve through a square's pixels is the one whose mean over every pixel is that pixel: a cubic spline fitted to
averages (Schoenberg 1973; de Boor 1978, "histospline"). It is where iterative back-projection (Irani & Peleg 1991)
with spline interpolation and area reduction ends, reached at once, because both steps are linear and separable.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ...video.track import CropBox
from ..picture.region import Rect
from ..picture.square import square_to_rect

PHASES = 64  # steps in which the scale is told apart
RINGING = 0.1  # share of the range of a pixel's neighbourhood by which the curve may leave it
BLOCK = 32  # pixels of a side worked on together: each needs only the few coefficients around it
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
    whole, result = Enlarged(image, box, rect), np.empty((rect.height, rect.width, image.shape[2]), np.float32)
    for top in range(0, rect.height, BLOCK):
        bottom = min(top + BLOCK, rect.height)
        result[top:bottom] = whole.part(Rect(rect.left, rect.top + top, rect.right, rect.top + bottom))
    return result


class Enlarged:
    """What `enlarged` makes of a picture, drawn part by part: what is common to all parts is worked out once."""

    def __init__(self, image: np.ndarray, box: CropBox, rect: Rect):
        """rect: the parts asked for lie in there."""
        self.box, self.rect, self.size = box, rect, image.shape[0]
        self.whole = None
        if not _enlarges(image, box):
            self.whole = square_to_rect(image, box, rect).reshape(rect.height, rect.width, -1)
            return
        planes = np.moveaxis(image, 2, 0).astype(np.float32)
        sharpen = _averages_to_coefficients(self.size, round(PHASES * self.size / box.side))
        planes = _banded_product(sharpen, planes).transpose(0, 2, 1)
        planes = _banded_product(sharpen, np.ascontiguousarray(planes)).transpose(0, 2, 1)
        self.curve = _drawn_across(planes, box, rect)
        self.ranges = [_range_across(bound, box, rect) for bound in _ranges(image)]

    def part(self, part: Rect) -> np.ndarray:
        """(height, width, C) on a rectangle within that of all."""
        if self.whole is not None:
            return self.whole[part.slices(self.rect)]
        columns = slice(part.left - self.rect.left, part.right - self.rect.left)
        curve, (low, high) = self.curve[:, columns], (bound[:, columns] for bound in self.ranges)
        drawn = np.empty((part.height, part.width, curve.shape[2]), np.float32)
        for top in range(0, part.height, BLOCK):
            rows = drawn[top : top + BLOCK]
            first, weights = _weights(self.size, self.box.side, part.top + top - self.box.top, len(rows))
            combined = _combined(weights, curve, first)
            first, weights = _linear_weights(self.size, round(self.box.side), part.top + top - round(self.box.top), len(rows))
            np.maximum(combined, _combined(weights, low, first), out=combined)
            np.minimum(combined, _combined(weights, high, first), out=rows)
        return drawn


class Spread:
    """A small picture (h, w, C) enlarged linearly onto all of `rect`, drawn part by part."""

    def __init__(self, small: np.ndarray, rect: Rect):
        self.rect, self.rows = rect, small.shape[0]
        wide = cv2.resize(small, (rect.width, self.rows), interpolation=cv2.INTER_LINEAR)
        self.wide = wide.reshape(self.rows, rect.width, -1)

    def part(self, part: Rect) -> np.ndarray:
        """(height, width, C) on any rectangle; beyond `rect` the border goes on."""
        low, weights = _linear_weights(self.rows, self.rect.height, part.top - self.rect.top, part.height)
        before, after = max(self.rect.left - part.left, 0), max(part.right - self.rect.right, 0)
        columns = slice(part.left + before - self.rect.left, part.right - after - self.rect.left)
        drawn = _combined(weights, self.wide[:, columns], low)
        return cv2.copyMakeBorder(drawn, 0, 0, before, after, cv2.BORDER_REPLICATE) if before or after else drawn


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


def _range_across(bound: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """Bounds (S, S, C) drawn on the columns of `rect`, (S, width, C), up to half a pixel beside where they belong: quick,
    and enough for ranges."""
    side, left = round(box.side), round(box.left)
    wide = cv2.resize(bound, (side, bound.shape[0]), interpolation=cv2.INTER_LINEAR)
    before, after = max(left - rect.left, 0), max(rect.right - left - side, 0)
    if before or after:
        wide = cv2.copyMakeBorder(wide, 0, 0, before, after, cv2.BORDER_REPLICATE)
    first = rect.left - left + before
    return wide.reshape(len(bound), wide.shape[1], -1)[:, first : first + rect.width]


def _drawn(coefficients: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """The spline with coefficients (C, S, S), sampled at the pixels of `rect`: (height, width, C), without C where 1."""
    channels, size, _ = coefficients.shape
    wide = _drawn_across(coefficients, box, rect)
    result = np.empty((rect.height, rect.width * channels), np.float32)
    for top in range(0, rect.height, BLOCK):
        rows = slice(top, min(top + BLOCK, rect.height))
        low, weights = _weights(size, box.side, rect.top + top - box.top, rows.stop - top)
        np.matmul(weights, wide[low : low + weights.shape[1]].reshape(weights.shape[1], -1), out=result[rows])
    return result.reshape((rect.height, rect.width, channels)[: 3 if channels > 1 else 2])


def _drawn_across(coefficients: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """The spline with coefficients (C, S, S), sampled at the columns of `rect` along one axis: (S, width, C)."""
    channels, size, _ = coefficients.shape
    wide = np.empty((channels, size, rect.width), np.float32)
    for start in range(0, rect.width, BLOCK):
        count = min(BLOCK, rect.width - start)
        low, weights = _weights(size, box.side, rect.left + start - box.left, count)
        np.matmul(coefficients[..., low : low + weights.shape[1]], weights.T, out=wide[..., start : start + count])
    return wide[0][..., None] if channels == 1 else cv2.merge(list(wide))


def _combined(weights: np.ndarray, rows: np.ndarray, first: int) -> np.ndarray:
    """Sums of rows (S, width, C), from the row `first` on, by weights (pixels, R): (pixels, width, C)."""
    needed = rows[first : first + weights.shape[1]]
    return (weights @ needed.reshape(len(needed), -1)).reshape(len(weights), *rows.shape[1:])


def _banded_product(matrix: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """matrix (S, S) @ planes (C, S, S), where the matrix is 0 far from its diagonal."""
    size, result = len(matrix), np.empty_like(planes)
    for top in range(0, size, BLOCK):
        rows = matrix[top : top + BLOCK]
        used = np.flatnonzero(rows.any(0))
        sources = slice(int(used[0]), int(used[-1]) + 1)
        np.matmul(rows[:, sources], planes[:, sources], out=result[:, top : top + BLOCK])
    return result


def _weights(size: int, side: float, offset: float, count: int) -> tuple[int, np.ndarray]:
    """For `count` pixels of one axis: the first coefficient that they need, and weights (count, needed)."""
    place = np.clip((np.arange(count) + 0.5 + offset) * (size / side) - 0.5, -1, size)
    first = np.floor(place).astype(int) - REACH + 1
    source = first[:, None] + np.arange(2 * REACH)
    return _banded(source, _spline(place[:, None] - source), size)


def _linear_weights(size: int, side: int, offset: int, count: int) -> tuple[int, np.ndarray]:
    """As `_weights` for linear interpolation."""
    place = np.clip((np.arange(count) + 0.5 + offset) * (size / side) - 0.5, 0, size - 1)
    first = np.floor(place).astype(int)
    share = place - first
    return _banded(first[:, None] + np.arange(2), np.stack([1 - share, share], 1), size)


def _banded(source: np.ndarray, weights: np.ndarray, size: int) -> tuple[int, np.ndarray]:
    """Weights (count, taps) of the samples `source` as a matrix; samples beyond the ends are those at the ends."""
    source = np.clip(source, 0, size - 1)
    low, high = int(source[0, 0]), int(source[-1, -1]) + 1
    matrix = np.zeros((len(source), high - low), np.float32)
    rows = np.arange(len(source))
    for tap in range(source.shape[1]):
        matrix[rows, source[:, tap] - low] += weights[:, tap]
    return low, matrix
