"""One component of a planar picture at luma's resolution: a part of it read, and changed by a difference."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .chroma import downsample, upsample
from .components import Component


def read_component(samples: np.ndarray, part: Component, rect) -> np.ndarray:
    """The values of a component over `rect` at luma's resolution, from its plane: a new (height, width) float32."""
    codes = _read_subsampled(samples, part, rect) if part.subsampled else samples[rect.slices()].astype(np.float32)
    codes -= np.float32(part.zero)
    codes *= np.float32(1 / part.scale)
    return codes


def _read_subsampled(samples: np.ndarray, part: Component, rect) -> np.ndarray:
    height, width = samples.shape
    fx, fy = 1 << part.shift_x, 1 << part.shift_y
    # Room for two neighbours in every doubling; where the picture ends the last sample repeats.
    room_x, room_y = 2 * part.shift_x, 2 * part.shift_y
    x0, x1 = rect.left // fx - room_x, -(-rect.right // fx) + room_x
    y0, y1 = rect.top // fy - room_y, -(-rect.bottom // fy) + room_y
    codes = samples[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)].astype(np.float32)
    beyond = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
    if any(beyond):
        codes = cv2.copyMakeBorder(codes, *beyond, cv2.BORDER_REPLICATE)
    for _ in range(part.shift_x):
        codes, x0 = upsample(codes, 1), 2 * (x0 + 2)
    for _ in range(part.shift_y):
        codes, y0 = upsample(codes, 0), 2 * (y0 + 2)
    top, left = rect.top - y0, rect.left - x0
    return codes[top : top + rect.height, left : left + rect.width]


def add_component(
    samples: np.ndarray, part: Component, around, difference: np.ndarray, alpha: np.ndarray, own, size: tuple[int, int]
) -> None:
    """Add a difference to a plane, in place, where alpha is above 0.

    difference (times alpha) and alpha: (height, width) on `around`, values at luma's resolution. own: the part of
    `around` that is to change; a subsampled sample changes where all the pixels that it colours lie in there. size:
    the picture's width and height. Beyond `around` nothing differs; beyond the picture its border goes on.
    """
    cells, kept = own, own.slices(around)
    if part.subsampled:
        columns = _Cells.along(around.left, around.right, size[0], part.shift_x)
        rows = _Cells.along(around.top, around.bottom, size[1], part.shift_y)
        difference, touched = _reduced(difference, part, rows, columns), _touched(alpha, part, rows, columns)
        across = _Cells.along(own.left, own.right, size[0], part.shift_x)
        down = _Cells.along(own.top, own.bottom, size[1], part.shift_y)
        cells = own._replace(left=across.first, top=down.first, right=across.end, bottom=down.end)
        if cells.empty:
            return
        kept = cells.slices(cells._replace(left=columns.start, top=rows.start))
        change = difference[kept] * touched[kept]
    else:
        change = difference[kept]
    codes = samples[cells.slices()]
    before = codes.astype(np.float32)
    change = change * np.float32(part.scale)
    change += before
    np.rint(change, out=change)
    # Footage may hold codes beyond black and white; they may stay, but no new ones are made.
    np.maximum(change, np.minimum(before, np.float32(part.lowest)), out=change)
    np.minimum(change, np.maximum(before, np.float32(part.highest)), out=change)
    np.copyto(codes, change, casting="unsafe")


def own_samples(values: np.ndarray, part: Component, rect, size: tuple[int, int]) -> np.ndarray:
    """Values (height, width) at luma's resolution on `rect` as the samples of a component that colour pixels in there only, in
    a picture of `size`; where `rect` ends its border goes on."""
    if not part.subsampled:
        return values
    columns = _Cells.along(rect.left, rect.right, size[0], part.shift_x).repeating()
    rows = _Cells.along(rect.top, rect.bottom, size[1], part.shift_y).repeating()
    reduced = _reduced(np.ascontiguousarray(values), part, rows, columns)
    return reduced[rows.first - rows.start : rows.end - rows.start, columns.first - columns.start : columns.end - columns.start]


def _reduced(difference: np.ndarray, part: Component, rows: _Cells, columns: _Cells) -> np.ndarray:
    padded = cv2.copyMakeBorder(difference, *rows.repeat, *columns.repeat, cv2.BORDER_REPLICATE)
    for axis, shift, zeros in ((0, part.shift_y, rows.zeros), (1, part.shift_x, columns.zeros)):
        for step in range(shift):
            # Two neighbours at either end serve the filter and go.
            before, after = (2 + (zero if step == 0 else 0) for zero in zeros)
            border = (before, after, 0, 0) if axis == 0 else (0, 0, before, after)
            padded = downsample(cv2.copyMakeBorder(padded, *border, cv2.BORDER_CONSTANT, value=0), axis)
    return padded


def _touched(alpha: np.ndarray, part: Component, rows: _Cells, columns: _Cells) -> np.ndarray:
    """(cells down, cells across) bool: where one of the pixels that a sample colours has alpha."""
    alpha = cv2.copyMakeBorder(alpha, *rows.repeat, *columns.repeat, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(alpha, *rows.zeros, *columns.zeros, cv2.BORDER_CONSTANT, value=0)
    for _ in range(part.shift_y):
        alpha = np.maximum(alpha[0::2], alpha[1::2])
    for _ in range(part.shift_x):
        alpha = np.maximum(alpha[:, 0::2], alpha[:, 1::2])
    return alpha > 0


class _Cells(NamedTuple):
    """Chroma samples along one axis of a rectangle: `first` to `end` lie wholly inside, `start` allows for filters."""

    start: int
    first: int
    end: int
    repeat: tuple[int, int]  # luma samples to pad before and after by repeating
    zeros: tuple[int, int]  # ... and with zeros

    def repeating(self) -> _Cells:
        return self._replace(repeat=tuple(a + b for a, b in zip(self.repeat, self.zeros)), zeros=(0, 0))

    @classmethod
    def along(cls, low: int, high: int, length: int, shift: int) -> _Cells:
        factor, room = 1 << shift, 2 * shift
        start, stop = low // factor - room, -(-high // factor) + room
        before, after = low - start * factor, stop * factor - high
        end = -(-high // factor) if high == length else high // factor
        repeat = (before if low == 0 else 0, after if high == length else 0)
        return cls(start, -(-low // factor), end, repeat, (before - repeat[0], after - repeat[1]))
