"""A head's square enlarged to the footage's pixels so that, shrunk again, it is the same square.

The curve through a square's pixels is the one whose mean over every pixel is that pixel: a cubic spline fitted to
averages (Schoenberg 1973; de Boor 1978, "histospline"). It is where iterative back-projection (Irani & Peleg 1991)
with spline interpolation and area reduction ends, reached at once, because both steps are linear and separable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from ...video.regions.region import Rect
from ...video.track import CropBox
from ..picture.square import square_to_rect

PHASES = 64  # steps in which the scale is told apart
RINGING = 0.1  # share of the range of a pixel's neighbourhood by which the curve may leave it
BLOCK = 32  # pixels of a side worked on together: each needs only the few coefficients around it
NEGLIGIBLE = 1e-7
REACH = 2  # source pixels to either side on which a point of a cubic spline depends


class Span(NamedTuple):
    """Where a small picture lies on a grid of samples, edges anywhere between them."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def of(cls, place: CropBox | Rect) -> Span:
        if isinstance(place, Rect):
            return cls(place.left, place.top, place.width, place.height)
        return cls(place.left, place.top, place.side, place.side)


def enlarged(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """An (S, S, C) float32 picture, C from 1 to 4, of the square `box` on the pixels of `rect`: (height, width, C).

    The geometry of `square_to_rect`, which also does what is no enlargement: shrinking, and copies of squares that
    lie on whole pixels with their own side. Values stay within the range of the source pixels around, widened by a
    tenth, so edges do not ring. Beyond the square its border repeats.
    """
    return EnlargedPicture(image, box, rect).part(rect)


class EnlargedPicture:
    """What `enlarged` makes of a picture, drawn part by part: what is common to all parts is worked out once."""

    def __init__(self, image: np.ndarray, box: CropBox, rect: Rect):
        """rect: the parts asked for lie in there."""
        self.rect, self.whole, self.planes = rect, None, None
        if enlarges(image, box):
            self.planes = Enlarged(np.moveaxis(image, 2, 0), Span.of(box), rect)
        else:
            self.whole = square_to_rect(image, box, rect).reshape(rect.height, rect.width, -1)

    def part(self, part: Rect) -> np.ndarray:
        """(height, width, C) on a rectangle within that of all."""
        if self.whole is not None:
            return self.whole[part.slices(self.rect)]
        return merged(self.planes.part(part))


class Enlarged:
    """Planes of one size enlarged by the spline onto a grid, drawn part by part; see `enlarged`."""

    def __init__(self, planes: np.ndarray, span: Span, rect: Rect):
        """planes (C, H, W), smaller than `span`, their place on the grid; rect: the parts asked for lie in there."""
        planes = np.ascontiguousarray(planes, np.float32)
        height, width = planes.shape[1:]
        down = _coefficient_blocks(height, round(PHASES * height / span.height))
        across = _coefficient_blocks(width, round(PHASES * width / span.width))
        self.rect = rect
        self.rows = _spline_weights(height, span.height, rect.top - span.top, rect.height)
        self.range_rows = linear_weights(height, span.height, rect.top - span.top, rect.height)
        # Only rows that are drawn are worked out further.
        self.first, last = int(self.rows.source[0, 0]), int(self.rows.source[-1, -1]) + 1
        coefficients = _from_right(_banded_product(down, planes)[:, self.first : last], across)
        self.curve = _spline_weights(width, span.width, rect.left - span.left, rect.width).spread(coefficients)
        columns = linear_weights(width, span.width, rect.left - span.left, rect.width)
        self.bounds = columns.spread(_ranges(planes, self.first, last))

    def part(self, part: Rect) -> np.ndarray:
        """(C, height, width) on a rectangle within that of all."""
        columns = slice(part.left - self.rect.left, part.right - self.rect.left)
        curve, bounds, count = self.curve[..., columns], self.bounds[..., columns], len(self.curve)
        drawn = np.empty((count, part.height, part.width), np.float32)
        room = np.empty((2 * count, BLOCK, part.width), np.float32)
        for top in range(0, part.height, BLOCK):  # what is worked on stays in the processor's cache
            rows = drawn[:, top : top + BLOCK]
            first, bound = part.top - self.rect.top + top, room[:, : rows.shape[1]]
            self.rows.combine(curve, first, rows, self.first)
            self.range_rows.combine(bounds, first, bound, self.first)
            np.maximum(rows, bound[:count], out=rows)
            np.minimum(rows, bound[count:], out=rows)
        return drawn


class Spread:
    """Small planes (C, H, W) enlarged linearly onto a grid, drawn part by part."""

    def __init__(self, planes: np.ndarray, span: Span, rect: Rect):
        """span: their place on the grid, beyond which the border goes on; rect: the parts asked for lie in there."""
        height, width = planes.shape[1:]
        self.rect = rect
        self.wide = linear_weights(width, span.width, rect.left - span.left, rect.width).spread(planes)
        self.rows = linear_weights(height, span.height, rect.top - span.top, rect.height)

    def part(self, part: Rect) -> np.ndarray:
        """(C, height, width) on a rectangle within that of all."""
        drawn = np.empty((len(self.wide), part.height, part.width), np.float32)
        columns = slice(part.left - self.rect.left, part.right - self.rect.left)
        self.rows.combine(self.wide[..., columns], part.top - self.rect.top, drawn)
        return drawn


def fitted(planes: Sequence[np.ndarray], span: Span) -> np.ndarray:
    """Planes (H, W) as (C, H, W), averaged to fewer pixels where they have more than `Enlarged` could draw on `span`."""
    height, width = planes[0].shape
    size = min(width, max(1, int(span.width - 0.5))), min(height, max(1, int(span.height - 0.5)))
    if size != (width, height):
        planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    return np.stack(planes)


def merged(planes: np.ndarray) -> np.ndarray:
    """(C, h, w) as (h, w, C)."""
    return planes[0][..., None] if len(planes) == 1 else cv2.merge(list(planes))


def enlarged_matte(matte: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """An (S, S) float32 matte in [0, 1] on the pixels of `rect`: (height, width) in [0, 1].

    Where it is enlarged a cubic B-spline runs through it, not exactly through every pixel: it has no steps and no
    ringing, and softens the matte by a Gaussian of 0.58 source pixels. Otherwise as `square_to_rect`.
    """
    if not enlarges(matte, box):
        return np.clip(square_to_rect(matte, box, rect), 0, 1)
    drawn = _drawn(matte[None].astype(np.float32), box, rect)[0]
    return np.clip(drawn, 0, 1, out=drawn)


def enlarged_smoothly(image: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """(S, S, C) float32 of any range, say a flow, on the pixels of `rect`, by a cubic B-spline as for a matte."""
    if not enlarges(image, box):
        return square_to_rect(image, box, rect)
    return merged(_drawn(np.moveaxis(image, 2, 0).astype(np.float32), box, rect))


def enlarges(image: np.ndarray, box: CropBox) -> bool:
    """Whether a picture (S, S, ...) has fewer pixels than the square that it is drawn on."""
    return box.side > image.shape[0] + 0.5


def _spline(x: np.ndarray) -> np.ndarray:
    """The cubic B-spline, non-zero from -2 to 2."""
    x = np.abs(x)
    inner, outer = 2 / 3 - x * x + x * x * x / 2, np.maximum(2 - x, 0)
    return np.where(x < 1, inner, outer * outer * outer / 6)


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


def _ranges(planes: np.ndarray, first: int, last: int) -> np.ndarray:
    """(2 C, last - first, W): the least values around each pixel of those rows of (C, H, W), then the greatest, a little widened."""
    kernel, count = np.ones((3, 3), np.uint8), len(planes)
    before = min(first, 1)
    around, rows = planes[:, first - before : last + 1], slice(before, before + last - first)
    bounds = np.empty((2 * count, last - first, planes.shape[2]), np.float32)
    for number, plane in enumerate(around):
        low, high = cv2.erode(plane, kernel)[rows], cv2.dilate(plane, kernel)[rows]
        cv2.addWeighted(low, 1 + RINGING, high, -RINGING, 0, bounds[number])
        cv2.addWeighted(high, 1 + RINGING, low, -RINGING, 0, bounds[count + number])
    return bounds


def _drawn(coefficients: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """The spline with coefficients (C, S, S), sampled at the pixels of `rect`: (C, height, width)."""
    channels, size = len(coefficients), coefficients.shape[1]
    rows = _spline_weights(size, box.side, rect.top - box.top, rect.height)
    first, last = int(rows.source[0, 0]), int(rows.source[-1, -1]) + 1
    columns = _spline_weights(size, box.side, rect.left - box.left, rect.width)
    wide = columns.spread(coefficients[:, first:last])
    result = np.empty((channels, rect.height, rect.width), np.float32)
    rows.combine(wide, 0, result, first)
    return result


@lru_cache(maxsize=64)
def _coefficient_blocks(size: int, part: int) -> list[tuple[slice, slice, np.ndarray]]:
    """`_averages_to_coefficients`, which is 0 far from its diagonal, in blocks of rows: which, and what they need."""
    matrix, blocks = _averages_to_coefficients(size, part), []
    for top in range(0, size, BLOCK):
        rows = matrix[top : top + BLOCK]
        used = np.flatnonzero(rows.any(0))
        sources = slice(int(used[0]), int(used[-1]) + 1)
        blocks.append((slice(top, top + len(rows)), sources, np.ascontiguousarray(rows[:, sources])))
    return blocks


def _banded_product(blocks: list[tuple[slice, slice, np.ndarray]], planes: np.ndarray) -> np.ndarray:
    """A matrix (S, S) in blocks of rows @ planes (C, S, W)."""
    result = np.empty_like(planes)
    for rows, sources, weights in blocks:
        np.matmul(weights, planes[:, sources], out=result[:, rows])
    return result


def _from_right(planes: np.ndarray, blocks: list[tuple[slice, slice, np.ndarray]]) -> np.ndarray:
    """Planes (C, H, S) @ the transpose of a matrix (S, S) in blocks of its rows."""
    result = np.empty_like(planes)
    for columns, sources, weights in blocks:
        np.matmul(planes[..., sources], weights.T, out=result[..., columns])
    return result


class Weights:
    """What the samples of one axis count for its pixels: a matrix (pixels, samples), each row a few beside each other, kept in
    blocks of BLOCK rows with the samples that these need."""

    def __init__(self, source: np.ndarray, weights: np.ndarray, size: int):
        """source, weights (pixels, taps): samples, ascending, and what they count; those beyond the ends are those at the ends."""
        self.source = np.minimum(np.maximum(source, 0), size - 1)
        rows = np.arange(len(source))
        self.first = self.source[::BLOCK, 0]
        last = self.source[np.minimum(rows[::BLOCK] + BLOCK, len(source)) - 1, -1]
        self.count = last + 1 - self.first
        self.matrix = np.zeros((len(source), int(self.count.max())), np.float32)
        place = self.source - np.repeat(self.first, BLOCK)[: len(source), None]
        for tap in range(source.shape[1]):
            self.matrix[rows, place[:, tap]] += weights[:, tap]

    def blocks(self, first: int, count: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """`count` pixels from `first` on in blocks: pixels, counted from there, samples, and weights (pixels, samples)."""
        start, end = first, first + count
        while start < end:
            block = start // BLOCK
            stop = min((block + 1) * BLOCK, end)
            low, used = int(self.first[block]), int(self.count[block])
            yield slice(start - first, stop - first), slice(low, low + used), self.matrix[start:stop, :used]
            start = stop

    def combine(self, planes: np.ndarray, first: int, result: np.ndarray, before: int = 0) -> None:
        """Sums of rows of planes (C, samples, width) for as many pixels, from `first` on, as `result` (C, pixels, width) holds;
        planes begin with the sample `before`."""
        for pixels, sources, weights in self.blocks(first, result.shape[1]):
            np.matmul(weights, planes[:, sources.start - before : sources.stop - before], out=result[:, pixels])

    def spread(self, planes: np.ndarray) -> np.ndarray:
        """Sums of columns of planes (C, height, samples) for all pixels: (C, height, pixels)."""
        result = np.empty((*planes.shape[:2], len(self.source)), np.float32)
        for pixels, sources, weights in self.blocks(0, len(self.source)):
            # Laid out anew, so small a matrix is multiplied by in two thirds of the time.
            np.matmul(planes[..., sources], np.ascontiguousarray(weights.T), out=result[..., pixels])
        return result


@lru_cache(maxsize=24)  # of one frame, and of all of a head that keeps still
def _spline_weights(size: int, side: float, offset: float, count: int) -> Weights:
    """Of a spline with `size` coefficients over `side` pixels, for `count` pixels from the `offset`th on."""
    place = np.minimum(np.maximum((np.arange(count) + 0.5 + offset) * (size / side) - 0.5, -1), size)
    first = np.floor(place).astype(int) - REACH + 1
    source = first[:, None] + np.arange(2 * REACH)
    return Weights(source, _spline(place[:, None] - source), size)


@lru_cache(maxsize=24)
def linear_weights(size: int, side: float, offset: float, count: int) -> Weights:
    """Of `size` samples over `side` pixels, for `count` pixels from the `offset`th on, interpolated linearly."""
    place = np.minimum(np.maximum((np.arange(count) + 0.5 + offset) * (size / side) - 0.5, 0), size - 1)
    first = np.floor(place).astype(int)
    share = place - first
    return Weights(first[:, None] + np.arange(2), np.stack([1 - share, share], 1), size)
