"""Parts of rectangles, and weights on them."""

from __future__ import annotations

import numpy as np

from ...video.regions.region import Rect, rect_common


def on_grid(rect: Rect, step: int) -> Rect:
    """The largest part of a rectangle on multiples of `step`, where the same footage and plate give the same averages at
    every frame."""
    left, top = (-(-edge // step) * step for edge in rect[:2])
    right, bottom = (edge // step * step for edge in rect[2:])
    return Rect(left, top, right, bottom)


def but_the_middle(rows: np.ndarray, columns: np.ndarray) -> list[tuple[slice, slice]]:
    """Parts that hold all of an area but a rectangle in which rows and columns (bool, of its sides) are both true."""
    (top, bottom), (left, right) = _run(rows), _run(columns)
    whole = slice(0, len(columns))
    return [
        (slice(0, top), whole), (slice(bottom, len(rows)), whole),
        (slice(top, bottom), slice(0, left)), (slice(top, bottom), slice(right, len(columns))),
    ]  # fmt: skip


def _run(values: np.ndarray) -> tuple[int, int]:
    """Begin and end of the first run of true values; (0, 0) without one."""
    if not values.any():
        return 0, 0
    begin = int(values.argmax())
    end = begin + int((~values[begin:]).argmax()) if not values[begin:].all() else len(values)
    return begin, end


def close_border(removal: np.ndarray, part: Rect, rect: Rect, size: tuple[int, int]) -> None:
    """Exactly 0 on the outermost pixels of `rect`, of which `part` is shown, except along the picture's own border."""
    for at_border, line in (
        (rect.top == 0 or part.top > rect.top, removal[0]),
        (rect.bottom == size[1] or part.bottom < rect.bottom, removal[-1]),
        (rect.left == 0 or part.left > rect.left, removal[:, 0]),
        (rect.right == size[0] or part.right < rect.right, removal[:, -1]),
    ):  # fmt: skip
        if not at_border:
            line[:] = 0


def only_inside(place: Rect, rect: Rect, weight: np.ndarray) -> np.ndarray:
    """A weight (height, width) on `rect`, 0 beyond `place`."""
    common = rect_common(rect, place)
    if common == rect:
        return weight
    inside = np.zeros_like(weight)
    if not common.empty:
        inside[common.slices(rect)] = weight[common.slices(rect)]
    return inside
