"""Judges from outside the product: a face recogniser and a face landmarker that nothing here was trained on.

Needs onnxruntime and mediapipe (in an environment of their own: mediapipe brings another cv2) and a folder with
MobileFaceNet.onnx and face_landmarker.task.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

# Eye centres, nose tip, mouth corners in a 112 x 112 face; the landmarker's points they are means of.
ALIGNED = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
POINTS = ((33, 133), (362, 263), (1,), (61,), (291,))
OUTER_EYES = (33, 263)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class FaceJudges:
    """Unit embeddings (for identity) and 478 landmarks (for pose and expression) of 256 px head pictures."""

    def __init__(self, models: Path):
        import mediapipe as mp
        import onnxruntime
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.recogniser = onnxruntime.InferenceSession(str(models / "MobileFaceNet.onnx"), options)
        base = tasks.BaseOptions(model_asset_path=str(models / "face_landmarker.task"))
        options = vision.FaceLandmarkerOptions(
            base_options=base, output_face_blendshapes=True, output_facial_transformation_matrixes=True
        )
        self.landmarker = vision.FaceLandmarker.create_from_options(options)
        self._image = lambda rgb: mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))

    def landmarks(self, rgb: np.ndarray) -> np.ndarray | None:
        """(478, 2) pixels in a uint8 RGB picture (H, W, 3), or None where no face is seen."""
        faces = self.landmarker.detect(self._image(rgb)).face_landmarks
        return np.array([(p.x, p.y) for p in faces[0]]) * rgb.shape[1::-1] if faces else None

    def look(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Landmarks (478, 2) in pixels and movements (7,), see MOVEMENTS, of a uint8 RGB picture; None without a face."""
        found = self.landmarker.detect(self._image(rgb))
        if not found.face_landmarks:
            return None
        points = np.array([(p.x, p.y) for p in found.face_landmarks[0]]) * rgb.shape[1::-1]
        return points, movements(found.facial_transformation_matrixes[0], found.face_blendshapes[0])

    def embedding(self, rgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Unit vector of the face whose landmarks (478, 2) these are."""
        five = np.array([landmarks[list(rows)].mean(0) for rows in POINTS])
        matrix, _ = cv2.estimateAffinePartial2D(five.astype(np.float32), ALIGNED.astype(np.float32), method=cv2.LMEDS)
        face = cv2.warpAffine(rgb, matrix, (112, 112)) / 255
        batch = np.stack([face, face[:, ::-1]])
        batch = ((batch - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
        name = self.recogniser.get_inputs()[0].name
        total = sum(self.recogniser.run(None, {name: one[None]})[0][0] for one in batch)
        return total / np.linalg.norm(total)


MOVEMENTS = ("yaw", "pitch", "roll", "jaw", "blink", "smile", "gaze")


def movements(matrix, blendshapes) -> np.ndarray:
    """(7,): yaw, pitch, roll in radians from a head matrix (4, 4), the rest from 52 blendshapes in [0, 1]."""
    r, shapes = np.array(matrix)[:3, :3], {c.category_name: c.score for c in blendshapes}

    def both(name: str) -> float:
        return (shapes[name + "Left"] + shapes[name + "Right"]) / 2

    sideways = shapes["eyeLookOutLeft"] - shapes["eyeLookInLeft"] + shapes["eyeLookInRight"] - shapes["eyeLookOutRight"]
    turn = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0])), np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    return np.array([*turn, shapes["jawOpen"], both("eyeBlink"), both("mouthSmile"), sideways])


def landmark_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of landmarks (478, 2) over the wanted face's outer-eye distance."""
    eyes = np.linalg.norm(np.subtract(*wanted[list(OUTER_EYES)]))
    return float(np.linalg.norm(found - wanted, axis=1).mean() / eyes)


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
