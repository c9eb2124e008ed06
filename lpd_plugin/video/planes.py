"""Planes of a planar picture as arrays, and pictures built from planes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import av
import numpy as np

from .clip import ColourTags


@lru_cache(maxsize=256)
def bit_depth(pixel_format: str) -> int:
    """Bits of the widest component of a pixel format, e.g. 10 for "yuv420p10le"."""
    return max(component.bits for component in av.VideoFormat(pixel_format).components)


def plane_views(picture: av.VideoFrame) -> list[np.ndarray]:
    """The samples of every plane of a planar little-endian picture, without the padding at the lines' ends.

    Each is a view of shape (plane height, plane width), uint8 up to 8 bits and uint16 above, in the order of
    the pixel format (Y U V A or G B R A). A view keeps its memory alive, not the picture's other properties.
    """
    dtype = np.dtype(np.uint16 if bit_depth(picture.format.name) > 8 else np.uint8)
    views = []
    for plane in picture.planes:
        lines = np.frombuffer(plane, dtype).reshape(plane.height, abs(plane.line_size) // dtype.itemsize)
        if plane.line_size < 0:  # stored bottom up
            lines = lines[::-1]
        views.append(lines[:, : plane.width])
    return views


def tags_of(picture: av.VideoFrame) -> ColourTags:
    """The colour tags a picture carries."""
    return ColourTags(
        int(picture.color_range), int(picture.colorspace), int(picture.color_primaries), int(picture.color_trc)
    )


def set_tags(picture: av.VideoFrame, tags: ColourTags) -> None:
    """Give a picture (your own, never a shared one) these colour tags."""
    picture.color_range, picture.colorspace = tags.range, tags.matrix
    picture.color_primaries, picture.color_trc = tags.primaries, tags.transfer


def picture_from_planes(
    planes: Sequence[np.ndarray], pixel_format: str, tags: ColourTags, like: av.VideoFrame | None = None
) -> av.VideoFrame:
    """A new picture of `pixel_format` holding copies of `planes` (as `plane_views` gives them).

    The first plane's shape is the picture's size. The timestamp is taken from `like` where given.
    """
    height, width = planes[0].shape
    picture = av.VideoFrame(width, height, pixel_format)
    for view, plane in zip(plane_views(picture), planes, strict=True):
        view[...] = plane
    set_tags(picture, tags)
    if like is not None:
        picture.pts = like.pts
        if like.time_base:
            picture.time_base = like.time_base
    return picture
