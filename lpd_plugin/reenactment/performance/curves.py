"""A performance drawn as curves over time, before and after it was edited."""

from __future__ import annotations

import cv2
import numpy as np

from ..pose import Pose

SHOWN = ("yaw", "pitch", "roll", "jaw", "smile", "blink")
PANEL = 96  # pixels of a curve's height
WIDTH = 960
LEFT, RIGHT, TOP, GAP, BOTTOM = 96, 16, 40, 10, 28  # pixels around and between the panels
LEAST_RANGE = 1.0  # spreads that a panel's height shows at least, so that noise does not look like motion
FINE = 4  # bits of a pixel that lines are placed by
GROUND, FRAME, GRID, WORDS = (28,) * 3, (70,) * 3, (48,) * 3, (205,) * 3
BEFORE, AFTER = (140,) * 3, (255, 176, 64)


def curves(before: Pose, after: Pose) -> np.ndarray:
    """uint8 RGB (H, 960, 3): one panel a movement over seconds, `before` grey, `after` orange, gaps where no head is seen.

    Yaw, pitch, roll, jaw, smile and blink in spreads of the training faces where the descriptor's parts are known, else
    the three directions in which `before` varies most (principal components), in spreads of its own.
    """
    panels = _movements(before, after)
    height = TOP + len(panels) * (PANEL + GAP) + BOTTOM
    sheet = np.full((height, WIDTH, 3), GROUND, np.uint8)
    seconds = max(before.duration, after.duration, 1e-3)
    _words(sheet, "before", (LEFT, 24), BEFORE)
    _words(sheet, "after", (LEFT + 80, 24), AFTER)
    for number, (name, old, new) in enumerate(panels):
        top = TOP + number * (PANEL + GAP)
        low, high = _reach(np.concatenate((old[before.present], new[after.present])))
        _grid(sheet, top, seconds, low, high, name)
        for pose, values, colour in ((before, old, BEFORE), (after, new, AFTER)):
            x = LEFT + pose.times / seconds * (WIDTH - LEFT - RIGHT)
            y = top + PANEL - (values - low) / (high - low) * PANEL
            _line(sheet, np.stack((x, y), 1), pose.present, colour)
    for second in _ticks(seconds):
        x = LEFT + second / seconds * (WIDTH - LEFT - RIGHT)
        _words(sheet, f"{second:g} s", (min(round(x) - 10, WIDTH - 44), height - 8), WORDS)
    return sheet


def _movements(before: Pose, after: Pose) -> list[tuple[str, np.ndarray, np.ndarray]]:
    if before.parts is not None:
        amount = before.parts.amount
        return [(name, amount(name, before.descriptors), amount(name, after.descriptors)) for name in SHOWN]
    seen = before.descriptors[before.present].astype(np.float64)
    middle = seen.mean(0)
    _, _, axes = np.linalg.svd(seen - middle, full_matrices=False)
    panels = []
    for number, axis in enumerate(axes[:3], 1):
        axis = axis * np.sign(axis[np.argmax(np.abs(axis))])  # a direction's sign is arbitrary; the same one every time
        unit = ((seen - middle) @ axis).std() + 1e-9
        panels.append((f"axis {number}", *((pose.descriptors - middle) @ axis / unit for pose in (before, after))))
    return panels


def _reach(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return -LEAST_RANGE / 2, LEAST_RANGE / 2
    middle, half = (values.min() + values.max()) / 2, max(np.ptp(values), LEAST_RANGE) * 0.54
    return float(middle - half), float(middle + half)


def _ticks(reach: float) -> np.ndarray:
    """Round numbers from 0 to `reach`, at most nine."""
    steps = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]
    step = next(s for s in steps if reach / s <= 8)
    return np.arange(int(reach / step + 1e-6) + 1) * step


def _grid(sheet: np.ndarray, top: int, seconds: float, low: float, high: float, name: str) -> None:
    right, bottom = WIDTH - RIGHT, top + PANEL
    for second in _ticks(seconds):
        x = round(LEFT + second / seconds * (right - LEFT))
        cv2.line(sheet, (x, top), (x, bottom), GRID, 1)
    step = max(1, round((high - low) / 4))
    for value in range(step * int(np.ceil(low / step)), int(np.floor(high)) + 1, step):
        y = round(bottom - (value - low) / (high - low) * PANEL)
        cv2.line(sheet, (LEFT, y), (right, y), FRAME if value == 0 else GRID, 1)
        _words(sheet, f"{value:+d}" if value else "0", (LEFT - 24, y + 4), BEFORE, 0.36)
    cv2.rectangle(sheet, (LEFT, top), (right, bottom), FRAME, 1)
    _words(sheet, name, (12, top + PANEL // 2 + 4), WORDS)


def _line(sheet: np.ndarray, points: np.ndarray, seen: np.ndarray, colour) -> None:
    rows = np.flatnonzero(seen)
    places = np.round(points * (1 << FINE)).astype(np.int32)
    for stretch in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        cv2.polylines(sheet, [places[stretch]], False, colour, 2, cv2.LINE_AA, FINE)


def _words(sheet: np.ndarray, text: str, place: tuple[int, int], colour, size: float = 0.45) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
