"""Boxes set by hand, as text."""

from __future__ import annotations

import math

from ...errors import BadInput
from ..track import CropBox


def parse_keyframes(text: str) -> dict[int, CropBox]:
    """Lines of "frame, left, top, side" (frame from 0; pixels) to boxes by frame; "#" starts a comment.

    Raises `BadInput` naming the line that is wrong.
    """
    boxes: dict[int, CropBox] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#")[0].strip()
        if not content:
            continue
        parts = content.replace(",", " ").split()
        try:
            frame, (left, top, side) = int(parts[0]), (float(part) for part in parts[1:])
        except ValueError:
            raise BadInput(f"keyframes, line {number}: '{content}' is not 'frame, left, top, side'.") from None
        if frame < 0 or not side > 0 or not all(map(math.isfinite, (left, top, side))):
            raise BadInput(f"keyframes, line {number}: the frame has to be 0 or more and the side above 0.")
        if frame in boxes:
            raise BadInput(f"keyframes, line {number}: frame {frame} has a box already.")
        boxes[frame] = CropBox(left, top, side)
    return boxes
