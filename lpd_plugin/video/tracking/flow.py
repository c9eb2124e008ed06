"""Carrying a face box from one picture to the next by the motion of the points in it; and seeing cuts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WORKING_SIDE = 480  # longer side of the grey picture that motion is measured in, pixels
POINTS = 80
FORWARD_BACKWARD = 1.0  # pixels of the working picture a point may miss its start by, going there and back
FEWEST = 6  # points that a motion is believed from


@dataclass
class Motion:
    """Where a box went. confidence in [0, 1]: the share of its points that moved as one."""

    box: tuple[float, float, float, float]
    confidence: float


class GreyPicture:
    """A picture reduced for measuring motion; `scale` is its pixels over the footage's."""

    def __init__(self, rgb: np.ndarray):
        height, width = rgb.shape[:2]
        self.scale = min(1.0, WORKING_SIDE / max(height, width))
        small = rgb
        if self.scale < 1:
            small = cv2.resize(rgb, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA)
        self.grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        self.thumbnail = cv2.resize(small, (48, 27), interpolation=cv2.INTER_AREA).astype(np.float32)


def carried(before: GreyPicture, after: GreyPicture, box: tuple[float, float, float, float]) -> Motion | None:
    """The box one picture later, by Lucas-Kanade points inside it and a robust similarity; None where lost.

    Points that do not return to their start when followed back are not believed (forward-backward
    error: Kalal, Mikolajczyk, Matas, "Forward-Backward Error", 2010).
    """
    left, top, right, bottom = (v * before.scale for v in box)
    start = _points(before.grey, (left, top, right, bottom))
    if start is None or len(start) < FEWEST:
        return None
    window = int(np.clip(0.25 * max(right - left, bottom - top), 9, 21)) | 1
    settings = {"winSize": (window, window), "maxLevel": 3}
    end, seen, _ = cv2.calcOpticalFlowPyrLK(before.grey, after.grey, start, None, **settings)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(after.grey, before.grey, end, None, **settings)
    missed = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
    good = (seen.ravel() > 0) & (seen_back.ravel() > 0) & (missed < FORWARD_BACKWARD)
    if good.sum() < FEWEST:
        return None
    matrix, agreeing = cv2.estimateAffinePartial2D(start[good], end[good], method=cv2.RANSAC, ransacReprojThreshold=2.0)
    if matrix is None:
        return None
    growth = float(np.clip(np.hypot(matrix[0, 0], matrix[1, 0]), 0.93, 1.07))
    x, y = matrix @ ((left + right) / 2, (top + bottom) / 2, 1.0)
    half_width, half_height = (right - left) / 2 * growth, (bottom - top) / 2 * growth
    moved = (x - half_width, y - half_height, x + half_width, y + half_height)
    confidence = float(agreeing.sum()) / len(start)
    return Motion(tuple(float(v) / before.scale for v in moved), confidence)


def _points(grey: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray | None:
    """Corners inside the box's ellipse: the box's own corners show background, which moves otherwise."""
    left, top, right, bottom = box
    height, width = grey.shape
    x0, y0, x1, y1 = max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    part = np.ascontiguousarray(grey[y0:y1, x0:x1])
    mask = np.zeros(part.shape, np.uint8)
    centre = ((left + right) / 2 - x0, (top + bottom) / 2 - y0)
    cv2.ellipse(mask, (centre, (0.9 * (right - left), 0.95 * (bottom - top)), 0.0), 255, -1)
    spacing = max(2.0, (right - left) / 14)
    points = cv2.goodFeaturesToTrack(part, POINTS, 0.005, spacing, mask=mask, blockSize=3)
    return None if points is None else points + np.float32([x0, y0])


class CutWatch:
    """Tells where one shot ends and another begins: the picture changes at once and far more than just before."""

    def __init__(self, smallest: float = 22.0, ratio: float = 4.0):
        self.smallest, self.ratio = smallest, ratio
        self.before: np.ndarray | None = None
        self.left: np.ndarray | None = None  # the last picture of the shot before this one
        self.usual = 0.0
        self.came_back = False  # whether the newest cut leads back to the shot before the last one

    def is_cut(self, picture: GreyPicture) -> bool:
        """Whether `picture` begins a new shot; pictures have to come in order."""
        thumbnail = picture.thumbnail
        before, self.before = self.before, thumbnail
        if before is None:
            return False
        change = float(np.abs(thumbnail - before).mean())
        cut = change > max(self.smallest, self.ratio * self.usual)
        if cut:
            self.came_back = self.left is not None and float(np.abs(thumbnail - self.left).mean()) < self.smallest
            self.left = before
        self.usual = 0.0 if cut else 0.8 * self.usual + 0.2 * change
        return cut
