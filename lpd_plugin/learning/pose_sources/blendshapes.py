"""The pose of 3DMM+: what the face does as blendshape coefficients, and how the head is held in space."""

from __future__ import annotations

import atexit
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ..data.video_files import resized
from .registry import Describe, pose_descriptor

COEFFICIENTS = 52  # 0 to 1, in MediaPipe's order, the first of them for "neutral"
SIDE = 256  # pixels
FACES = 2  # looked at in a crop: the one in the middle counts


@pose_descriptor("blendshapes", size=COEFFICIENTS + 6 + 3, file="MediaPipe's face_landmarker.task")
def open_blendshapes(file: Path) -> Describe:
    """52 coefficients; the head's rotation as the first two columns of its matrix (Zhou et al. 2019: continuous, unlike
    angles); its place in centimetres as MediaPipe's camera sees it, whose depth is the size in the crop.

    Raises `BadInput` without the package mediapipe, or if it cannot read the file.
    """
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise BadInput("The pose descriptor 'blendshapes' needs the package mediapipe: pip install mediapipe.") from error
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(file)), running_mode=vision.RunningMode.IMAGE, num_faces=FACES,
        output_face_blendshapes=True, output_facial_transformation_matrixes=True,
    )  # fmt: skip
    try:
        network = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"{file} is not a face landmarker that mediapipe can read: choose another.") from error
    # Kept until the process ends, when it would close itself by threads that are gone, and complain.
    atexit.register(setattr, network, "close", lambda: None)

    def describe(crops: np.ndarray) -> np.ndarray:
        values = np.full((len(crops), COEFFICIENTS + 9), np.nan, np.float32)
        for row, crop in enumerate(resized(crops, SIDE)):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(crop))
            faces = network.detect(image)
            found = zip(faces.face_blendshapes, faces.facial_transformation_matrixes)
            each = [_numbers([shape.score for shape in shapes], matrix) for shapes, matrix in found]
            if each:
                values[row] = min(each, key=lambda numbers: np.abs(numbers[-3:-1]).max())
        return values

    return describe


def _numbers(coefficients: list[float], matrix: np.ndarray) -> np.ndarray:
    """One face's descriptor from its coefficients and the 4x4 matrix that puts the head before the camera."""
    columns = np.asarray(matrix)[:3, :2]
    rotation = columns / np.linalg.norm(columns, axis=0)
    return np.concatenate((coefficients, rotation.T.ravel(), np.asarray(matrix)[:3, 3]))
