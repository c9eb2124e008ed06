"""YuNet from an ONNX file that the user has: the detector whose boxes the crop rule was built on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...errors import BadInput
from .detectors import Detection

WORKING_SIDE = 640  # longer side searched, pixels, as for the training crops


class YuNetDetector:
    """`path`: yunet_n_640_640.onnx or a later one. Raises BadInput where it cannot be used."""

    name = "yunet"

    def __init__(self, path: str | Path, threshold: float = 0.6):
        if not hasattr(cv2, "FaceDetectorYN"):
            raise BadInput(f"This OpenCV ({cv2.__version__}) cannot run YuNet: install one with the objdetect module.")
        if not Path(path).is_file():
            raise BadInput(f"There is no YuNet file at {path}: check the path.")
        try:
            self.network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), threshold, 0.3, 50)
        except cv2.error as error:
            raise BadInput(f"{path} is not a YuNet ONNX file that OpenCV can read: choose another.") from error

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        scale = min(1.0, WORKING_SIDE / max(rgb.shape[:2]))
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        if scale < 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self.network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self.network.detect(bgr)
        found = []
        for left, top, width, height, *_, score in [] if rows is None else rows.tolist():
            box = tuple(v / scale for v in (left, top, left + width, top + height))
            found.append(Detection(box, score, self.name))
        return sorted(found, key=lambda one: -one.score)
