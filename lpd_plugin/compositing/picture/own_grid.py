"""Layers blended in a picture's own components, each on its own grid of samples.

Where what is laid over a picture comes from small or kept pictures anyway, it is made of Y, Cb and Cr (or R, G and B) from the
beginning: chroma at its own resolution, and nothing is turned into RGB and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import av
import cv2
import numpy as np

from ...video.planes import plane_views
from ...video.regions.components import Component, Components, components_of
from ...video.regions.region import ROOM, Rect, aligned, copy_picture, strips
from ...video.regions.sampling import own_samples
from ...video.track import CropBox


class Grid(NamedTuple):
    """The samples of a component: each colours (1 << shift_x) x (1 << shift_y) pixels. Samples lie as in `chroma`: with the
    left one of their pixels, and in the middle of them vertically."""

    shift_x: int
    shift_y: int

    @classmethod
    def of(cls, part: Component) -> Grid:
        return cls(part.shift_x, part.shift_y)

    def cells(self, rect: Rect, size: tuple[int, int]) -> Rect:
        """The samples that colour pixels of `rect` only, in a picture of `size`, width and height."""

        def along(low: int, high: int, length: int, shift: int) -> tuple[int, int]:
            return -(-low >> shift), -(-high >> shift) if high == length else high >> shift

        (left, right), (top, bottom) = along(rect.left, rect.right, size[0], self[0]), along(rect.top, rect.bottom, size[1], self[1])
        return Rect(left, top, max(left, right), max(top, bottom))

    def span(self, place: CropBox | Rect) -> tuple[float, float, float, float]:
        """Left, top, width and height of a square or rectangle of the picture, in samples whose centres are at halves."""
        width, height = (place.side, place.side) if isinstance(place, CropBox) else (place.width, place.height)
        fx, fy = 1 << self.shift_x, 1 << self.shift_y
        return (place.left - 0.5) / fx + 0.5, place.top / fy, width / fx, height / fy

    def sampled(self, values: np.ndarray, rect: Rect, cells: Rect) -> np.ndarray:
        """Values (height, width) on `rect` at the places of the samples `cells`, which colour pixels in there only."""
        if not (self.shift_x or self.shift_y):
            return values[cells.slices(rect)]
        fx, fy = 1 << self.shift_x, 1 << self.shift_y
        top, left = cells.top * fy - rect.top, cells.left * fx - rect.left
        columns = values[:, left : left + (cells.width - 1) * fx + 1 : fx]
        rows = [columns[np.minimum(np.arange(top + n, top + n + cells.height * fy, fy), len(values) - 1)] for n in range(fy)]
        return rows[0] if fy == 1 else sum(rows[1:], rows[0]) * np.float32(1 / fy)


OwnCodes = Callable[[Rect, list[Rect]], list[np.ndarray]]


class OwnLayer(NamedTuple):
    """What is laid over a picture in its own components.

    weight (height, width): on the whole rectangle, how much of the picture it takes the place of. codes(part, places): of
    every component a new (height, width) float32 in codes, on a part of the rectangle, of which `places` are the samples.
    """

    weight: np.ndarray
    codes: OwnCodes


Noise = Callable[[Rect, np.ndarray], np.ndarray]


def blend_layers(
    picture: av.VideoFrame, rect: Rect, layers: Sequence[OwnLayer], noise: Noise | None = None
) -> av.VideoFrame:
    """A copy of the picture with layers over it, each to the share of its weight; weights of a pixel sum to 1 at most.

    Outside of `rect` and where all weights are 0 every sample is the picture's, as in `blend_region`. noise(part, codes): what
    to add to the RGB of a part, (height, width, 3), which is 0 where all weights are; codes: see `luma_codes`.
    """
    components, size = components_of(picture), (picture.width, picture.height)
    before, result = plane_views(picture), copy_picture(picture)
    after = plane_views(result)
    for strip in strips(rect):
        pieces = [list(_pieces(layer.weight, rect, strip)) for layer in layers]
        if not any(pieces):
            continue
        whole = _around([piece for some in pieces for piece in some])
        places = places_of(components, whole, size)
        codes = [before[part.plane][place.slices()] for part, place in zip(components.parts, places)]
        shown = [one.astype(np.float32) for one in codes]
        mixed = [one.copy() for one in shown]
        for layer, some in zip(layers, pieces):
            for piece in some:
                _lay(layer, piece, rect, components, size, places, shown, mixed)
        if noise is not None:
            added = noise(whole, luma_codes(mixed, components))
            for new, more in zip(mixed, own_changes(added, components, whole, size)):
                new += more
        for part, place, old, new in zip(components.parts, places, shown, mixed):
            if not place.empty:
                put_codes(after[part.plane][place.slices()], part, old, new)
    return result


def _lay(layer: OwnLayer, piece: Rect, rect: Rect, components: Components, size, places, shown, mixed) -> None:
    weight, weights = layer.weight[piece.slices(rect)], {}
    cells = places_of(components, piece, size)
    for number, (part, change) in enumerate(zip(components.parts, layer.codes(piece, cells))):
        grid = Grid.of(part)
        if grid not in weights:
            weights[grid] = grid.sampled(weight, piece, cells[number])
        place = cells[number].slices(places[number])
        change -= shown[number][place]
        cv2.accumulateProduct(change, weights[grid], mixed[number][place])


def places_of(components: Components, rect: Rect, size: tuple[int, int]) -> list[Rect]:
    """Of every component the samples that colour pixels of `rect` only."""
    return [Grid.of(part).cells(rect, size) for part in components.parts]


def alike(components: Components) -> dict[Grid, list[int]]:
    """The numbers of the components that share a grid, which are drawn together."""
    groups: dict[Grid, list[int]] = {}
    for number, part in enumerate(components.parts):
        groups.setdefault(Grid.of(part), []).append(number)
    return groups


def by_number(drawn: Iterable[tuple[list[int], np.ndarray]]) -> list[np.ndarray]:
    """Planes (C, height, width) of components that were drawn together, each with its numbers, in the components' order."""
    planes = {number: plane for numbers, some in drawn for number, plane in zip(numbers, some)}
    return [planes[number] for number in range(len(planes))]


