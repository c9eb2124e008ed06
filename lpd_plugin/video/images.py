"""Image files and arrays as pictures."""

from __future__ import annotations

import os
from dataclasses import replace

import av
import cv2
import numpy as np

from ..errors import BadInput
from .clip import ColourTags
from .colour import SRGB, UNSPECIFIED
from .container import checked_file
from .image_tags import tags_in
from .planes import picture_from_planes, set_tags, tags_of
from .transfer import from_linear

_SRGB_GREY = replace(SRGB, matrix=UNSPECIFIED)
SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .bmp .dib .tif .tiff .webp .jp2 .avif .pbm .pgm .ppm .pnm .pxm .exr .hdr .pic .sr .ras".split()
)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The picture of an image file, upright as its EXIF says.

    uint8 or uint16 (floating-point files: 0..1 becomes 0..65535), shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA with
    straight alpha. OpenEXR's linear light is coded by the curve that its attribute `lpd_colour` names, else sRGB's.
    Raises BadInput when the file is missing or no image.
    """
    return _read(checked_file(path))[0]


def read_picture(path: str | os.PathLike) -> tuple[av.VideoFrame, dict[str, str]]:
    """The picture of an image file as `image_to_picture` makes it, and the texts in it (see `image_tags.py`).

    Primaries and transfer are those that a file of ours names (`lpd_colour`). Raises like `read_image`.
    """
    image, texts = _read(checked_file(path))
    picture = image_to_picture(image)
    if (named := _named_colour(texts)) is not None:
        set_tags(picture, replace(tags_of(picture), primaries=named.primaries, transfer=named.transfer))
    return picture, texts


def _read(path: str) -> tuple[np.ndarray, dict[str, str]]:
    data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name on every system
    texts = tags_in(data.tobytes()) if path.lower().endswith((".png", ".tif", ".tiff", ".exr")) else {}
    if path.lower().endswith(".exr"):
        named = _named_colour(texts)
        return _read_exr(path, data, SRGB.transfer if named is None else named.transfer), texts
    return _decoded(path, data), texts


def _named_colour(texts: dict[str, str]) -> ColourTags | None:
    try:
        primaries, transfer = map(int, texts.get("lpd_colour", "").split())
    except ValueError:
        return None
    return ColourTags(primaries=primaries, transfer=transfer)


def _read_exr(path: str, data: np.ndarray, transfer: int) -> np.ndarray:
    """uint16, straight; through FFmpeg, since OpenCV reads OpenEXR only where an environment variable allows it."""
    decoder = av.CodecContext.create("exr", "r")
    try:
        picture = (decoder.decode(av.Packet(data.tobytes())) + decoder.decode(None))[0]
        planes = _float_planes(picture)
    except (av.FFmpegError, IndexError, ValueError):
        raise BadInput(
            f"{path} is no OpenEXR image that can be read: write it with half or float RGB(A) channels."
        ) from None
    if len(planes) == 1:
        return unit_to_integers(from_linear(planes[0], transfer), 16)
    green, blue, red, *alpha = planes
    light = np.dstack([red, green, blue])
    if not alpha:
        return unit_to_integers(from_linear(light, transfer), 16)
    # Where nothing covers, colours may glow without it; they are kept as they are.
    covered = np.where(alpha[0] > 1e-4, alpha[0], 1)[..., None]
    return unit_to_integers(np.dstack([from_linear(light / covered, transfer), alpha[0]]), 16)


def _float_planes(picture: av.VideoFrame) -> list[np.ndarray]:
    """Planes of a half or float picture, float32."""
    kind = np.float16 if "f16" in picture.format.name else np.float32
    if "f16" not in picture.format.name and "f32" not in picture.format.name:
        raise ValueError(picture.format.name)
    width = picture.width
    lines = (np.frombuffer(plane, kind).reshape(picture.height, -1)[:, :width] for plane in picture.planes)
    return [line.astype(np.float32) for line in lines]


def _decoded(path: str, data: np.ndarray) -> np.ndarray:
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

