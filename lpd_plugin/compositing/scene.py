"""One frame of footage made ready for any head: what is behind the original one, and where it shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .matte.edge import EdgeOptions, border_falloff, matte_on_rect, region_weight, shift_edge
from .picture.look import Look
from .plate.fill import fill_smoothly
from .plate.still_camera import Plate

# Shares of the square's side: how far around the original head's matte its hair and blur are replaced, and
# from where on pixels count as pure background.
REPLACED = 0.03
CLEAR = 0.055
LARGEST_CORRECTION = 0.15  # how far light may have changed between the plate and the frame


@dataclass(frozen=True)
class Scene:
    """A frame's square made ready for any head: the original head's removal, and what the edge options allow."""

    look: Look
    allowed: np.ndarray  # (height, width): region and border
    background: np.ndarray  # rgb (height, width, 3)
    removal: np.ndarray  # (height, width): how much of the background to show where no new head is


def scene_of(look: Look, person: np.ndarray, plate: Plate | None, index: int, edge: EdgeOptions) -> Scene:
    """person: the original person's matte (256, 256) in the square; plate None: filled in from the frame itself."""
    box, rect = look.box, look.rect
    allowed = region_weight(edge.region, box, rect) * border_falloff(box, rect, edge.border)
    coarse = person.shape[0]
    grown = cv2.GaussianBlur(shift_edge(person, REPLACED * coarse), (0, 0), REPLACED * coarse / 2)
    removal = matte_on_rect(grown, box, rect) * allowed
    clear = (shift_edge(person, CLEAR * coarse) < 0.1).astype(np.float32)
    known = matte_on_rect(clear, box, rect)
    if known.mean() < 0.005:
        # Nothing around tells what the background is: the original stays rather than an invention.
        return Scene(look, allowed, look.rgb, np.zeros_like(allowed))
    return Scene(look, allowed, _background(look, known, plate, index), removal)


def _background(look: Look, known: np.ndarray, plate: Plate | None, index: int) -> np.ndarray:
    """The plate, shifted smoothly to meet this frame's background all around the head.

    Without a plate the same sum fills in the frame's own background.
    """
    if plate is None or not plate.shows(index):
        return fill_smoothly(look.rgb, known)
    base, confidence = plate.at(index, look.rect)
    difference = look.rgb - base
    limited = np.clip(difference, -LARGEST_CORRECTION, LARGEST_CORRECTION)
    difference = np.where((confidence > 0)[..., None], limited, difference)
    return base + fill_smoothly(difference, known)
