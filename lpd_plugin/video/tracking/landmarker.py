"""MediaPipe's face landmarker, where the user has the package and the model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from .detectors import Detection

# From the landmarks' extent to YuNet's box: how far the centre has to move right and down, and the
# width and height, all over the extent's own width and height. Medians of 349 faces of the shared heads
# and footage (YuNet's score > 0.6, mediapipe 1.2.2); 10th and 90th percentiles lie 0.03 to 0.05 around.
CALIBRATION = (0.0, -0.07, 0.97, 1.148)
SCORE = 0.8  # the landmarker gives none


class LandmarkerDetector:
    """`path`: face_landmarker.task. Raises BadInput where it or the package is missing."""

    name = "landmarker"

    def __init__(self, path: str | Path, faces: int = 4):
        if not Path(path).is_file():
            raise BadInput(f"There is no face landmarker file at {path}: check the path.")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise BadInput("The face landmarker needs the package mediapipe: install it or use another detector.") from error
        self.mediapipe = mediapipe
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=faces,
        )
        try:
            self.network = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"{path} is not a face landmarker that mediapipe can read: choose another.") from error

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        image = self.mediapipe.Image(
            image_format=self.mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb, dtype=np.uint8)
        )
        size = np.array(rgb.shape[1::-1], np.float64)
        found = []
        for points in self.network.detect(image).face_landmarks:
            places = np.array([(point.x, point.y) for point in points]) * size
            found.append(Detection(_framed(places.min(axis=0), places.max(axis=0)), SCORE, self.name))
        return sorted(found, key=lambda one: -one.side)


def _framed(low: np.ndarray, high: np.ndarray) -> tuple[float, float, float, float]:
    extent = high - low
    centre = (low + high) / 2 + extent * CALIBRATION[:2]
    half = extent * CALIBRATION[2:] / 2
    return (*(centre - half).tolist(), *(centre + half).tolist())
