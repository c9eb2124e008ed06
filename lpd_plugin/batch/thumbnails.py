"""A few moments of what a job made, side by side, for the report."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from ..video.colour import picture_to_rgb
from ..video.images import SUFFIXES, read_picture
from ..video.pixel_formats import to_planar

MOMENTS, HEIGHT = 4, 90  # pictures, pixels
_CLIPS = {".mp4", ".m4v", ".mov", ".mkv", ".webm"}


def strip_of(files: Sequence[Path]) -> str:
    """A JPEG in base64 of the first file (or folder of images) that shows pictures; empty where none does."""
    for path in files:
        try:
            shown = [_small(picture_to_rgb(picture)) for picture in _moments(path)]
            if shown:
                data = cv2.imencode(".jpg", np.concatenate(shown, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
                return base64.b64encode(data.tobytes()).decode()
        except Exception:  # a report without a picture is still a report
            return ""
    return ""


def _moments(path: Path) -> Iterator[av.VideoFrame]:
    """Pictures spread over a file or folder; none where it shows nothing."""
    if path.is_dir():
        files = sorted(path.iterdir(), key=lambda file: (len(file.name), file.name))
        for number in sorted({round(n) for n in np.linspace(0, len(files) - 1, MOMENTS)}):
            yield read_picture(os.fspath(files[number]))[0]
    elif path.suffix.lower() in SUFFIXES:
        yield read_picture(os.fspath(path))[0]
    elif path.suffix.lower() in _CLIPS:
        yield from _key_frames(path)


def _key_frames(path: Path) -> Iterator[av.VideoFrame]:
    """The key frames before a few moments: others cost the decoding of all between."""
    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        length, seen = container.duration or 0, set()
        for moment in range(MOMENTS):
            container.seek(length * moment // MOMENTS)
            picture = next(container.decode(stream), None)
            if picture is not None and picture.pts not in seen:
                seen.add(picture.pts)
                yield to_planar(picture)


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.resize(picture, (max(1, round(width * HEIGHT / height)), HEIGHT), interpolation=cv2.INTER_AREA)
