"""The new head over one frame's scene: the colours and the alpha that are laid over the footage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import av
import cv2
import numpy as np

from ..reenactment.heads import Head
from ..video.regions.components import components_of
from ..video.regions.region import Rect, blend_region, box_rect, read_region, rect_common
from ..video.track import CropBox
from .head.dressing import AROUND, Drawn, Dressing, shown_strips
from .matte.edge import EdgeOptions, fall_off, refine_matte, region_weight
from .picture.own_grid import Noise, OwnLayer, blend_layers
from .picture.square import MATTE_SIDE, drawn_extent, drawn_small
from .scene import Ground, Scene
from .seamless import met

COARSE = 4  # pixels a side that are one pixel of what is measured
ROWS = 32  # of weights worked on together


class Paint:
    """The colours of a layer, worked out for the part of it that is asked for: whoever goes through them in strips never
    has all of them in memory, which would take longer than all sums."""

    def __init__(self, scene: Scene, drawn: Drawn | None, box: CropBox, rect: Rect, number: int):
        """drawn: the new head on `box`, None: there is none. rect: all of it; number: of the frame, for the grain."""
        self.scene, self.drawn, self.box, self.rect, self.number = scene, drawn, box, rect, number
        self.met: np.ndarray | None = None  # the head's colours on all of `rect`, where a blend changed them

    def colour(self, part: Rect) -> np.ndarray:
        """(height, width, 3): the new head alone, or the background where there is no head."""
        if self.met is not None:
            return self.met[part.slices(self.rect)]
        return self.scene.background_on(part) if self.drawn is None else self.drawn.on(part)

    def mixed(self, part: Rect, alpha: np.ndarray, head: np.ndarray) -> np.ndarray:
        """(height, width, 3): with the background behind the head, and the footage's grain. alpha, head: of the part."""
        if self.drawn is None:
            return self.scene.background_on(part)
        share = head / np.maximum(alpha, np.float32(1e-6))
        mixed = over(self.colour(part), self.scene.background_on(part), share)
        self.drawn.add_grain(mixed, alpha, head, self.number, part)
        return mixed


    def own_layers(self, alpha: np.ndarray, head: np.ndarray) -> tuple[list[OwnLayer], Noise | None] | None:
        """The same for `blend_layers`, which takes a fraction of the time; None where colours need all of RGB. alpha, head: on
        `rect`."""
        picture = self.scene.picture
        if self.met is not None:
            return None
        layers, noise, behind = [], None, alpha
        if self.drawn is not None:
            codes = self.drawn.own_codes(components_of(picture), (picture.width, picture.height))
            if codes is None:
                return None
            behind, noise = cv2.subtract(alpha, head), self.drawn.noise(self.number, self.rect, alpha, head)
            layers.append(OwnLayer(head, codes))
        if behind.max() > 0:
            codes = self.scene.own_background(self.rect)
            if codes is None:
                return None
            layers.append(OwnLayer(behind, codes))
        return layers, noise


