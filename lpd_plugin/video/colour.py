"""Between planar pictures and RGB, by the pictures' own colour tags.

The tags are the code points of ITU-T H.273. Nothing here changes transfer curve or primaries: RGB is
display-referred, as coded.
"""

from __future__ import annotations

from dataclasses import replace

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from .clip import ColourTags
from .pixel_choice import has_alpha
from .pixel_formats import planar_equivalent
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
    """The planar picture in another format with `tags`; matrix and range are converted where they differ.

    The same object where nothing changes. Alpha that `pixel_format` does not have is left out.
    """
    source = tags_of(picture)
    if picture.format.name == pixel_format and source == tags:
        return picture
    if _swscale_is_off(picture.format.name, pixel_format):
        rgb, alpha = coded_rgb(picture)
        return coded_picture(rgb, alpha, pixel_format, tags, picture)
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
    elif has_alpha(pixel_format) and has_alpha(picture.format.name) and planar_equivalent(pixel_format) == pixel_format:
        # swscale shifts alpha to another depth, by which what was opaque is no longer.
        plane_views(output)[-1][...] = _to_depth(plane_views(picture)[-1], picture.format.name, pixel_format)
    set_tags(output, tags)
    return output


def _swscale_is_off(source: str, target: str) -> bool:
    """Whether swscale would change full-range RGB or grey by up to 1/255: it shifts bits where it has to scale."""
    from_rgb, to_rgb = (is_rgb(name) or is_grey(name) for name in (source, target))
    deep = max(bit_depth(source), bit_depth(target)) > 8
    changes = from_rgb != to_rgb or bit_depth(source) != bit_depth(target)
    return deep and changes and (from_rgb or to_rgb) and (is_grey(source) or not is_grey(target))


def _to_depth(codes: np.ndarray, source: str, target: str) -> np.ndarray:
    """Full-range codes of one depth as those of another."""
    before, after = ((1 << bit_depth(name)) - 1 for name in (source, target))
    if before == after:
        return codes
    return np.rint(codes * np.float32(after / before)).astype(np.uint16 if after > 255 else np.uint8)


# Kr and Kb of H.273's matrices.
_WEIGHTS = {4: (0.30, 0.11), 5: (0.299, 0.114), BT601: (0.299, 0.114), 7: (0.212, 0.087), BT709: (0.2126, 0.0722)}
_WEIGHTS |= {BT2020: (0.2627, 0.0593), 10: (0.2627, 0.0593)}


def _to_rgb(matrix: int) -> np.ndarray:
    """From Y (0..1), Cb and Cr (-0.5..0.5) to R, G and B; ITU-T H.273, equations 38 to 40."""
    red, blue = _WEIGHTS[matrix]
    green = 1 - red - blue
    to_red, to_blue = 2 * (1 - red), 2 * (1 - blue)
    return np.array([[1, 0, to_red], [1, -blue * to_blue / green, -red * to_red / green], [1, to_blue, 0]])


def _levels(tags: ColourTags, pixel_format: str) -> tuple[int, int, int]:
    """The code of black, the codes from there to white, and those that chroma spans."""
    bits = bit_depth(pixel_format)
    if sample_range(tags, pixel_format) == LIMITED:
        return 16 << (bits - 8), 219 << (bits - 8), 224 << (bits - 8)
    return 0, (1 << bits) - 1, (1 << bits) - 1


def coded_rgb(picture: av.VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 RGB (height, width, 3) of a planar picture, nominally 0..1 as coded, and alpha (height, width) or None.

    Codes beyond black and white give values beyond 0 and 1. Grey is repeated.
    """
    name, tags = picture.format.name, tags_of(picture)
    bits = bit_depth(name)
    black, span, chroma_span = _levels(tags, name)
    if not (is_rgb(name) or is_grey(name)):
        picture = converted(picture, _with_full_chroma(name), tags)
    planes = plane_views(picture)
    alpha = planes[-1].astype(np.float32) / ((1 << bits) - 1) if has_alpha(name) else None
    if is_grey(name):
        return np.repeat(((planes[0].astype(np.float32) - black) / span)[..., None], 3, axis=2), alpha
    first, second, third = (plane.astype(np.float32) for plane in planes[:3])
    if is_rgb(name):
        return (np.dstack([third, first, second]) - black) / span, alpha
    middle = 1 << (bits - 1)
    ycc = np.dstack([(first - black) / span, (second - middle) / chroma_span, (third - middle) / chroma_span])
    return cv2.transform(ycc, _to_rgb(yuv_matrix(tags, picture.height)).astype(np.float32)), alpha


def coded_picture(
    rgb: np.ndarray, alpha: np.ndarray | None, pixel_format: str, tags: ColourTags, like: av.VideoFrame | None = None
) -> av.VideoFrame:
    """The reverse of `coded_rgb`: a picture of `pixel_format` with `tags`, rounded and clipped to the format's codes.

    Alpha is 1 where `pixel_format` has it and none is given. The timestamp is taken from `like`.
    """
    planar = planar_equivalent(pixel_format)
    full = planar if is_rgb(planar) or is_grey(planar) else _with_full_chroma(planar)
    black, span, chroma_span = _levels(tags, full)
    top = (1 << bit_depth(full)) - 1

    def codes(values: np.ndarray, scale: int, zero: int) -> np.ndarray:
        return np.rint(np.clip(values * np.float32(scale) + np.float32(zero), 0, top))

    if is_grey(full):
        planes = [codes(rgb[..., 1], span, black)]
    elif is_rgb(full):
        planes = [codes(rgb[..., channel], span, black) for channel in (1, 2, 0)]
    else:
        ycc = cv2.transform(rgb, np.linalg.inv(_to_rgb(yuv_matrix(tags, rgb.shape[0]))).astype(np.float32))
        middle = (top + 1) // 2
        planes = [codes(ycc[..., 0], span, black), *(codes(ycc[..., c], chroma_span, middle) for c in (1, 2))]
    if has_alpha(full):
        planes.append(np.full(rgb.shape[:2], top) if alpha is None else codes(alpha, top, 0))
    picture = picture_from_planes(planes, full, tags, like)
    if full != planar:
        return converted(picture, planar, tags)  # only the chroma's resolution changes
    if planar != pixel_format:  # packed: the same samples in another order
        picture = picture.reformat(format=pixel_format)
        set_tags(picture, tags)
    return picture


def _with_full_chroma(yuv_format: str) -> str:
    bits = bit_depth(yuv_format)
    return f"yuv{'a' if has_alpha(yuv_format) else ''}444p" + ("" if bits == 8 else f"{bits}le")


def video_tags(tags: ColourTags, height: int) -> ColourTags:
    """Tags for RGB pictures that become limited-range YUV video.

    The matrix follows the height as untagged video is read, so that players ignoring tags show the same colours.
    """
    known = replace(tags, primaries=1 if tags.primaries == UNSPECIFIED else tags.primaries)
    transfer = 1 if tags.transfer in (UNSPECIFIED, SRGB.transfer) else tags.transfer
    return replace(known, range=LIMITED, matrix=yuv_matrix(ColourTags(), height), transfer=transfer)
