"""A pose descriptor for tests that any picture has: how bright its quarters are."""

from __future__ import annotations

import numpy as np

from lpd_plugin.learning.pose_sources import pose_descriptor
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox

DARK = 12  # mean of a picture in which the test's descriptor sees no face
calls: list[int] = []  # how many crops it was asked about, call by call


@pose_descriptor("quarters", size=5)
def open_quarters(_file):
    """How bright each quarter of the crop is, and a number that never varies."""

    def describe(crops):
        calls.append(len(crops))
        half = crops.shape[1] // 2
        parts = (crops[:, :half, :half], crops[:, :half, half:], crops[:, half:, :half], crops[:, half:, half:])
        values = np.stack([part.mean((1, 2, 3)) / 255 for part in parts] + [np.full(len(crops), 0.25)], 1)
        values[crops.mean((1, 2, 3)) < DARK] = np.nan
        return values

    return describe


@pose_descriptor("scaled quarters", size=5, file="a number as text")
def open_scaled(file):
    factor, describe = float(file.read_text()), open_quarters(None)
    return lambda crops: factor * describe(crops)


def crops_of(pictures: np.ndarray) -> np.ndarray:
    return np.stack([crop_square(picture, CropBox(0, 0, len(picture)), 256) for picture in pictures])


def talking_man(carphone) -> np.ndarray:
    """The talking man as square frames (12, 128, 128, 3), of which the last four are dark."""
    frames = [crop_square(f.rgb(), CropBox(25, 5, 110), 128) for f in open_clip(carphone).frames()][:96:8]
    return np.stack(frames[:8] + [np.zeros_like(frames[0])] * 4)
