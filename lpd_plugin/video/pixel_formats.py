"""Whatever a decoder gives, upright and planar, without losing a bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import av
import numpy as np

from .clip import ColourTags
from .planes import bit_depth, picture_from_planes, plane_views, set_tags, tags_of

# Packed and semi-planar formats and the planar ones that hold the same samples. swscale only moves bits here;
# tests/test_clip_pixels.py checks each pair both ways.
PLANAR_EQUIVALENTS = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "nv20le": "yuv422p10le", "nv20be": "yuv422p10le",
    "p010le": "yuv420p10le", "p010be": "yuv420p10le", "p012le": "yuv420p12le", "p012be": "yuv420p12le",
    "p016le": "yuv420p16le", "p016be": "yuv420p16le", "p210le": "yuv422p10le", "p210be": "yuv422p10le",
    "p212le": "yuv422p12le", "p216le": "yuv422p16le", "p410le": "yuv444p10le", "p412le": "yuv444p12le",
    "p416le": "yuv444p16le",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p",
    "y210le": "yuv422p10le", "y212le": "yuv422p12le", "y216le": "yuv422p16le",
    "xv30le": "yuv444p10le", "v30xle": "yuv444p10le", "xv36le": "yuv444p12le", "xv48le": "yuv444p16le",
    "vuyx": "yuv444p", "vyu444": "yuv444p", "vuya": "yuva444p", "ayuv": "yuva444p", "uyva": "yuva444p",
    "ayuv64le": "yuva444p16le", "yuv444p10msble": "yuv444p10le", "yuv444p12msble": "yuv444p12le",
    "rgb24": "gbrp", "bgr24": "gbrp", "rgb0": "gbrp", "bgr0": "gbrp", "0rgb": "gbrp", "0bgr": "gbrp",
    "rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "abgr": "gbrap", "pal8": "gbrp",
    "rgb48le": "gbrp16le", "rgb48be": "gbrp16le", "bgr48le": "gbrp16le", "bgr48be": "gbrp16le",
    "rgba64le": "gbrap16le", "rgba64be": "gbrap16le", "bgra64le": "gbrap16le", "bgra64be": "gbrap16le",
    "x2rgb10le": "gbrp10le", "x2bgr10le": "gbrp10le",
    "ya8": "gbrap", "ya16le": "gbrap16le", "ya16be": "gbrap16le", "monow": "gray", "monob": "gray",
}  # fmt: skip


@lru_cache(maxsize=256)
def planar_equivalent(pixel_format: str) -> str:
    """The planar little-endian format of 8 to 16 bits that holds pictures of `pixel_format`; itself where it is one."""
    if pixel_format in PLANAR_EQUIVALENTS:
        return PLANAR_EQUIVALENTS[pixel_format]
    if pixel_format.startswith("yuvj"):
        return pixel_format.replace("yuvj", "yuv", 1)
    description = av.VideoFormat(pixel_format)
    bits = bit_depth(pixel_format)
    if description.is_big_endian:
        little = pixel_format.removesuffix("be") + "le"
        return planar_equivalent(little) if _exists(little) else _nearest(description, bits)
    planes = {component.plane for component in description.components}
    planar = len(planes) == len(description.components) and not description.is_bayer
    if planar and not description.has_palette and 8 <= bits <= 16 and "f16" not in pixel_format:
        return pixel_format
    return _nearest(description, bits)


def _exists(pixel_format: str) -> bool:
    try:
        av.VideoFormat(pixel_format)
    except ValueError:
        return False
    return True


def _nearest(description: av.VideoFormat, bits: int) -> str:
    """For the rare rest (floating point, 5-6-5, Bayer, ...): the planar format with at least as many bits."""
    depth = next((depth for depth in (8, 10, 12, 14) if bits <= depth), 16)
    if "f16" in description.name or "f32" in description.name:
        depth = 16
    suffix = "" if depth == 8 else f"{depth}le"
    if len(description.components) == 1 and not description.is_bayer:
        return f"gray{suffix}"
    if not (description.is_rgb or description.is_bayer or description.name.startswith(("xyz", "gbr"))):
        return f"yuv444p{suffix}"
    alpha = any(component.is_alpha for component in description.components)
    return f"gbrap{suffix}" if alpha else f"gbrp{suffix}"


def to_planar(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture in its planar equivalent; the very same object where it is planar already."""
    source = picture.format.name
    target = planar_equivalent(source)
    if target == source:
        return picture
    if source.startswith("yuvj"):  # the same samples; full range moves from the format's name into the tag
        return picture_from_planes(plane_views(picture), target, replace(tags_of(picture), range=2), picture)
    if source.startswith("ya"):
        return _grey_alpha_to_gbra(picture, target)
    planar = picture.reformat(format=target)
    if av.VideoFormat(target).is_rgb:
        tags = tags_of(picture)
        set_tags(planar, replace(tags, matrix=0, range=2 if tags.range == 0 else tags.range))
    return planar