@dataclass(frozen=True)
class Shown:
    """A rectangle of a layer; see there."""

    rect: Rect
    alpha: np.ndarray
    head: np.ndarray
    paint: Paint

    def rgb_on(self, part: Rect) -> np.ndarray:
        """`rgb` on a rectangle within `rect`, without working out the rest."""
        place = part.slices(self.rect)
        return self.paint.mixed(part, self.alpha[place], self.head[place])

    def over(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A copy of the scene's picture with this over it; every sample outside stays as it is."""
        own = self.paint.own_layers(self.alpha, self.head)
        if own is None:
            return blend_region(picture, self.rect, self.rgb_on, self.alpha)
        return blend_layers(picture, self.rect, *own)

    @cached_property
    def rgb(self) -> np.ndarray:
        return self._whole(self.rgb_on)

    @cached_property
    def colour(self) -> np.ndarray:
        return self._whole(self.paint.colour)

    def _whole(self, draw: Callable[[Rect], np.ndarray]) -> np.ndarray:
        whole = np.zeros((*self.alpha.shape, 3), np.float32)
        for part in shown_strips(self.alpha, self.rect, AROUND):
            whole[part.slices(self.rect)] = draw(part)
        return whole

    def coarse(self) -> Shown | Coarse:
        """The same with the colours as they were before they were enlarged, for measuring."""
        head = None if self.paint.drawn is None or self.paint.met is not None else self.paint.drawn.head
        if head is None:
            return self
        size = max(1, self.rect.width // COARSE), max(1, self.rect.height // COARSE)
        return Coarse(self.rect, self.alpha, self.head, drawn_small(head.rgb, self.paint.box, self.rect, size))


class Coarse(NamedTuple):
    """As `Shown`; rgb shows the same rectangle at a lower resolution."""

    rect: Rect
    alpha: np.ndarray
    head: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True)
class Layer:
    """What is laid over a picture: rgb float32 (height, width, 3), straight, and alpha (height, width) on `rect`.

    head: the part of alpha that is the new head; alpha may also cover where the original head was. colour
    (height, width, 3): the new head's own colours, without the background that rgb mixes in; rgb where there is no head.
    part: all of it that is not nothing; beyond that, and some pixels beyond its alpha, all is 0.
    """

    rect: Rect
    part: Shown

    @cached_property
    def rgb(self) -> np.ndarray:
        return self._whole(self.part.rgb)

    @cached_property
    def alpha(self) -> np.ndarray:
        return self._whole(self.part.alpha)

    @cached_property
    def head(self) -> np.ndarray:
        return self._whole(self.part.head)

    @cached_property
    def colour(self) -> np.ndarray:
        return self._whole(self.part.colour)

    def _whole(self, values: np.ndarray) -> np.ndarray:
        if self.part.rect == self.rect:
            return values
        whole = np.zeros((self.rect.height, self.rect.width, *values.shape[2:]), np.float32)
        whole[self.part.rect.slices(self.rect)] = values
        return whole

    def faded(self, weight: float) -> Layer:
        """Less of it, by a weight from 0 to 1."""
        if weight == 1:
            return self
        weight, part = np.float32(weight), self.part
        return Layer(self.rect, replace(part, alpha=weight * part.alpha, head=weight * part.head))


def removal_layer(scene: Scene) -> Layer:
    """The scene's background alone: a clean plate."""
    rect = scene.removal_rect
    ground = scene.on(scene.rect if rect.empty else rect)
    paint = Paint(scene, None, scene.look.box, ground.rect, scene.index)
    return Layer(scene.rect, Shown(ground.rect, ground.removal, np.zeros_like(ground.removal), paint))


def lay_over(
    scene: Scene, head: Head, box: CropBox, dressing: Dressing, edge: EdgeOptions, blend: str, number: int
) -> Layer:
    """The new head in front of the scene's background.

    box: the square that the head is laid on, mostly the original's own; number: of the frame in the whole composite, which
    seeds its grain; blend: see `seamless`.
    """
    rect = scene.rect.union(box_rect(box, scene.picture.width, scene.picture.height))
    ground = scene.on(_changed(scene, head, box, edge, rect))
    drawn = dressing.drawn(head, box, ground.rect)
    matte = refine_matte(drawn.matte, edge)
    # Beyond the square the matte's border repeats: where the new head is cut off there, the old one's hair goes on.
    # Where the region fades out, the footage itself comes back, not its background: both parts fade alike.
    alpha, front = _weights(matte, _allowed(scene, ground, box, edge), ground.removal)
    shown = Shown(ground.rect, alpha, front, Paint(scene, drawn, box, ground.rect, number))
    if blend != "straight":
        share = (alpha - front) / np.maximum(1 - front, 1e-6)
        under = over(ground.background, read_region(scene.picture, ground.rect), share)
        shown.paint.met = met(drawn.on(ground.rect), under, front, blend)
    return Layer(rect, shown)


def _weights(matte: np.ndarray, allowed: np.ndarray, removal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alpha, and the head's part of it: the head where it is allowed, and what is removed behind it."""
    alpha, front = np.empty_like(matte), np.empty_like(matte)
    for top in range(0, len(matte), ROWS):  # what is worked on stays in the processor's cache
        rows = slice(top, top + ROWS)
        np.multiply(matte[rows], allowed[rows], out=front[rows])
        behind = np.subtract(1, matte[rows], out=alpha[rows])
        behind *= removal[rows]
        behind += front[rows]
    return alpha, front


def _changed(scene: Scene, head: Head, box: CropBox, edge: EdgeOptions, rect: Rect) -> Rect:
    """The part of `rect` in which anything of head or removal can be seen, with room for filters."""
    matte = head.matte
    if matte.shape[0] > MATTE_SIDE:
        matte = cv2.resize(matte, (MATTE_SIDE, MATTE_SIDE), interpolation=cv2.INTER_AREA)
    size = matte.shape[0]
    small, whole = CropBox(0, 0, size), Rect(0, 0, size, size)
    allowed = region_weight(edge.region, small, whole, scene.neck)
    grown = cv2.dilate(matte, np.ones((3, 3), np.uint8))
    part = scene.removal_rect
    head_part = drawn_extent((grown > 0) & (allowed > 0), box, rect)
    if not head_part.empty:
        part = head_part if part.empty else part.union(head_part)
    if part.empty:
        return Rect(rect.left, rect.top, rect.left + 1, rect.top + 1)
    room = AROUND + int(np.ceil(abs(edge.erode) + 2 * edge.feather))
    return rect_common(Rect(part.left - room, part.top - room, part.right + room, part.bottom + room), rect)


def over(front: np.ndarray, background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """front over background, (h, w, 3), by alpha (h, w): in OpenCV, which takes half of NumPy's time for three planes."""
    result = cv2.subtract(front, background)
    cv2.multiply(result, cv2.merge([alpha, alpha, alpha]), result)
    return cv2.add(result, background, result)


def _allowed(scene: Scene, ground: Ground, box: CropBox, edge: EdgeOptions) -> np.ndarray:
    """Where the head's own square lets it change the footage, (height, width) on the ground's rectangle."""
    rect = ground.rect
    if box == scene.look.box:
        return ground.allowed
    weight = fall_off(region_weight(edge.region, box, rect, scene.neck), box, rect, edge.border)
    inside = rect_common(box_rect(box, rect.right, rect.bottom), rect)
    allowed = np.zeros_like(weight)
    if not inside.empty:
        place = inside.slices(rect)
        allowed[place] = weight[place]
    return allowed
