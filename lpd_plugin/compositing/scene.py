"""One frame of footage made ready for any head: what is behind the original one, and where it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import av
import cv2
import numpy as np

from ..video.track import CropBox
from .matte.edge import EdgeOptions, border_falloff, matte_on_rect, region_weight, shift_edge, smoothstep
from .matte.neck import Neck, neck_of
from .matte.refine import refined
from .picture.look import Look, look_at
from .picture.region import Rect, read_region
from .picture.square import MATTE_SIDE, HeadMatte
from .plate.fill import fill_smoothly, push_pull, small_size
from .plate.plate import Plate
from .plate.reach import SIDE_BOTTOM, goes_beyond, reach_box, reach_rect, reaching_mattes, square_part

# Shares of the square's side: how far around the original head's matte its hair and blur are replaced, and
# from where on pixels count as pure background.
REPLACED = 0.03
CLEAR = 0.055
LARGEST_CORRECTION = 0.15  # how far light may have changed between the plate and the frame
FAINT = 1 / 256  # of a removal: less is none
BEYOND = 0.14  # of the square's side: the height over which removal narrows from the reach to the region's own


@dataclass(frozen=True)
class Scene:
    """A frame's surroundings of a head made ready for any head.

    rect: all that may change, the square or, where hair reaches beyond it, more; rgb (height, width, 3): the
    footage there. look: the square alone. allowed (height, width): region and border, 0 beyond the square.
    background (height, width, 3), and confidence (height, width) in it, 0 where it is invented. removal (height, width):
    how much of the background to show where no new head is.
    matte: the original person's (WIDE_SIDE, WIDE_SIDE), on the square's reach; neck: where it ends.
    """

    look: Look
    rect: Rect
    rgb: np.ndarray
    allowed: np.ndarray
    background: np.ndarray
    confidence: np.ndarray
    removal: np.ndarray
    matte: np.ndarray
    neck: Neck

    @cached_property
    def person(self) -> np.ndarray:
        """The original person's matte on `rect`, (height, width), its edge found in the footage."""
        return refined(matte_on_rect(self.matte, reach_box(self.look.box), self.rect), self.rgb)


def scenes_of(
    frames: Sequence[tuple[int, av.VideoFrame, CropBox | None]],
    plate: Plate | None,
    head_matte: HeadMatte | None,
    edge: EdgeOptions,
) -> list[Scene | None]:
    """Frames (number in the footage, picture, head's square) made ready, None where there is no head.

    Mattes are made together; head_matte None: a typical outline. plate None: filled in from the frame itself.
    """
    looks = [look_at(picture, box) for _, picture, box in frames]
    seen = [(frame, look) for frame, look in zip(frames, looks) if look is not None]
    mattes = reaching_mattes([picture for (_, picture, _), _ in seen], [look for _, look in seen], head_matte)
    scenes = iter(
        [_scene(look, picture, matte, plate, index, edge) for ((index, picture, _), look), matte in zip(seen, mattes)]
    )
    return [None if look is None else next(scenes) for look in looks]


def _scene(
    look: Look, picture: av.VideoFrame, matte: np.ndarray, plate: Plate | None, index: int, edge: EdgeOptions
) -> Scene:
    grown = cv2.GaussianBlur(shift_edge(matte, REPLACED * MATTE_SIDE), (0, 0), REPLACED * MATTE_SIDE / 2)
    grown = np.clip((grown - FAINT) / (1 - FAINT), 0, 1)
    size, beyond = (picture.width, picture.height), goes_beyond(matte)
    box, rect = look.box, _changing(look, grown, size) if beyond else look.rect
    rgb = look.rgb if rect == look.rect else read_region(picture, rect)
    neck = neck_of(square_part(matte))
    allowed = _only_inside(look, rect, region_weight(edge.region, box, rect, neck) * border_falloff(box, rect, edge.border))
    wide = reach_box(box)
    clear = (shift_edge(matte, CLEAR * MATTE_SIDE) < 0.1).astype(np.float32)
    if matte_on_rect(clear, wide, look.rect).mean() < 0.005:
        # Nothing around tells what the background is: the original stays rather than an invention.
        nothing = np.zeros_like(allowed)
        return Scene(look, rect, rgb, allowed, rgb, nothing, nothing, matte, neck)
    removal = matte_on_rect(grown, wide, rect) * np.maximum(allowed, _above(box, wide if beyond else box, rect, edge))
    if edge.border:
        _close(removal, rect, size)
    background, confidence = _background(rgb, rect, matte_on_rect(clear, wide, rect), plate, index)
    return Scene(look, rect, rgb, allowed, background, confidence, removal, matte, neck)


