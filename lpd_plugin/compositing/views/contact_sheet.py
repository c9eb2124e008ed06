"""Contact sheets: the same moments of source, driver, head, matte, composite and difference, in rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ...errors import BadInput
from ...reenactment.heads import Heads
from ...video.clip import Clip
from ...whole_files import checked_target, write_png
from ..picture.look import frames_at
from .comparison import GAIN

CELL = 200  # pixels of a cell's height
LABEL = 22  # pixels above a row
BACKDROP = 32  # grey level


def contact_sheet(
    composite: Clip | None, source: Clip | None, driver: Clip | None, heads: Heads | None, moments: int = 8,
    matte: Clip | None = None,
) -> np.ndarray:  # fmt: skip
    """uint8 RGB (H, W, 3). A row for what is given, a column per moment spread evenly over the composite
    (else heads, driver, source, matte). The driver's row shows the frame that drove that moment.

    matte: the composite's; without it the heads' own masks are shown. With a source of the composite's size there is
    a row of the absolute difference between the two, eight times as strong. Raises `BadInput` if nothing is given.
    """
    times = _moments(composite, source, driver, heads, matte, moments)
    drawn = None if heads is None else heads.retimed(times, "hold")
    compared = composite is not None and source is not None and _size(source) == _size(composite)
    rows = {}
    if source is not None and not compared:
        rows["source"] = _cells(source, times)
    elif compared:
        rows["source"], composites, differences = _compared(source, composite, times)
    if driver is not None:
        pose = getattr(drawn, "pose", None)
        rows["driver"] = _cells(driver, times if pose is None else pose.moments)
    if drawn is not None:
        rows["head"], masks = _drawn(drawn)
        if matte is None:
            rows["head's mask"] = masks
    if matte is not None:
        rows["matte"] = _cells(matte, times)
    if composite is not None:
        rows["composite"] = composites if compared else _cells(composite, times)
    if compared:
        rows[f"difference x{GAIN}"] = differences
    return _laid_out(rows, times)


def _moments(composite, source, driver, heads, matte, count: int) -> np.ndarray:
    if composite is not None:
        every = np.array([float(t) for t in composite.timestamps()])
    elif heads is not None:
        every = np.asarray(heads.times)
    elif any(clip is not None for clip in (driver, source, matte)):
        clip = next(clip for clip in (driver, source, matte) if clip is not None)
        every = np.array([float(t) for t in clip.timestamps()])
    else:
        raise BadInput("The contact sheet has nothing to show: link a composite, heads, a driver, a source or a matte.")
    return every[np.unique(np.linspace(0, len(every) - 1, count).round().astype(int))]


def _size(clip: Clip) -> tuple[int, int]:
    return clip.info.width, clip.info.height


def _shown(clip: Clip, times: np.ndarray) -> Iterator[np.ndarray]:
    """uint8 RGB of the frame shown at each of ascending moments, one at a time; a still's only one."""
    stamps = np.array([float(t) for t in clip.timestamps()])
    indices = np.clip(np.searchsorted(stamps, np.asarray(times) + 1e-6, side="right") - 1, 0, len(stamps) - 1)
    numbers, repeats = np.unique(indices, return_counts=True)
    for frame, repeat in zip(frames_at(clip, numbers.tolist()), repeats):
        yield from [frame.rgb()] * repeat


def _cells(clip: Clip, times: np.ndarray) -> list[np.ndarray]:
    """Cells of the moments `times`, in any order."""
    order = np.argsort(times, kind="stable")
    cells = dict(zip(order.tolist(), (_cell(picture) for picture in _shown(clip, np.asarray(times)[order]))))
    return [cells[number] for number in range(len(cells))]


def _compared(source: Clip, composite: Clip, times: np.ndarray) -> tuple[list[np.ndarray], ...]:
    """Cells of both and of their difference, which is taken at full size: a shrunk one would hide thin edges."""
    columns = []
    for before, after in zip(_shown(source, times), _shown(composite, times)):
        difference = cv2.multiply(cv2.absdiff(before, after), np.full(3, GAIN, np.float64))
        columns.append([_cell(picture) for picture in (before, after, difference)])
    return tuple(list(row) for row in zip(*columns))


def _cell(picture: np.ndarray) -> np.ndarray:
    """The picture at a cell's height."""
    width, shrinks = max(1, round(picture.shape[1] * CELL / picture.shape[0])), picture.shape[0] > CELL
    return cv2.resize(picture, (width, CELL), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _drawn(heads: Heads) -> tuple[list[np.ndarray], list[np.ndarray]]:
    pictures, masks = [], []
    for head in heads:
        if head is None:
            pictures.append(np.full((CELL, CELL, 3), BACKDROP, np.uint8))
            masks.append(np.zeros((CELL, CELL, 3), np.uint8))
            continue
        shown = head.rgb * head.matte[..., None] + BACKDROP / 255 * (1 - head.matte[..., None])
        pictures.append(_cell((np.clip(shown, 0, 1) * 255).astype(np.uint8)))
        masks.append(_cell((np.clip(head.matte, 0, 1)[..., None].repeat(3, 2) * 255).astype(np.uint8)))
    return pictures, masks


def _laid_out(rows: dict[str, list[np.ndarray]], times: np.ndarray) -> np.ndarray:
    width = max(cell.shape[1] for cells in rows.values() for cell in cells)
    sheet = np.full((len(rows) * (CELL + LABEL), width * len(times), 3), BACKDROP, np.uint8)
    for row, (label, cells) in enumerate(rows.items()):
        top = row * (CELL + LABEL)
        for column, cell in enumerate(cells):
            left = column * width + (width - cell.shape[1]) // 2
            sheet[top + LABEL : top + LABEL + CELL, left : left + cell.shape[1]] = cell
            words, place = f"{label}  {times[column]:.2f} s", (column * width + 4, top + 16)
            cv2.putText(sheet, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (200,) * 3, 1, cv2.LINE_AA)
    return sheet


def write_sheet(sheet: np.ndarray, path: str | os.PathLike, overwrite: bool = False) -> Path:
    """Write a PNG, whole or not at all. Raises `BadInput` if it exists or cannot be written."""
    target = checked_target(path, overwrite)
    write_png(target, sheet)
    return target
