"""OpenCV's cascades: frontal, profile from both sides, and tilted copies. Not in OpenCV 5 without contrib."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .detectors import Detection, without_duplicates

WORKING_SIDE = 400  # longer side of the picture that is searched, pixels
TILTS = (-40, -20, 20, 40)  # degrees
SCORES = {"frontal": 0.7, "profile": 0.55, "tilted": 0.5}


def cascades_available() -> bool:
    """Whether this cv2 has cascades and their files."""
    return hasattr(cv2, "CascadeClassifier") and _file("haarcascade_frontalface_alt2.xml").is_file()


def _file(name: str) -> Path:
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    return Path(folder) / name


class CascadeDetector:
    """Stops at the first kind of search that finds a face: upright frontal, profiles, tilted copies."""

    name = "cascade"

    def __init__(self, working_side: int = WORKING_SIDE, tilted: bool = True):
        self.working_side = working_side
        self.searches = (self._frontal, self._profiles, self._tilted)[: 3 if tilted else 2]
        self.frontal = cv2.CascadeClassifier(str(_file("haarcascade_frontalface_alt2.xml")))
        self.profile = cv2.CascadeClassifier(str(_file("haarcascade_profileface.xml")))

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        scale = self.working_side / max(rgb.shape[:2])
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale, interpolation=interpolation)
        grey = cv2.equalizeHist(grey)
        for search in self.searches:
            found = without_duplicates(search(grey))
            if found:
                return [Detection(tuple(v / scale for v in one.box), one.score, one.source) for one in found]
        return []

    def _search(self, cascade, grey: np.ndarray, neighbours: int) -> np.ndarray:
        smallest = max(24, min(grey.shape[:2]) // 10)
        found = cascade.detectMultiScale(grey, 1.1, neighbours, minSize=(smallest, smallest))
        return np.asarray(found, np.float64).reshape(-1, 4)

    def _frontal(self, grey: np.ndarray) -> list[Detection]:
        return [_calibrated(box, "frontal") for box in self._search(self.frontal, grey, 4)]

    def _profiles(self, grey: np.ndarray) -> list[Detection]:
        found = [_calibrated(box, "profile") for box in self._search(self.profile, grey, 4)]
        width = grey.shape[1]
        for one in (_calibrated(box, "profile") for box in self._search(self.profile, grey[:, ::-1].copy(), 4)):
            left, top, right, bottom = one.box
            found.append(Detection((width - right, top, width - left, bottom), one.score, one.source))
        return found

    def _tilted(self, grey: np.ndarray) -> list[Detection]:
        height, width = grey.shape
        diagonal = int(np.ceil(np.hypot(height, width)))
        found = []
        for tilt in TILTS:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
            turn[:, 2] += (diagonal - width) / 2, (diagonal - height) / 2
            turned = cv2.warpAffine(grey, turn, (diagonal, diagonal))
            back = cv2.invertAffineTransform(turn)
            for box in self._search(self.frontal, turned, 5):
                left, top, right, bottom = _calibrated(box, "tilted").box
                x, y = (back @ ((left + right) / 2, (top + bottom) / 2, 1.0)).tolist()
                half_width, half_height = (right - left) / 2, (bottom - top) / 2
                box = (x - half_width, y - half_height, x + half_width, y + half_height)
                found.append(Detection(box, SCORES["tilted"], self.name))
        return found


# Per kind of search: how far the centre has to move right and down, and the box's width and height, all
# over the cascade's own side. Medians against YuNet's boxes (score > 0.6) over every 7th frame of the
# shared footage and every 10th of the val heads: 434 frontal, 12 tilted, 2 profile faces; the 10th and
# 90th percentiles lie 0.06 (centre) and 0.1 (size) around them. With so few, profile is a rough guess.
CALIBRATION = {"frontal": (0.0, 0.015, 0.79, 1.08), "profile": (0.0, 0.04, 0.7, 1.0), "tilted": (0.0, 0.04, 0.82, 1.01)}


def _calibrated(box: np.ndarray, kind: str) -> Detection:
    left, top, side, _ = box.tolist()
    right_share, down_share, width, height = CALIBRATION[kind]
    x, y = left + side * (0.5 + right_share), top + side * (0.5 + down_share)
    half_width, half_height = side * width / 2, side * height / 2
    return Detection((x - half_width, y - half_height, x + half_width, y + half_height), SCORES[kind], "cascade")
