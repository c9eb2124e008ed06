"""Between planar pictures and float arrays in linear light, for OpenEXR."""

from __future__ import annotations

import av
import numpy as np

from .clip import ColourTags
from .colour import FULL, RGB_MATRIX, coded_rgb
from .planes import tags_of
from .transfer import LINEAR, to_linear


def linear_rgba(picture: av.VideoFrame, premultiplied: bool = False) -> np.ndarray:
    """Linear light, float32 (height, width, 3 or 4), premultiplied, by the picture's own tags.

    premultiplied: whether the picture's colours, as coded, are multiplied by its alpha. Codes beyond black and white
    give values beyond 0 and 1. See `transfer.py` for what 1 is.
    """
    rgb, alpha = coded_rgb(picture)
    if alpha is not None and premultiplied:
        rgb = rgb / np.maximum(alpha, 1e-4)[..., None]
    rgb = to_linear(rgb, tags_of(picture).transfer)
    return rgb if alpha is None else np.dstack([rgb * alpha[..., None], alpha])


def float_picture(linear: np.ndarray, tags: ColourTags) -> av.VideoFrame:
    """What FFmpeg's EXR encoder takes: planar float GBR or GBRA of an array as `linear_rgba` gives it."""
    height, width, channels = linear.shape
    picture = av.VideoFrame(width, height, "gbrapf32le" if channels == 4 else "gbrpf32le")
    for plane, channel in zip(picture.planes, (1, 2, 0, 3)):
        lines = np.frombuffer(plane, np.float32).reshape(height, -1)
        lines[:, :width] = linear[..., channel]
    picture.color_range, picture.colorspace = FULL, RGB_MATRIX
    picture.color_primaries, picture.color_trc = tags.primaries, LINEAR
    return picture
