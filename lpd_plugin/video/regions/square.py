"""A square of a picture, such as a head's, read without converting what lies beyond it."""

from __future__ import annotations

import av
import cv2
import numpy as np

from ..crop import CUBIC_REACH, crop_square
from ..planes import plane_views
from ..track import CropBox
from .components import components_of
from .reduced import read_reduced
from .region import Rect, box_rect, read_region


def read_square(picture: av.VideoFrame, box: CropBox, size: int) -> np.ndarray:
    """float32 RGB (size, size, 3), nominally 0..1, of a square that touches the picture: what `crop_square` gives of all of it,
    and beyond the picture what that invents. Raises as `read_region`."""
    if box.side > size and lies_inside(box, picture):
        return read_reduced(picture, box.left, box.top, box.side, box.side, (size, size))
    rect, room = box_rect(box, picture.width, picture.height), CUBIC_REACH if size > box.side else 0
    rect = Rect(rect.left - room, rect.top - room, rect.right + room, rect.bottom + room).clipped(picture.width, picture.height)
    return crop_square(read_region(picture, rect), CropBox(box.left - rect.left, box.top - rect.top, box.side), size)


WHOLE_PIXELS = 3  # pixels of a square to one of its copy from which on it may be read from the nearest whole ones


def read_small_luma(picture: av.VideoFrame, box: CropBox, size: int) -> np.ndarray | None:
    """The luma of a square as (size, size) uint8 codes of 0 to 255, black to white, in a fraction of `read_square`'s time: its edges
    are moved to whole pixels, so that it is for motion and not for colours. None where the square is not much larger than
    `size`, goes beyond the picture, or the picture has no luma."""
    components = components_of(picture)
    if components.is_rgb or box.side < WHOLE_PIXELS * size or not lies_inside(box, picture):
        return None
    left, top, side, part = round(box.left), round(box.top), int(box.side) // 2 * 2, components.parts[0]
    codes = plane_views(picture)[part.plane][top : top + side, left : left + side]
    # Halves first, which OpenCV has a quick way for.
    small = cv2.resize(cv2.resize(codes, (side // 2, side // 2), interpolation=cv2.INTER_AREA), (size, size), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(cv2.max(small, int(part.zero)), alpha=255 / part.scale, beta=-255 * part.zero / part.scale)


def lies_inside(box: CropBox, picture: av.VideoFrame) -> bool:
    """Whether all of a square is in the picture."""
    right, bottom = box.left + box.side, box.top + box.side
    return box.left >= 0 and box.top >= 0 and right <= picture.width and bottom <= picture.height
