"""A square or rectangle of a planar picture made smaller as it is read, without its full-size RGB ever being made.

Reduction by area, chroma's interpolation and the matrix to RGB are linear, so they may change places: components are
reduced first, chroma from its own samples by the product of both steps.
"""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np

from ..planes import plane_views
from .chroma import upsample
from .components import components_of

BLOCK = 8  # pixels of the result worked on together: each needs only the samples under it


def read_reduced(
    picture: av.VideoFrame, left: float, top: float, width: float, height: float, size: tuple[int, int]
) -> np.ndarray:
    """The area means of `read_region` over an upright rectangle inside the picture, edges anywhere between pixels:
    (size[1], size[0], 3) float32. No side of the result may be longer than the rectangle's."""
    components = components_of(picture)
    planes, values = plane_views(picture), []
    for part in components.parts:
        samples = planes[part.plane]
        across = _blocks(left, width / size[0], size[0], part.shift_x, False)
        down = _blocks(top, height / size[1], size[1], part.shift_y, True)
        first, last = across[0][1], across[-1][1] + across[-1][2].shape[1]
        tall = np.empty((size[1], last - first), np.float32)
        for pixels, start, weights in down:
            rows = _taken(samples, 0, start, weights.shape[1])
            np.matmul(weights, _taken(rows, 1, first, last - first).astype(np.float32), out=tall[pixels])
        turned, value = cv2.transpose(tall), np.empty(size, np.float32)  # rows are quicker to work on than columns
        for pixels, start, weights in across:
            np.matmul(weights, turned[start - first : start - first + weights.shape[1]], out=value[pixels])
        value = cv2.transpose(value)
        value -= np.float32(part.zero)
        value *= np.float32(1 / part.scale)
        values.append(value)
    merged = cv2.merge(values)
    return merged if components.is_rgb else cv2.transform(merged, components.to_rgb)


def _taken(samples: np.ndarray, axis: int, start: int, count: int) -> np.ndarray:
    """`count` rows or columns from `start` on; beyond the plane its border repeats."""
    length = samples.shape[axis]
    if start >= 0 and start + count <= length:
        return samples[start : start + count] if axis == 0 else samples[:, start : start + count]
    return np.take(samples, np.clip(np.arange(start, start + count), 0, length - 1), axis)


def _blocks(start: float, step: float, count: int, shift: int, centred: bool) -> list:
    """One axis in blocks: pixels of the result, the first sample they need, and weights (pixels, samples)."""
    whole = int(start // (1 << shift))  # squares on whole pixels mostly have the same weights elsewhere
    blocks = _blocks_from(start - (whole << shift), step, count, shift, centred)
    return [(pixels, whole + low, weights) for pixels, low, weights in blocks]


@lru_cache(maxsize=16)
def _blocks_from(start: float, step: float, count: int, shift: int, centred: bool) -> list:
    begin = start + step * np.arange(count)
    first = np.floor(begin).astype(int)
    # Luma samples under each pixel, and how much of each lies there.
    sample = first[:, None] + np.arange(int(np.ceil(step)) + 1)
    share = np.minimum(begin[:, None] + step, sample + 1) - np.maximum(begin[:, None], sample)
    share = np.maximum(share, 0) / step
    matrix = np.zeros((count, int(sample[-1, -1]) + 1 - int(first[0])), np.float32)
    matrix[np.arange(count)[:, None], sample - first[0]] = share
    found, factor, room = [], 1 << shift, 2 * shift
    for number in range(0, count, BLOCK):
        pixels = slice(number, min(number + BLOCK, count))
        low, high = int(first[number]), int(sample[pixels.stop - 1, -1]) + 1
        weights = matrix[pixels, low - first[0] : high - first[0]]
        if shift:
            start_sample, end = low // factor - room, -(-high // factor) + room
            interpolated, begins = _interpolation(end - start_sample, shift, centred)
            place = low - start_sample * factor - begins
            low, weights = start_sample, weights @ interpolated[place : place + high - low]
        found.append((pixels, low, weights))
    return found


@lru_cache(maxsize=64)
def _interpolation(count: int, shift: int, centred: bool) -> tuple[np.ndarray, int]:
    """(luma samples, count) float32: what `upsample` makes of `count` chroma samples, and the luma sample, counted from
    the first chroma sample's, that its first row is."""
    matrix, begins = np.eye(count, dtype=np.float32), 0
    for _ in range(shift):
        matrix = upsample(matrix, 0) if centred else upsample(np.ascontiguousarray(matrix.T), 1).T
        begins = 2 * (begins + 2)
    return np.ascontiguousarray(matrix), begins
