"""Contact sheets: the same moments of source, driver, generated head, mask and composite, in rows."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from ...errors import BadInput
from ...reenactment.heads import Heads
from ...video.clip import Clip
from ...whole_files import checked_target, write_png
from ..picture.look import frames_at

CELL = 200  # pixels of a cell's height
LABEL = 22  # pixels above a row
BACKDROP = 32  # grey level


def contact_sheet(
    composite: Clip | None, source: Clip | None, driver: Clip | None, heads: Heads | None, moments: int = 8
) -> np.ndarray:
    """uint8 RGB (H, W, 3). A row for what is given, a column per moment spread evenly over the composite
    (else heads, driver, source). The driver's row shows the frame that drove that moment.

    Raises `BadInput` if nothing is given.
    """
    times = _moments(composite, source, driver, heads, moments)
    drawn = None if heads is None else heads.retimed(times, "hold")
    rows = []
    if source is not None:
        rows.append(("source", [f.rgb() for f in _nearest(source, times)]))
    if driver is not None:
        pose = getattr(drawn, "pose", None)
        rows.append(("driver", [f.rgb() for f in _nearest(driver, times if pose is None else pose.moments)]))
    if drawn is not None:
        pictures, masks = _drawn(drawn)
        rows += [("generated", pictures), ("mask", masks)]
    if composite is not None:
        rows.append(("composite", [f.rgb() for f in _nearest(composite, times)]))
    return _laid_out(rows, times)


def _moments(composite, source, driver, heads, count: int) -> np.ndarray:
    if composite is not None:
        every = np.array([float(t) for t in composite.timestamps()])
    elif heads is not None:
        every = np.asarray(heads.times)
    elif driver is not None or source is not None:
        every = np.array([float(t) for t in (driver or source).timestamps()])
    else:
        raise BadInput("The contact sheet has nothing to show: link a composite, heads, a driver or a source.")
    return every[np.unique(np.linspace(0, len(every) - 1, count).round().astype(int))]


def _nearest(clip: Clip, times: np.ndarray) -> list:
    """The frame shown at each moment; a still's only one."""
    stamps = np.array([float(t) for t in clip.timestamps()])
    indices = np.clip(np.searchsorted(stamps, np.asarray(times) + 1e-6, side="right") - 1, 0, len(stamps) - 1)
    wanted = sorted({int(i) for i in indices})
    frames = {frame.index: frame for frame in frames_at(clip, wanted)}
    return [frames[int(i)] for i in indices]


def _drawn(heads: Heads) -> tuple[list[np.ndarray], list[np.ndarray]]:
    pictures, masks = [], []
    for head in heads:
        if head is None:
            pictures.append(np.full((CELL, CELL, 3), BACKDROP, np.uint8))
            masks.append(np.zeros((CELL, CELL, 3), np.uint8))
            continue
        shown = head.rgb * head.matte[..., None] + BACKDROP / 255 * (1 - head.matte[..., None])
        pictures.append((np.clip(shown, 0, 1) * 255).astype(np.uint8))
        masks.append((np.clip(head.matte, 0, 1)[..., None].repeat(3, 2) * 255).astype(np.uint8))
    return pictures, masks


def _laid_out(rows: list[tuple[str, list[np.ndarray]]], times: np.ndarray) -> np.ndarray:
    width = max(round(p.shape[1] * CELL / p.shape[0]) for _, pictures in rows for p in pictures)
    height = len(rows) * (CELL + LABEL)
    sheet = np.full((height, width * len(times), 3), BACKDROP, np.uint8)
    for row, (label, pictures) in enumerate(rows):
        top = row * (CELL + LABEL)
        for column, picture in enumerate(pictures):
            wide = round(picture.shape[1] * CELL / picture.shape[0])
            shrinking = picture.shape[0] > CELL
            cell = cv2.resize(picture, (wide, CELL), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
            left = column * width + (width - wide) // 2
            sheet[top + LABEL : top + LABEL + CELL, left : left + wide] = cell
            text = f"{label}  {times[column]:.2f} s"
            cv2.putText(sheet, text, (column * width + 4, top + 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (200,) * 3, 1, cv2.LINE_AA)
    return sheet


def write_sheet(sheet: np.ndarray, path: str | os.PathLike, overwrite: bool = False) -> Path:
    """Write a PNG, whole or not at all. Raises `BadInput` if it exists or cannot be written."""
    target = checked_target(path, overwrite)
    write_png(target, sheet)
    return target
