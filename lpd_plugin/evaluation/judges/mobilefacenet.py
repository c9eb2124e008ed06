"""MobileFaceNet (foamliu's, as ONNX) through onnxruntime: a face recogniser."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...errors import BadInput
from ..measures.landmarks import similarity
from .base import Recogniser
from .registry import PlugIn

SIDE = 112
# Eye centres, nose tip, mouth corners in a face as it was trained on; the landmarker's points they are means of.
ALIGNED = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
POINTS = ((33, 133), (362, 263), (1,), (61,), (291,))
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class MobileFaceNet(Recogniser):
    """Raises `ImportError` without onnxruntime, `BadInput` for a file that is no recogniser of 112 px faces."""

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options)
        except Exception as error:  # onnxruntime has a class of its own for every way to fail
            raise BadInput(f"onnxruntime cannot open {path} ({str(error).splitlines()[0]}).") from error
        first = self._session.get_inputs()[0]
        if list(first.shape[1:]) != [3, SIDE, SIDE]:
            raise BadInput(f"{path} takes {first.shape}, not faces of 3x{SIDE}x{SIDE}: it needs a judge of its own.")
        self._input = first.name

    def embedding(self, rgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        five = np.array([landmarks[list(rows)].mean(0) for rows in POINTS])
        matrix = similarity(five, ALIGNED)
        face = cv2.warpAffine(rgb, matrix, (SIDE, SIDE)) / 255
        batch = ((np.stack([face, face[:, ::-1]]) - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
        total = sum(self._session.run(None, {self._input: one[None]})[0][0] for one in batch)
        return total / max(float(np.linalg.norm(total)), 1e-12)


PLUG_IN = PlugIn("mobilefacenet", "recogniser", "mobilefacenet*.onnx", ".onnx", MobileFaceNet)
