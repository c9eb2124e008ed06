"""How far around a head's square the original head may be removed, and who the person is there."""

from __future__ import annotations

from collections.abc import Sequence

import av
import cv2
import numpy as np
import torch

from ...reenactment.mattes import tidied
from ...video.crop import crop_square
from ...video.regions.region import Rect, box_rect, read_region
from ...video.track import CropBox, Track
from ..picture.look import Look, person_mattes
from ..picture.square import MATTE_SIDE, HeadMatte

# Hair may reach above the square and beside it, by these shares of its side. Whole pixels of the matte, and as much
# above as on both sides together, so that the reach is a square with the same bottom.
BESIDE, ABOVE = 38 / MATTE_SIDE, 76 / MATTE_SIDE
WIDE_SIDE = round(MATTE_SIDE * (1 + ABOVE))
TOUCHES = 0.3  # matte at the square's border from which the head is thought to go on beyond it
RIM = 4  # pixels of the matte along the border that are looked at
LEAST = 24  # pixels of the border that hair touches at least: a wisp of what is behind the head is no reason to go on
NEAR = 25  # frames for which a head that is lost is thought to stay
SIDE_BOTTOM = 0.5  # of the square's height: below it, what touches the sides is shoulders, which stay


def reach_box(box: CropBox) -> CropBox:
    """The larger square around a head's square, with the same bottom, that its removal may touch."""
    return CropBox(box.left - BESIDE * box.side, box.top - ABOVE * box.side, box.side * (1 + ABOVE))


def reach_rect(box: CropBox, width: int, height: int) -> Rect:
    """The whole pixels of the reach inside a picture of that size; may be empty."""
    rect = box_rect(reach_box(box), width, height)
    bottom = box_rect(box, width, height).bottom  # where rounding differs, not below the square
    return Rect(rect.left, rect.top, rect.right, bottom)


def lost_near(track: Track, index: int) -> CropBox | None:
    """Where a head that is not found in a frame most likely is, hidden by a hand or turned away: at its place in the
    nearest frame that shows it, if that is less than NEAR frames off; else None."""
    present = np.flatnonzero(track.present)
    if not len(present):
        return None
    nearest = int(present[np.abs(present - index).argmin()])
    return track.box(nearest) if abs(nearest - index) < NEAR else None


def reaching_mattes(
    pictures: Sequence[av.VideoFrame], looks: Sequence[Look], head_matte: HeadMatte | None
) -> list[np.ndarray]:
    """The person's matte (WIDE_SIDE, WIDE_SIDE) on every look's reach, float32.

    Inside the square it is the network's matte of the square. Beyond, shoulders go on, and hair only where it touches the
    square's border: there the network looks a second time, at the whole reach.
    """
    inner = person_mattes(looks, head_matte)
    wide = [_continued(matte) for matte in inner]
    if head_matte is None:
        return wide
    again = [n for n, look in enumerate(looks) if _goes_on(look, pictures[n], inner[n])]
    for number, outer in zip(again, _second_look([(pictures[n], looks[n].box) for n in again], head_matte)):
        wide[number] = _joined(wide[number], outer)
    return wide


def _goes_on(look: Look, picture: av.VideoFrame, matte: np.ndarray) -> bool:
    """Whether the head touches a border of the square beyond which the picture goes on."""
    rows, rect = round(SIDE_BOTTOM * MATTE_SIDE), look.rect
    sides = (
        (rect.top > 0, matte[:RIM].max(0)),
        (rect.left > 0, matte[:rows, :RIM].max(1)),
        (rect.right < picture.width, matte[:rows, -RIM:].max(1)),
    )
    return any(more and np.count_nonzero(border > TOUCHES) >= LEAST for more, border in sides)


def _second_look(frames: list[tuple[av.VideoFrame, CropBox]], head_matte: HeadMatte) -> list[np.ndarray]:
    if not frames:
        return []
    crops = []
    for picture, square in frames:
        box, rect = reach_box(square), reach_rect(square, picture.width, picture.height)
        inside = CropBox(box.left - rect.left, box.top - rect.top, box.side)
        crops.append(crop_square(read_region(picture, rect), inside, MATTE_SIDE).transpose(2, 0, 1))
    with torch.inference_mode():
        mattes = head_matte(torch.from_numpy(np.clip(np.stack(crops), 0, 1)))
    mattes = torch.as_tensor(mattes).float().cpu().numpy()[:, 0]
    size = (WIDE_SIDE, WIDE_SIDE)
    return [cv2.resize(tidied(np.clip(m, 0, 1)), size, interpolation=cv2.INTER_LINEAR) for m in mattes]


def _inner() -> tuple[slice, slice]:
    top, left = round(ABOVE * MATTE_SIDE), round(BESIDE * MATTE_SIDE)
    return slice(top, top + MATTE_SIDE), slice(left, left + MATTE_SIDE)


def square_part(wide: np.ndarray) -> np.ndarray:
    """Of a reach's matte the square's own: (256, 256), a view."""
    return wide[_inner()]


def goes_beyond(wide: np.ndarray) -> bool:
    """Whether a reach's matte shows any hair beyond the square."""
    rows, columns = _inner()
    low = rows.start + round(SIDE_BOTTOM * MATTE_SIDE)
    return bool(wide[: rows.start].any() or wide[:low, : columns.start].any() or wide[:low, columns.stop :].any())


def _continued(matte: np.ndarray) -> np.ndarray:
    """The square's matte on the reach: nobody above, shoulders going on at the sides."""
    rows, columns = _inner()
    wide = np.zeros((WIDE_SIDE, WIDE_SIDE), np.float32)
    wide[rows, columns] = matte
    low = rows.start + round(SIDE_BOTTOM * MATTE_SIDE)
    wide[low:, : columns.start] = wide[low:, columns.start, None]
    wide[low:, columns.stop :] = wide[low:, columns.stop - 1, None]
    return wide


def _joined(wide: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Beyond the square the second look's matte, as far as it hangs together with what touches the border."""
    rows, columns = _inner()
    beyond = np.ones_like(wide, bool)
    beyond[rows, columns] = False
    beyond[rows.start + round(SIDE_BOTTOM * MATTE_SIDE) :] = False
    seen = np.where(beyond, outer, 0)
    rim = np.zeros_like(beyond)
    rim[rows, columns] = True
    rim[rows.start + RIM : rows.stop, columns.start + RIM : columns.stop - RIM] = False
    touching = rim & (wide > TOUCHES)
    _, labels = cv2.connectedComponents(((seen > TOUCHES) | touching).astype(np.uint8), connectivity=4)
    hair = np.isin(labels, np.unique(labels[touching])) & beyond
    soft = cv2.dilate(hair.astype(np.uint8), np.ones((2 * RIM + 1,) * 2, np.uint8)) > 0
    return np.where(beyond & soft, seen, wide)