def _changing(look: Look, grown: np.ndarray, size: tuple[int, int]) -> Rect:
    """The square's rectangle and as much of its reach as the original head's removal touches."""
    wide, reach = reach_box(look.box), reach_rect(look.box, *size)
    rows = round(grown.shape[0] * (1 - (1 - SIDE_BOTTOM - BEYOND) * look.box.side / wide.side))
    touched = grown[:rows] > 0
    across, down = np.flatnonzero(touched.any(0)), np.flatnonzero(touched.any(1))
    if not len(across):
        return look.rect
    step = wide.side / grown.shape[0]
    # Drawn smoothly, a pixel of the matte reaches to its neighbours but two.
    around = Rect(
        int(wide.left + (across[0] - 3) * step), int(wide.top + (down[0] - 3) * step),
        int(wide.left + (across[-1] + 4) * step) + 1, int(wide.top + (down[-1] + 4) * step) + 1,
    )  # fmt: skip
    both = look.rect.union(around)
    return Rect(max(both.left, reach.left), max(both.top, reach.top), min(both.right, reach.right), look.rect.bottom)


def _close(removal: np.ndarray, rect: Rect, size: tuple[int, int]) -> None:
    """Exactly 0 on the outermost pixels, except along the picture's own border."""
    for at_border, line in (
        (rect.top == 0, removal[0]), (rect.bottom == size[1], removal[-1]),
        (rect.left == 0, removal[:, 0]), (rect.right == size[0], removal[:, -1]),
    ):  # fmt: skip
        if not at_border:
            line[:] = 0


def _only_inside(look: Look, rect: Rect, weight: np.ndarray) -> np.ndarray:
    if rect == look.rect:
        return weight
    inside = np.zeros_like(weight)
    place = look.rect.slices(rect)
    inside[place] = weight[place]
    return inside


def _above(box: CropBox, within: CropBox, rect: Rect, edge: EdgeOptions) -> np.ndarray:
    """(height, width): where hair is removed also near the square's border and beyond it, 1 above the ears; it falls off
    at the border of `within`."""
    rows = (np.arange(rect.top, rect.bottom, dtype=np.float32) + 0.5 - box.top) / box.side
    return border_falloff(within, rect, edge.border / 2) * (1 - smoothstep((rows - SIDE_BOTTOM) / BEYOND))[:, None]


def _background(
    rgb: np.ndarray, rect: Rect, known: np.ndarray, plate: Plate | None, index: int
) -> tuple[np.ndarray, np.ndarray]:
    """The plate, shifted smoothly to meet this frame's background all around the head, and its confidence.

    Without a plate the same sum fills in the frame's own background.
    """
    if plate is None or not plate.shows(index):
        return fill_smoothly(rgb, known), np.zeros_like(known)
    base, confidence = plate.at(index, rect, rgb)
    # All of it is smooth, so a small copy tells as much: the footage less the plate, where both show background.
    size = small_size(known.shape)
    difference, weight, seen = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (rgb, known, confidence))
    difference -= cv2.resize(base, size, interpolation=cv2.INTER_AREA)
    limited = np.clip(difference, -LARGEST_CORRECTION, LARGEST_CORRECTION)
    difference = np.where((seen > 0)[..., None], limited, difference)
    correction = push_pull(difference, (weight > min(0.98, 0.9 * weight.max())).astype(np.float32))
    base += cv2.resize(correction, known.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return base, confidence
