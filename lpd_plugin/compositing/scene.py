"""One frame of footage made ready for any head: what is behind the original one, and where it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import av
import cv2
import numpy as np

from ..video.regions.components import components_of
from ..video.regions.reduced import read_reduced
from ..video.regions.region import EMPTY, Rect, read_region, rect_common
from ..video.track import CropBox
from .head.enlarge import Span, Spread, merged
from .matte.edge import EdgeOptions, border_falloffs, fall_off, matte_on_rect, region_weight, smoothstep
from .matte.neck import Neck, neck_of, shoulders_of
from .matte.original import OriginalMattes
from .matte.refine import refined
from .picture.look import Look, look_at
from .picture.own_grid import OwnCodes, alike, by_number, luma_codes, own_changes, places_of, taken, to_codes
from .picture.parts import but_the_middle, close_border, on_grid, only_inside
from .picture.square import MATTE_SIDE, HeadMatte, drawn_extent, drawn_small, grown_matte
from .plate.fill import fill_smoothly, push_pull, small_size
from .plate.plate import Plate
from .plate.reach import ABOVE, BESIDE, SIDE_BOTTOM, WIDE_SIDE, goes_beyond, reach_box, reach_rect, reaching_mattes, square_part

# Shares of the square's side: how far around the original head's matte its hair and blur are replaced, and
# from where on pixels count as pure background.
REPLACED = 0.03
CLEAR = 0.055
CORRECTED_SIDE = 96  # pixels, at most, of the small copy in which that is worked out
LARGEST_CORRECTION = 0.15  # how far light may have changed between the plate and the frame
FAINT = 1 / 256  # of a removal: less is none
BEYOND = 0.14  # of the square's side: the height over which removal narrows from the reach to the region's own


@dataclass(frozen=True)
class Ground:
    """A part of a scene at the footage's resolution.

    allowed (height, width): region and border, 0 beyond the square. removal (height, width): how much of the background to
    show where no new head is.
    """

    scene: Scene
    rect: Rect
    allowed: np.ndarray
    removal: np.ndarray

    @cached_property
    def background(self) -> np.ndarray:
        """(height, width, 3); see `Scene.background_on`."""
        return self.scene.background_on(self.rect)


@dataclass(frozen=True)
class Scene:
    """A frame's surroundings of a head made ready for any head; what they look like is worked out where it is asked for.

    look: the square alone. rect: all that may change, the square or, where hair reaches beyond it, more.
    matte: the original person's (WIDE_SIDE, WIDE_SIDE), on the square's reach; neck: where it ends. removed (WIDE_SIDE,
    WIDE_SIDE): what of it is replaced; clear, half as many pixels a side: where surely nobody is, None: nowhere.
    """

    look: Look
    rect: Rect
    picture: av.VideoFrame
    matte: np.ndarray
    neck: Neck
    removed: np.ndarray
    clear: np.ndarray | None
    plate: Plate | None
    index: int
    edge: EdgeOptions

    def on(self, rect: Rect) -> Ground:
        """The scene on a part of `rect`; further out nothing is removed."""
        inner = rect_common(rect, self.rect)
        if inner == rect:
            return self._inside(rect)
        whole = Ground(self, rect, *(np.zeros((rect.height, rect.width), np.float32) for _ in range(2)))
        if not inner.empty:
            inside, place = self._inside(inner), inner.slices(rect)
            whole.allowed[place], whole.removal[place] = inside.allowed, inside.removal
        return whole

    def background_on(self, rect: Rect) -> np.ndarray:
        """(height, width, 3): the plate, shifted smoothly to meet this frame's background all around the head; without a
        plate the frame's own background goes on. 0 beyond `rect`, where it is never seen."""
        inner = rect_common(rect, self.rect)
        if inner != rect:
            whole = np.zeros((rect.height, rect.width, 3), np.float32)
            if not inner.empty:
                whole[inner.slices(rect)] = self.background_on(inner)
            return whole
        if self.clear is None:
            return read_region(self.picture, rect)
        if not self._plated:
            return self._filled[rect.slices(self.rect)]
        background = merged(self._correction.part(rect))
        if self.plate.moving:
            background += self._moving[0][rect.slices(self.rect)]
        else:
            background += self.plate.bare(self.index, rect)[0]
        self.plate.add_grain(background, self.index, rect)
        return background

    def own_background(self, rect: Rect) -> OwnCodes | None:
        """As `background_on`, on parts of `rect`, for an `OwnLayer` of the picture; None where it is not made of a kept plate."""
        components, size = components_of(self.picture), (self.picture.width, self.picture.height)
        kept = self.plate.own_codes(self.index, components, size) if self._plated and not self.plate.moving else None
        if self.clear is None or kept is None:
            return None
        small, grid = self._small_correction
        planes, whole = cv2.split(cv2.transform(small, to_codes(components)[:, :3])), places_of(components, rect, size)
        spreads = [
            (numbers, Spread(np.stack([planes[n] for n in numbers]), Span(*samples.span(grid)), whole[numbers[0]]))
            for samples, numbers in alike(components).items()
        ]

        def codes(piece: Rect, places: list[Rect]) -> list[np.ndarray]:
            drawn = by_number((numbers, spread.part(places[numbers[0]])) for numbers, spread in spreads)
            for values, samples, place, wanted in zip(drawn, kept[1], kept[0], places):
                values += taken(samples, place, wanted)
            noise = self.plate.noise(luma_codes(drawn, components), self.index, piece)
            if noise is not None:
                for values, more in zip(drawn, own_changes(noise, components, piece, size)):
                    values += more
            return drawn

        return codes

    @cached_property
    def rgb(self) -> np.ndarray:
        """(height, width, 3): the footage on `rect`."""
        return self.look.rgb if self.rect == self.look.rect else read_region(self.picture, self.rect)

    @cached_property
    def _whole(self) -> Ground:
        return self._inside(self.rect)

    @property
    def allowed(self) -> np.ndarray:
        return self._whole.allowed

    @property
    def background(self) -> np.ndarray:
        return self._whole.background

    @property
    def confidence(self) -> np.ndarray:
        """(height, width): how sure the background is, 0 where it is invented."""
        if self.clear is None or not self._plated:
            return np.zeros((self.rect.height, self.rect.width), np.float32)
        return self._moving[1] if self.plate.moving else self.plate.bare(self.index, self.rect)[1]

    @property
    def removal(self) -> np.ndarray:
        return self._whole.removal

    @cached_property
    def person(self) -> np.ndarray:
        """The original person's matte on `rect`, (height, width), its edge found in the footage."""
        return refined(matte_on_rect(self.matte, reach_box(self.look.box), self.rect), self.rgb)

    @cached_property
    def removal_rect(self) -> Rect:
        """A rectangle that holds all that `removal` touches; may be empty."""
        if self.clear is None:
            return EMPTY
        # The same on the matte's own pixels, where `rect` is the whole reach.
        small, whole = CropBox(BESIDE * MATTE_SIDE, ABOVE * MATTE_SIDE, MATTE_SIDE), Rect(0, 0, WIDE_SIDE, WIDE_SIDE)
        above, across = self._above(small, whole)
        weight = np.maximum(self._allowed_by(small, whole), above * across)
        return drawn_extent((self.removed > 0) & (weight > 0), reach_box(self.look.box), self.rect)

    def _inside(self, rect: Rect) -> Ground:
        look, box, wide = self.look, self.look.box, reach_box(self.look.box)
        allowed = only_inside(look.rect, rect, self._allowed_by(box, rect))
        if self.clear is None:
            # Nothing around tells what the background is: the original stays rather than an invention.
            return Ground(self, rect, allowed, np.zeros_like(allowed))
        # Blurred already, it is smooth in whatever way it is enlarged.
        removal = Spread(self.removed[None], Span.of(wide), rect).part(rect)[0]
        above, across = self._above(box, rect)
        rows = int(np.count_nonzero(above))  # from the top on
        for part in but_the_middle(above[:rows, 0] >= 1, across[0] >= 1):
            removal[part] *= np.maximum(allowed[part], above[part[0]] * across[:, part[1]])
        removal[rows:] *= allowed[rows:]
        if self.edge.border:
            close_border(removal, rect, self.rect, (self.picture.width, self.picture.height))
        return Ground(self, rect, allowed, removal)

    def _allowed_by(self, box: CropBox, rect: Rect) -> np.ndarray:
        weight = region_weight(self.edge.region, box, rect, self.neck)
        return fall_off(weight, box, rect, self.edge.border)

    def _above(self, box: CropBox, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        """Where hair is removed also near the square's border and beyond it, 1 above the ears; it falls off at the border of
        the square, or of its reach where hair goes on there. As (height, 1) and (1, width), to be multiplied; 0 from some row
        on downwards."""
        rows = (np.arange(rect.top, rect.bottom, dtype=np.float32) + 0.5 - box.top) / box.side
        within = reach_box(box) if goes_beyond(self.matte) else box
        down, across = border_falloffs(within, rect, self.edge.border / 2)
        return down * (1 - smoothstep((rows - SIDE_BOTTOM) / BEYOND))[:, None], across

    @cached_property
    def _filled(self) -> np.ndarray:
        return fill_smoothly(self.rgb, matte_on_rect(self.clear, reach_box(self.look.box), self.rect))

    @property
    def _plated(self) -> bool:
        return self.plate is not None and self.plate.shows(self.index)

    @cached_property
    def _moving(self) -> tuple[np.ndarray, np.ndarray]:
        """A moving camera's plate on `rect`, without grain, and its confidence: worked out in one piece."""
        return self.plate.bare(self.index, self.rect, self.rgb)

    @cached_property
    def _correction(self) -> Spread:
        """What to add to the plate on `rect`."""
        small, grid = self._small_correction
        return Spread(small.transpose(2, 0, 1), Span.of(grid), self.rect)

    @cached_property
    def _small(self) -> tuple[np.ndarray, Rect, int]:
        """The footage as averages over squares of so many pixels, and where these lie."""
        rect = self.rect
        step = min(-(-max(rect.width, rect.height) // CORRECTED_SIDE), min(rect.width, rect.height) // 4 + 1)
        grid = on_grid(rect, step)
        size = grid.width // step, grid.height // step
        return read_reduced(self.picture, grid.left, grid.top, grid.width, grid.height, size), grid, step

    def small_look(self) -> Look:
        """`look` for measuring colours: the small copy that is mostly read anyway."""
        small, grid, _ = self._small
        return Look(self.look.box, grid, small)

    @cached_property
    def _small_correction(self) -> tuple[np.ndarray, Rect]:
        """What to add to the plate as a small picture, and where that lies."""
        # All of it is smooth, so a small copy tells as much: the footage less the plate, where both show background.
        (footage, grid, step), rect = self._small, self.rect
        size = footage.shape[1::-1]
        if self.plate.moving:
            place = grid.slices(rect)
            shown, seen = (cv2.resize(one[place], size, interpolation=cv2.INTER_AREA) for one in self._moving)
        else:
            shown, seen = self.plate.means(self.index, grid, step)
        difference = footage - shown
        known = drawn_small(self.clear, reach_box(self.look.box), grid, size)
        limited = np.clip(difference, -LARGEST_CORRECTION, LARGEST_CORRECTION)
        difference = np.where((seen > 0)[..., None], limited, difference)
        return push_pull(difference, (known > min(0.98, 0.9 * known.max())).astype(np.float32)), grid


def scenes_of(
    frames: Sequence[tuple[int, av.VideoFrame, CropBox | None]],
    plate: Plate | None,
    head_matte: HeadMatte | OriginalMattes | None,
    edge: EdgeOptions,
) -> list[Scene | None]:
    """Frames (number in the footage, picture, head's square) made ready, None where there is no head.

    head_matte: looks at every frame; or the mattes of the footage that the frames are of; None: a typical outline. plate None:
    filled in from the frame itself.
    """
    looks = [look_at(picture, box) for _, picture, box in frames]
    seen = [(frame, look) for frame, look in zip(frames, looks) if look is not None]
    if isinstance(head_matte, OriginalMattes):
        found = head_matte.of([(number, picture, look) for (number, picture, _), look in seen])
    else:
        found = reaching_mattes([picture for (_, picture, _), _ in seen], [look for _, look in seen], head_matte)
    scenes = iter(
        [_scene(look, picture, matte, plate, index, edge) for ((index, picture, _), look), matte in zip(seen, found)]
    )
    return [None if look is None else next(scenes) for look in looks]


def _scene(
    look: Look, picture: av.VideoFrame, matte: np.ndarray, plate: Plate | None, index: int, edge: EdgeOptions
) -> Scene:
    half = cv2.resize(matte, (WIDE_SIDE // 2, WIDE_SIDE // 2), interpolation=cv2.INTER_AREA)
    removed, neck = _removed(half), neck_of(square_part(matte))
    if edge.region != "square":  # the new head may bring shoulders along, which lie over the old ones
        square_part(removed)[...] *= 1 - shoulders_of(square_part(matte), neck)
    rect = _changing(look, removed, (picture.width, picture.height)) if goes_beyond(matte) else look.rect
    somebody = (half >= 0.1).astype(np.uint8)
    clear = cv2.distanceTransform(1 - somebody, cv2.DIST_L2, cv2.DIST_MASK_5) > CLEAR * MATTE_SIDE / 2
    clear = clear.astype(np.float32)
    around = drawn_small(clear, reach_box(look.box), look.rect, small_size((look.rect.height, look.rect.width)))
    known = None if around.mean() < 0.005 else clear
    return Scene(look, rect, picture, matte, neck, removed, known, plate, index, edge)


def _removed(half: np.ndarray) -> np.ndarray:
    """(WIDE_SIDE, WIDE_SIDE): what of a frame is replaced, so soft that the matte at half its side tells all of it."""
    reach = REPLACED * MATTE_SIDE / 2
    soft = cv2.GaussianBlur(grown_matte(half, reach), (0, 0), reach / 2)
    soft = np.clip((soft - FAINT) / (1 - FAINT), 0, 1)
    return cv2.resize(soft, (WIDE_SIDE, WIDE_SIDE), interpolation=cv2.INTER_LINEAR)


def _changing(look: Look, grown: np.ndarray, size: tuple[int, int]) -> Rect:
    """The square's rectangle and as much of its reach as the original head's removal touches."""
    wide = reach_box(look.box)
    above = round(grown.shape[0] * (1 - (1 - SIDE_BOTTOM - BEYOND) * look.box.side / wide.side))
    touched = grown > 0
    touched[above:] = False
    around = drawn_extent(touched, wide, reach_rect(look.box, *size))
    if around.empty:
        return look.rect
    both = look.rect.union(around)
    return Rect(both.left, both.top, both.right, look.rect.bottom)
