"""Reading and blending a rectangle of a planar picture without touching a sample outside it."""

from __future__ import annotations

import threading
from typing import NamedTuple

import av
import av.filter
import cv2
import numpy as np

from ...video.planes import plane_views, set_tags, tags_of
from ...video.track import CropBox
from .chroma import downsample, upsample
from .components import Component, Components, components_of


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
    values = _read(picture, components, rect)
    return values if components.is_rgb else cv2.transform(values, components.to_rgb)


def blend_region(picture: av.VideoFrame, rect: Rect, rgb: np.ndarray, alpha: np.ndarray) -> av.VideoFrame:
    """A copy of the picture with `rgb` (height, width, 3) over the rectangle by `alpha` (height, width), 0..1.

    Outside the rectangle and where alpha is 0 every sample of every plane is the original's; so are alpha
    planes, tags, timestamp and side data. A chroma sample changes only where the luma samples that it
    colours lie inside the rectangle and one of them has alpha above 0. What is added to a sample is the
    difference to what the picture shows already, so unchanged colours keep their codes.
    """
    _check_rect(picture, rect)
    components = components_of(picture)
    delta = cv2.transform(rgb.astype(np.float32), components.from_rgb).reshape(*alpha.shape, -1)
    delta = (delta - _read(picture, components, rect)) * alpha[..., None]
    result = copy_picture(picture)
    planes = plane_views(result)
    for number, part in enumerate(components.parts):
        _add(planes[part.plane], part, rect, delta[..., number], alpha, (picture.width, picture.height))
    return result


def _read(picture: av.VideoFrame, components: Components, rect: Rect) -> np.ndarray:
    """Every component over `rect` at luma resolution: (height, width, parts) float32."""
    planes = plane_views(picture)
    values = np.empty((rect.height, rect.width, len(components.parts)), np.float32)
    for number, part in enumerate(components.parts):
        samples = planes[part.plane]
        codes = _read_subsampled(samples, part, rect) if part.subsampled else samples[rect.slices()]
        np.subtract(codes, np.float32(part.zero), out=values[..., number])
        values[..., number] *= np.float32(1 / part.scale)
    return values


def _read_subsampled(samples: np.ndarray, part: Component, rect: Rect) -> np.ndarray:
    height, width = samples.shape
    fx, fy = 1 << part.shift_x, 1 << part.shift_y
    # Room for two neighbours in every doubling; where the picture ends the last sample repeats.
    room_x, room_y = 2 * part.shift_x, 2 * part.shift_y
    x0, x1 = rect.left // fx - room_x, -(-rect.right // fx) + room_x
    y0, y1 = rect.top // fy - room_y, -(-rect.bottom // fy) + room_y
    inner = samples[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)].astype(np.float32)
    codes = np.pad(inner, ((max(-y0, 0), max(y1 - height, 0)), (max(-x0, 0), max(x1 - width, 0))), "edge")
    for _ in range(part.shift_x):
        codes, x0 = upsample(codes, 1), 2 * (x0 + 2)
    for _ in range(part.shift_y):
        codes, y0 = upsample(codes, 0), 2 * (y0 + 2)
    return codes[rect.slices(Rect(x0, y0, 0, 0))]


def _add(samples: np.ndarray, part: Component, rect: Rect, delta: np.ndarray, alpha: np.ndarray, size) -> None:
    """Add a difference over `rect` (values at luma resolution, times alpha) to a plane, in place."""
    touched = alpha > 0
    if part.subsampled:
        rect, delta, touched = _to_cells(part, rect, delta, touched, size)
        if rect.empty:
            return
    codes = samples[rect.slices()]
    before = codes.astype(np.float32)
    after = np.rint(before + delta * np.float32(part.scale))
    # Footage may hold codes beyond black and white; they may stay, but no new ones are made.
    after = np.clip(after, np.minimum(before, part.lowest), np.maximum(before, part.highest))
    np.copyto(codes, after.astype(codes.dtype), where=touched)


def _to_cells(part: Component, rect: Rect, delta: np.ndarray, touched: np.ndarray, size):
    """Down to chroma resolution: the chroma samples wholly inside `rect`, their difference, which to touch."""
    columns = _Cells.along(rect.left, rect.right, size[0], part.shift_x)
    rows = _Cells.along(rect.top, rect.bottom, size[1], part.shift_y)
    cells = Rect(columns.first, rows.first, columns.end, rows.end)
    if cells.empty:
        return cells, None, None
    # Beyond the rectangle nothing changes (zeros); beyond the picture its border goes on.
    delta = np.pad(np.pad(delta, (rows.repeat, columns.repeat), "edge"), (rows.zeros, columns.zeros))
    touched = np.pad(np.pad(touched, (rows.repeat, columns.repeat), "edge"), (rows.zeros, columns.zeros))
    for axis, shift in ((1, part.shift_x), (0, part.shift_y)):
        for _ in range(shift):
            delta = downsample(np.pad(delta, [(2, 2) if a == axis else (0, 0) for a in (0, 1)]), axis)
    height, width = delta.shape
    touched = touched.reshape(height, 1 << part.shift_y, width, 1 << part.shift_x).any((1, 3))
    kept = slice(rows.first - rows.start, rows.end - rows.start), slice(
        columns.first - columns.start, columns.end - columns.start
    )
    return cells, delta[kept], touched[kept]


class _Cells(NamedTuple):
    """Chroma samples along one axis of a rectangle: `first` to `end` lie wholly inside, `start` allows for filters."""

    start: int
    first: int
    end: int
    repeat: tuple[int, int]  # luma samples to pad before and after by repeating
    zeros: tuple[int, int]  # ... and with zeros

    @classmethod
    def along(cls, low: int, high: int, length: int, shift: int) -> "_Cells":
        factor, room = 1 << shift, 2 * shift
        start, stop = low // factor - room, -(-high // factor) + room
        before, after = low - start * factor, stop * factor - high
        end = -(-high // factor) if high == length else high // factor
        repeat = (before if low == 0 else 0, after if high == length else 0)
        return cls(start, -(-low // factor), end, repeat, (before - repeat[0], after - repeat[1]))


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
