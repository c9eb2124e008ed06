"""Image files and arrays as pictures."""

from __future__ import annotations

import os
from dataclasses import replace

import av
import cv2
import numpy as np

from ..errors import BadInput
from .colour import SRGB, UNSPECIFIED
from .container import checked_file
from .planes import picture_from_planes

_SRGB_GREY = replace(SRGB, matrix=UNSPECIFIED)
SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .bmp .dib .tif .tiff .webp .jp2 .avif .pbm .pgm .ppm .pnm .pxm .exr .hdr .pic .sr .ras".split()
)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The picture of an image file, upright as its EXIF says.

    uint8 or uint16 (floating-point files: 0..1 becomes 0..65535), shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA with
    straight alpha. Raises BadInput when the file is missing or no image.
    """
    path = checked_file(path)
    data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name on every system
    stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise BadInput(f"{path} is not an image that can be read: open it in an image program and save it as PNG.")
    upright = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if stored.ndim == 3 and stored.shape[2] == 4:
        alpha = _turned_alike(stored[..., 3], stored[..., :3], upright)
        upright = np.dstack([upright, alpha]) if upright.ndim == 3 else np.dstack([upright] * 3 + [alpha])
    return _integers(_rgb_order(upright))


def _turned_alike(alpha: np.ndarray, stored: np.ndarray, upright: np.ndarray) -> np.ndarray:
    """Alpha turned as OpenCV turned the colours: it applies EXIF only to what it reads without alpha."""
    for turns in range(4):
        for mirrored in (False, True):
            way = (lambda a: np.rot90(a, turns)[:, ::-1]) if mirrored else (lambda a: np.rot90(a, turns))
            if np.array_equal(way(stored), upright):
                return way(alpha)
    return alpha


def _rgb_order(bgr: np.ndarray) -> np.ndarray:
    if bgr.ndim == 2:
        return bgr
    return bgr[..., [2, 1, 0, 3][: bgr.shape[2]]] if bgr.shape[2] > 1 else bgr[..., 0]


def _integers(values: np.ndarray) -> np.ndarray:
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype.kind != "f":
        values = values.astype(np.float32) / np.iinfo(values.dtype).max
    return unit_to_integers(values, 16)


def unit_to_integers(values: np.ndarray, bits: int) -> np.ndarray:
    """Floats in 0..1 as uint8 (bits 8) or uint16 over the full range, rounded; what is outside or NaN is clipped."""
    top = (1 << bits) - 1
    scaled = np.clip(np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0) * top
    return (scaled + 0.5).astype(np.uint8 if bits == 8 else np.uint16)


def image_to_picture(image: np.ndarray) -> av.VideoFrame:
    """A planar picture from what `read_image` gives: grey, GBR or GBRA of 8 or 16 bits, full range, sRGB tags.

    Grey carries no matrix, since there is nothing to convert.
    """
    suffix = "" if image.dtype == np.uint8 else "16le"
    if image.ndim == 2:
        return picture_from_planes([image], f"gray{suffix}", _SRGB_GREY)
    red, green, blue, *alpha = (image[..., channel] for channel in range(image.shape[2]))
    return picture_from_planes([green, blue, red, *alpha], f"{'gbrap' if alpha else 'gbrp'}{suffix}", SRGB)

