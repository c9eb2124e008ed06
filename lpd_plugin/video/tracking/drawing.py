"""The track drawn into a picture, to look at."""

from __future__ import annotations

import cv2
import numpy as np

from ..crop import face_box_of
from ..track import CropBox, Origin

COLOURS = {
    Origin.DETECTED: (60, 220, 90),
    Origin.TRACKED: (80, 170, 255),
    Origin.INTERPOLATED: (255, 190, 40),
    Origin.MANUAL: (230, 80, 230),
}


def draw_track(rgb: np.ndarray, box: CropBox | None, origin: int) -> np.ndarray:
    """A copy of uint8 RGB (H, W, 3) with the crop square, the face box within, and how it was found."""
    picture = np.ascontiguousarray(rgb).copy()
    label, colour = Origin(origin).name.lower(), COLOURS.get(Origin(origin), (230, 60, 60))
    width = max(1, round(max(rgb.shape[:2]) / 400))
    if box is not None:
        for left, top, right, bottom in ((box.left, box.top, box.left + box.side, box.top + box.side), face_box_of(box)):
            corners = (round(left), round(top)), (round(right), round(bottom))
            cv2.rectangle(picture, *corners, colour, width)
    scale = max(0.35, max(rgb.shape[:2]) / 1200)
    cv2.putText(picture, label, (round(8 * scale), round(30 * scale)), 0, scale, colour, width, cv2.LINE_AA)
    return picture