def to_codes(components: Components) -> np.ndarray:
    """(parts, 4): the affine map from RGB to codes of the components."""
    scale = np.array([[part.scale] for part in components.parts], np.float32)
    return np.hstack([components.from_rgb * scale, [[part.zero] for part in components.parts]]).astype(np.float32)


def own_changes(rgb: np.ndarray, components: Components, rect: Rect, size: tuple[int, int]) -> list[np.ndarray]:
    """What adding `rgb` (height, width, 3) to a rectangle adds to the codes of the components, each on its own samples."""
    planes = cv2.split(cv2.transform(rgb, to_codes(components)[:, :3]))
    return [own_samples(plane, part, rect, size) for plane, part in zip(planes, components.parts)]


def read_own_codes(rgb: np.ndarray, rect: Rect, components: Components, size: tuple[int, int]) -> list[np.ndarray]:
    """A kept picture (height, width, 3) of any float type on `rect` in codes of the components, float32."""
    result = [np.empty((place.height, place.width), np.float32) for place in places_of(components, rect, size)]
    whole = places_of(components, rect, size)
    for strip in strips(rect):
        around = strip._replace(top=max(strip.top - ROOM, rect.top), bottom=min(strip.bottom + ROOM, rect.bottom))
        values = np.ascontiguousarray(rgb[around.slices(rect)], np.float32)
        planes = cv2.split(cv2.transform(values, to_codes(components)))
        own, more = places_of(components, strip, size), places_of(components, around, size)
        for number, (part, plane) in enumerate(zip(components.parts, planes)):
            samples = own_samples(plane, part, around, size)
            result[number][own[number].slices(whole[number])] = samples[own[number].slices(more[number])]
    return result


def taken(samples: np.ndarray, place: Rect, wanted: Rect) -> np.ndarray:
    """Samples (height, width) that lie on `place` on another rectangle: a view, or a copy in which their border goes on."""
    if place.left <= wanted.left and place.top <= wanted.top and wanted.right <= place.right and wanted.bottom <= place.bottom:
        return samples[wanted.slices(place)]
    rows = np.clip(np.arange(wanted.top, wanted.bottom) - place.top, 0, place.height - 1)
    columns = np.clip(np.arange(wanted.left, wanted.right) - place.left, 0, place.width - 1)
    return samples[rows[:, None], columns]


def luma_codes(planes: Sequence[np.ndarray], components: Components) -> np.ndarray:
    """Luma 0..1 as 0..255, uint8, from the components' codes."""
    if components.is_rgb:
        rgb = cv2.merge([(plane - part.zero) / np.float32(part.scale) for plane, part in zip(planes, components.parts)])
        return cv2.convertScaleAbs(cv2.max(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 0), alpha=255)
    part = components.parts[0]
    return cv2.convertScaleAbs(cv2.max(planes[0], part.zero), alpha=255 / part.scale, beta=-255 * part.zero / part.scale)


def put_codes(codes: np.ndarray, part: Component, before: np.ndarray, after: np.ndarray) -> None:
    """Round `after` (float32) into `codes`, in place. Footage may hold codes beyond black and white; they may stay, as `before`
    says, but no new ones are made. Changes `after`."""
    low, high, _, _ = cv2.minMaxLoc(after)
    if low < part.lowest:
        np.maximum(after, np.minimum(before, np.float32(part.lowest)), out=after)
    if high > part.highest:
        np.minimum(after, np.maximum(before, np.float32(part.highest)), out=after)
    np.rint(after, out=after)
    np.copyto(codes, after, casting="unsafe")


GAP = 64  # pixels: runs of columns nearer to each other than that are worked on together


def _pieces(weight: np.ndarray, rect: Rect, strip: Rect) -> Iterator[Rect]:
    """Parts of a strip that hold every pixel with a weight above 0, a little rounded up."""
    columns = np.flatnonzero(cv2.reduce(weight[strip.slices(rect)], 0, cv2.REDUCE_MAX)[0] > 0)
    if not len(columns):
        return
    first, last = int(columns[0]), int(columns[-1])
    breaks = np.flatnonzero(np.diff(columns) > GAP) if last - first >= len(columns) else columns[:0]
    begins, ends = [first, *columns[breaks + 1].tolist()], [*(columns[breaks] + 1).tolist(), last + 1]
    for begin, end in zip(begins, ends):
        yield aligned(Rect(rect.left + begin, strip.top, rect.left + end, strip.bottom), rect)


def _around(pieces: Sequence[Rect]) -> Rect:
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole.union(piece)
    return whole