def _grey_alpha_to_gbra(picture: av.VideoFrame, target: str) -> av.VideoFrame:
    # swscale would pass the grey through a YUV matrix; repeating it into G, B and R keeps every value.
    dtype = {"ya8": "u1", "ya16le": "<u2", "ya16be": ">u2"}[picture.format.name]
    plane = picture.planes[0]
    samples = np.frombuffer(plane, dtype).reshape(picture.height, -1, 2)[:, : picture.width]
    grey, alpha = samples[..., 0], samples[..., 1]
    return picture_from_planes([grey, grey, grey, alpha], target, replace(tags_of(picture), matrix=0, range=2), picture)


@dataclass(frozen=True)
class Orientation:
    """How to turn a stored picture upright: transpose first, then mirror."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def is_upright(self) -> bool:
        return not (self.transpose or self.mirror_x or self.mirror_y)


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """From the display matrix a decoder attaches to a picture.

    The matrix (nine int32, a b u c d v x y w) sends a stored point (p, q) to (a p + c q, b p + d q), FFmpeg's
    libavutil/display.h. Angles that are no multiple of 90 degrees are rounded to the nearest that is.
    """
    side_data = picture.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].astype(np.int64)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, bool(c < 0), bool(b < 0))
    return Orientation(False, bool(a < 0), bool(d < 0))


def oriented_format(pixel_format: str, width: int, height: int, orientation: Orientation) -> str:
    """The format in which a planar picture of stored size width x height can be turned without loss.

    A subsampled axis can be mirrored only if it is even, since chroma samples sit at the pairs' first pixel;
    and only equal subsampling in both axes survives a transposition. Otherwise 4:4:4 of the same depth.
    """
    if orientation.is_upright:
        return pixel_format
    chroma = [c for c in av.VideoFormat(pixel_format, 64, 64).components if c.is_chroma]
    step_x, step_y = (64 // chroma[0].width, 64 // chroma[0].height) if chroma else (1, 1)
    if orientation.transpose and step_x == step_y:
        width, height = height, width
    mirrors_fit = not (orientation.mirror_x and width % step_x) and not (orientation.mirror_y and height % step_y)
    if mirrors_fit and not (orientation.transpose and step_x != step_y):
        return pixel_format
    alpha = "a" if pixel_format.startswith("yuva") else ""
    bits = bit_depth(pixel_format)
    return f"yuv{alpha}444p" + ("" if bits == 8 else f"{bits}le")


def turned(picture: av.VideoFrame, orientation: Orientation) -> av.VideoFrame:
    """A planar picture turned upright by moving its samples; the same object where it is upright already."""
    if orientation.is_upright:
        return picture
    pixel_format = oriented_format(picture.format.name, picture.width, picture.height, orientation)
    tags: ColourTags = tags_of(picture)
    source = picture.reformat(format=pixel_format) if pixel_format != picture.format.name else picture
    planes = []
    for plane in plane_views(source):
        plane = plane.T if orientation.transpose else plane
        plane = plane[:, ::-1] if orientation.mirror_x else plane
        planes.append(plane[::-1] if orientation.mirror_y else plane)
    return picture_from_planes(planes, pixel_format, tags, picture)
