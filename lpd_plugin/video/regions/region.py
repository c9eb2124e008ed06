"""Reading and blending a rectangle of a planar picture without touching a sample outside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import av
import av.filter
import cv2
import numpy as np

from ..planes import plane_views, set_tags, tags_of
from ..track import CropBox
from .components import components_of
from .sampling import add_component, read_component


class Rect(NamedTuple):
    """Whole pixels: left and top inside, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    def clipped(self, width: int, height: int) -> "Rect":
        """The part inside a picture of that size; may be empty."""
        return Rect(max(self.left, 0), max(self.top, 0), min(self.right, width), min(self.bottom, height))

    def union(self, other: "Rect") -> "Rect":
        """The smallest rectangle around both."""
        return Rect(
            min(self.left, other.left), min(self.top, other.top),
            max(self.right, other.right), max(self.bottom, other.bottom),
        )  # fmt: skip

    def slices(self, within: "Rect | None" = None) -> tuple[slice, slice]:
        """Rows and columns of this rectangle in an array that shows `within` (the whole picture when None)."""
        x, y = (within.left, within.top) if within else (0, 0)
        return slice(self.top - y, self.bottom - y), slice(self.left - x, self.right - x)


EMPTY = Rect(0, 0, 0, 0)


def rect_common(one: Rect, other: Rect) -> Rect:
    """What two rectangles share; may be empty."""
    return Rect(
        max(one.left, other.left), max(one.top, other.top),
        min(one.right, other.right), min(one.bottom, other.bottom),
    )  # fmt: skip


def box_rect(box: CropBox, width: int, height: int) -> Rect:
    """The whole pixels that a crop square touches, inside a picture of that size; may be empty."""
    edge = 1e-3  # float32 tracks: a square on whole pixels must not spill into the next one
    return Rect(
        int(np.floor(box.left + edge)), int(np.floor(box.top + edge)),
        int(np.ceil(box.left + box.side - edge)), int(np.ceil(box.top + box.side - edge)),
    ).clipped(width, height)  # fmt: skip


def _check_rect(picture: av.VideoFrame, rect: Rect) -> None:
    if rect.empty or rect != rect.clipped(picture.width, picture.height):
        raise ValueError(f"{rect} is empty or outside a {picture.width}x{picture.height} picture")


def read_region(picture: av.VideoFrame, rect: Rect) -> np.ndarray:
    """The rectangle as float32 RGB (height, width, 3), display-referred, straight, by the picture's own tags.

    Nominally 0..1; codes beyond black and white give values beyond, so that nothing is lost. Without a
    matrix tag BT.601 holds below 720 lines and BT.709 above; without a range tag limited range for YUV.
    Raises BadInput for pixel formats that are not planar integers of 8 to 16 bits.
    """
    _check_rect(picture, rect)
    components = components_of(picture)
    planes = plane_views(picture)
    result = np.empty((rect.height, rect.width, 3), np.float32)
    for strip in strips(rect):
        values = cv2.merge([read_component(planes[part.plane], part, strip) for part in components.parts])
        place = result[strip.slices(rect)]
        if components.is_rgb:
            place[...] = values
        else:
            cv2.transform(values, components.to_rgb, dst=place)
    return result


Colours = Callable[["Rect"], np.ndarray]


def blend_region(picture: av.VideoFrame, rect: Rect, rgb: np.ndarray | Colours, alpha: np.ndarray) -> av.VideoFrame:
    """A copy of the picture with `rgb` (height, width, 3) over the rectangle by `alpha` (height, width), 0..1.

    rgb may be a function that gives the colours of any part of the rectangle: it is asked where alpha is above 0.

    Outside the rectangle and where alpha is 0 every sample of every plane is the original's; so are alpha
    planes, tags, timestamp and side data. A chroma sample changes only where the luma samples that it
    colours lie inside the rectangle and one of them has alpha above 0. What is added to a sample is the
    difference to what the picture shows already, so unchanged colours keep their codes.
    """
    _check_rect(picture, rect)
    components = components_of(picture)
    before, result, size = plane_views(picture), copy_picture(picture), (picture.width, picture.height)
    after = plane_views(result)
    for strip in strips(rect):
        shown = _shown(alpha, rect, strip)
        if shown is None:
            continue
        # A few pixels more on every side, for the filters; what they change belongs to the neighbouring strips.
        around = _widened(shown, rect)
        place = around.slices(rect)
        share = np.ascontiguousarray(alpha[place], np.float32)
        colours = rgb(around) if callable(rgb) else np.asarray(rgb[place], np.float32)
        wanted = cv2.transform(colours, components.from_rgb)
        for number, part in enumerate(components.parts):
            difference = wanted if wanted.ndim == 2 else cv2.extractChannel(wanted, number)
            difference -= read_component(before[part.plane], part, around)
            difference *= share
            add_component(after[part.plane], part, around, difference, share, shown, size)
    return result


STRIP = 128  # rows worked on together, so that all intermediate results stay in the processor's cache
ALIGNED = 16  # pixels: parts of a rectangle begin and end there, so no chroma sample belongs to two of them
ROOM = 8  # pixels around a part that the chroma filters reach


def strips(rect: Rect) -> Iterator[Rect]:
    """The rectangle in parts of at most STRIP rows."""
    for top in range(rect.top - rect.top % STRIP, rect.bottom, STRIP):
        yield Rect(rect.left, max(top, rect.top), rect.right, min(top + STRIP, rect.bottom))


def _shown(alpha: np.ndarray, rect: Rect, strip: Rect) -> Rect | None:
    """The columns of a strip of `rect` in which alpha is not 0 everywhere, a little rounded up."""
    columns = np.flatnonzero(alpha[strip.slices(rect)].max(0) > 0)
    if not len(columns):
        return None
    left, right = rect.left + int(columns[0]), rect.left + int(columns[-1]) + 1
    return aligned(Rect(left, strip.top, right, strip.bottom), rect)


def aligned(part: Rect, within: Rect) -> Rect:
    """A part of a strip with its sides moved outwards to multiples of ALIGNED, but not beyond `within`."""
    left, right = part.left - part.left % ALIGNED, part.right + -part.right % ALIGNED
    return Rect(max(left, within.left), part.top, min(right, within.right), part.bottom)


def _widened(part: Rect, within: Rect) -> Rect:
    return Rect(
        max(part.left - ROOM, within.left), max(part.top - ROOM, within.top),
        min(part.right + ROOM, within.right), min(part.bottom + ROOM, within.bottom),
    )  # fmt: skip


_graphs = threading.local()


def copy_picture(picture: av.VideoFrame) -> av.VideoFrame:
    """A deep copy with everything the frame carries: tags, pts, aspect, field order, side data."""
    # PyAV itself copies no side data; FFmpeg's `copy` filter does.
    cache = _graphs.__dict__.setdefault("cache", {})
    key = (picture.width, picture.height, picture.format.name)
    if key not in cache:
        cache.clear()
        graph = av.filter.Graph()
        size = f"video_size={key[0]}x{key[1]}:pix_fmt={key[2]}:time_base=1/1:pixel_aspect=1/1"
        chain = [graph.add("buffer", size), graph.add("copy"), graph.add("buffersink")]
        graph.link_nodes(*chain).configure()
        cache[key] = graph
    cache[key].push(picture)
    result = cache[key].pull()
    set_tags(result, tags_of(picture))  # the filter fills in a range where there was none
    if picture.time_base is not None:
        result.time_base = picture.time_base
    return result
