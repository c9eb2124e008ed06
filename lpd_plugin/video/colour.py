"""Between planar pictures and RGB, by the pictures' own colour tags.

The tags are the code points of ITU-T H.273. Nothing here changes transfer curve or primaries: RGB is
display-referred, as coded.
"""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from .clip import ColourTags
from .planes import bit_depth, picture_from_planes, plane_views, set_tags, tags_of

UNSPECIFIED, RGB_MATRIX, BT709, BT601, BT2020 = 2, 0, 1, 6, 9
LIMITED, FULL = 1, 2
SRGB = ColourTags(range=FULL, matrix=RGB_MATRIX, primaries=1, transfer=13)

_SWSCALE_MATRIX = {
    BT709: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, BT601: Colorspace.ITU601,
    7: Colorspace.SMPTE240M, BT2020: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip
# Full chroma resolution and exact rounding: without them swscale's fast paths are off by several codes.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


def is_rgb(pixel_format: str) -> bool:
    return av.VideoFormat(pixel_format).is_rgb


def is_grey(pixel_format: str) -> bool:
    return pixel_format.startswith("gray")


def yuv_matrix(tags: ColourTags, height: int) -> int:
    """The matrix to use: the tagged one, else BT.709 from 720 lines on and BT.601 below (H.273 code points)."""
    return tags.matrix if tags.matrix in _SWSCALE_MATRIX else (BT709 if height >= 720 else BT601)


def sample_range(tags: ColourTags, pixel_format: str) -> int:
    """LIMITED or FULL: the tagged one, else limited for YUV and full for RGB and grey."""
    if tags.range in (LIMITED, FULL):
        return tags.range
    return FULL if is_rgb(pixel_format) or is_grey(pixel_format) else LIMITED


def picture_to_rgb(picture: av.VideoFrame) -> np.ndarray:
    """uint8 RGB, shape (height, width, 3), of a planar picture by its own tags. Alpha is left out (straight)."""
    planes = plane_views(picture)
    if is_rgb(picture.format.name) or is_grey(picture.format.name):
        green, blue, red = planes[:3] if len(planes) > 1 else planes * 3
        return np.stack([_to_8_bits(plane, picture) for plane in (red, green, blue)], axis=-1)
    tags = tags_of(picture)
    rgb = picture.reformat(
        format="rgb24",
        src_colorspace=_swscale_matrix(tags, picture),
        src_color_range=ColorRange(sample_range(tags, picture.format.name)),
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BILINEAR | _EXACT,
    )
    lines = np.frombuffer(rgb.planes[0], np.uint8).reshape(rgb.height, -1)
    return lines[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3).copy()


def _to_8_bits(plane: np.ndarray, picture: av.VideoFrame) -> np.ndarray:
    bits = bit_depth(picture.format.name)
    limited = sample_range(tags_of(picture), picture.format.name) == LIMITED
    if bits == 8 and not limited:
        return plane
    black, span = (16 << (bits - 8), 219 << (bits - 8)) if limited else (0, (1 << bits) - 1)
    values = (plane.astype(np.float32) - black) * (255 / span)
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _swscale_matrix(tags: ColourTags, picture: av.VideoFrame) -> Colorspace:
    return _SWSCALE_MATRIX[yuv_matrix(tags, picture.height)]


def rgb_to_picture(rgb: np.ndarray, pixel_format: str, tags: ColourTags = SRGB) -> av.VideoFrame:
    """A planar picture of `pixel_format`, carrying `tags`, from uint8 or uint16 RGB or RGBA.

    rgb: shape (height, width, 3 or 4), full range 0..255 or 0..65535. An untagged matrix or range is chosen as
    `picture_to_rgb` will read it. Alpha is kept if `pixel_format` has it, else left out.
    """
    red, green, blue, *alpha = (rgb[..., channel] for channel in range(rgb.shape[-1]))
    suffix = "" if rgb.dtype == np.uint8 else "16le"
    planar = picture_from_planes([green, blue, red, *alpha], f"gbrap{suffix}" if alpha else f"gbrp{suffix}", SRGB)
    return converted(planar, pixel_format, tags)


def converted(picture: av.VideoFrame, pixel_format: str, tags: ColourTags) -> av.VideoFrame:
    """The picture in another planar format with `tags`; matrix and range are converted where they differ.

    The same object where nothing changes. Alpha that `pixel_format` does not have is left out.
    """
    source = tags_of(picture)
    if picture.format.name == pixel_format and source == tags:
        return picture
    output = picture.reformat(
        format=pixel_format,
        src_colorspace=_swscale_matrix(source, picture),
        dst_colorspace=_swscale_matrix(tags, picture),
        src_color_range=ColorRange(sample_range(source, picture.format.name)),
        dst_color_range=ColorRange(sample_range(tags, pixel_format)),
        interpolation=Interpolation.BICUBIC | _EXACT,
    )
    if output is picture:  # only the tags differ
        output = picture_from_planes(plane_views(picture), pixel_format, tags, picture)
    set_tags(output, tags)
    return output


def video_tags(tags: ColourTags, height: int) -> ColourTags:
    """Tags for RGB pictures that become limited-range YUV video.

    The matrix follows the height as untagged video is read, so that players ignoring tags show the same colours.
    """
    known = replace(tags, primaries=1 if tags.primaries == UNSPECIFIED else tags.primaries)
    transfer = 1 if tags.transfer in (UNSPECIFIED, SRGB.transfer) else tags.transfer
    return replace(known, range=LIMITED, matrix=yuv_matrix(ColourTags(), height), transfer=transfer)
