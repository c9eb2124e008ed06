"""The judges of `lpd evaluate`, for benchmarks: a folder's face recogniser and face landmarker.

Needs onnxruntime and mediapipe (pip install "lpd[evaluate]", in an environment of their own) and a folder with
MobileFaceNet.onnx and face_landmarker.task.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lpd_plugin.evaluation.judges import mediapipe_landmarker
from lpd_plugin.evaluation.judges.base import MOVEMENTS
from lpd_plugin.evaluation.judges.registry import found_judges, open_judges
from lpd_plugin.evaluation.measures.landmarks import OUTER_EYES, landmark_error

__all__ = ["MOVEMENTS", "FaceJudges", "landmark_error", "movements", "turn_and_opening"]


class FaceJudges:
    """Unit embeddings (for identity) and 478 landmarks (for pose and expression) of 256 px head pictures."""

    def __init__(self, models: Path):
        self.judges = open_judges(found_judges(models))

    def landmarks(self, rgb: np.ndarray) -> np.ndarray | None:
        """(478, 2) pixels in a uint8 RGB picture (H, W, 3), or None where no face is seen."""
        face = self.judges.landmarker.look(rgb)
        return None if face is None else face.landmarks

    def look(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Landmarks (478, 2) in pixels and movements (7,), see MOVEMENTS, of a uint8 RGB picture; None without a face."""
        face = self.judges.landmarker.look(rgb)
        return None if face is None else (face.landmarks, face.movements)

    def embedding(self, rgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Unit vector of the face whose landmarks (478, 2) these are."""
        return self.judges.recogniser.embedding(rgb, landmarks)


def movements(matrix, blendshapes) -> np.ndarray:
    """(7,): yaw, pitch, roll in radians from a head matrix (4, 4), the rest from 52 blendshapes in [0, 1]."""
    return mediapipe_landmarker.movements(matrix, {c.category_name: c.score for c in blendshapes})


def turn_and_opening(landmarks: np.ndarray) -> np.ndarray:
    """What can be compared between two people (4,): turn, nod, tilt (ratios and radians) and the mouth's opening.

    The nose tip's place between and below the outer eyes, the eye line's angle, and the inner lips' distance,
    all over the outer-eye distance.
    """
    left, right = landmarks[list(OUTER_EYES)]
    across = right - left
    length = np.linalg.norm(across)
    along, down = across / length, np.array([-across[1], across[0]]) / length
    nose = landmarks[1] - (left + right) / 2
    opening = np.linalg.norm(landmarks[13] - landmarks[14]) / length
    return np.array([nose @ along / length, nose @ down / length, np.arctan2(across[1], across[0]), opening])
