"""A few moments of what a job made, side by side, for the report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..video.images import SUFFIXES
from ..video.open import open_clip

MOMENTS, HEIGHT = 4, 90  # pictures, pixels
_SHOWN = {".mp4", ".m4v", ".mov", ".mkv", ".webm"}


def strip_of(files: Sequence[Path]) -> str:
    """A JPEG in base64 of the first file (or folder of images) that shows pictures; empty where none does."""
    for path in files:
        if path.is_dir() or path.suffix.lower() in _SHOWN | set(SUFFIXES):
            try:
                return _strip(path)
            except Exception:  # a report without a picture is still a report
                return ""
    return ""


def _strip(path: Path) -> str:
    clip = open_clip(path)
    count = clip.info.frame_count or len(clip.timestamps())
    numbers = sorted({round(n) for n in np.linspace(0, count - 1, min(MOMENTS, count))})
    shown = [_small(next(iter(clip.frames(number))).rgb()) for number in numbers]
    done, data = cv2.imencode(".jpg", np.concatenate(shown, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return base64.b64encode(data.tobytes()).decode() if done else ""


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.resize(picture, (max(1, round(width * HEIGHT / height)), HEIGHT), interpolation=cv2.INTER_AREA)
