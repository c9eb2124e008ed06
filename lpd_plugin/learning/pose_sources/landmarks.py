"""The pose of FSTH+: where 68 points of the face are in the crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.video_files import resized
from ..face_marks import POINTS, point_finder
from .registry import Describe, pose_descriptor

SIDE = 256  # pixels: dlib's detector sees no face smaller than 80, and answers in whole pixels


@pose_descriptor("landmarks", size=2 * POINTS)
def open_landmarks(_file: Path | None) -> Describe:
    """x and y of each point in turn, in sides of the crop from its middle (-0.5 to 0.5): as in the release, neither
    centred on the face nor scaled by it, so that place, size and tilt of the head count. dlib's points of a face that
    dlib sees. Raises `BadInput` without the packages."""
    find = point_finder(need_face=True)

    def describe(crops: np.ndarray) -> np.ndarray:
        values = np.full((len(crops), 2 * POINTS), np.nan, np.float32)
        for row, crop in enumerate(resized(crops, SIDE)):
            points = find(crop)
            if points is not None:
                values[row] = points.ravel() - 0.5
        return values

    return describe
