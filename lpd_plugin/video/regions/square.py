"""A square of a picture, such as a head's, read without converting what lies beyond it."""

from __future__ import annotations

import av
import numpy as np

from ..crop import CUBIC_REACH, crop_square
from ..track import CropBox
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


def lies_inside(box: CropBox, picture: av.VideoFrame) -> bool:
    """Whether all of a square is in the picture."""
    right, bottom = box.left + box.side, box.top + box.side
    return box.left >= 0 and box.top >= 0 and right <= picture.width and bottom <= picture.height
