"""MediaPipe's face landmarker (face_landmarker.task): 478 points, 52 blendshapes, a head matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput
from .base import Face, Landmarker
from .registry import PlugIn


class MediapipeLandmarker(Landmarker):
    """Raises `ImportError` without mediapipe, `BadInput` for a file that it does not read."""

    def __init__(self, path: Path):
        import mediapipe as mp
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(path)),
            output_face_blendshapes=True, output_facial_transformation_matrixes=True,
        )  # fmt: skip
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"mediapipe cannot use {path} as a face landmarker ({str(error).splitlines()[0]}).") from error
        self._image = lambda rgb: mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))

    def look(self, rgb: np.ndarray) -> Face | None:
        found = self._landmarker.detect(self._image(rgb))
        if not found.face_landmarks:
            return None
        points = np.array([(p.x, p.y) for p in found.face_landmarks[0]]) * rgb.shape[1::-1]
        shapes = {c.category_name: c.score for c in found.face_blendshapes[0]}
        return Face(points, movements(found.facial_transformation_matrixes[0], shapes), np.array(list(shapes.values())))

    def close(self) -> None:
        self._landmarker.close()


def movements(matrix: np.ndarray, shapes: dict[str, float]) -> np.ndarray:
    """(7,), see MOVEMENTS: angles in radians from a head matrix (4, 4), the rest from blendshapes by name in [0, 1].

    yaw = atan2(-r20, |(r00, r10)|), pitch = atan2(r21, r22), roll = atan2(r10, r00); jaw = jawOpen; blink and smile: the
    mean of both sides; gaze = lookOutLeft - lookInLeft + lookInRight - lookOutRight.
    """
    r = np.array(matrix)[:3, :3]

    def both(name: str) -> float:
        return (shapes[name + "Left"] + shapes[name + "Right"]) / 2

    sideways = shapes["eyeLookOutLeft"] - shapes["eyeLookInLeft"] + shapes["eyeLookInRight"] - shapes["eyeLookOutRight"]
    turn = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0])), np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    return np.array([*turn, shapes["jawOpen"], both("eyeBlink"), both("mouthSmile"), sideways])


PLUG_IN = PlugIn("mediapipe", "landmarker", "face_landmarker*.task", ".task", MediapipeLandmarker)
