"""What flickers from frame to frame, beside what the driver does itself."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .landmarks import similarity
from .masks import distance_from, outline

BAND = 8  # pixels on both sides of the outline
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
        172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # the face's outline, in MediaPipe's points  # fmt: skip


def mask_flicker(masks: np.ndarray) -> float | None:
    """Mean of |m(t-1) - 2 m(t) + m(t+1)| within 8 pixels of the outline of m(t), over consecutive frames.

    masks (T, S, S) in [0, 1]. The second difference: a steady motion of a soft edge gives little, a jump there and
    back much. None with fewer than 3 frames, or where no frame has an outline.
    """
    values = []
    for before, now, after in zip(masks, masks[1:], masks[2:]):
        edge = outline(now)
        if edge.any():
            values.append(_second_difference(before, now, after)[distance_from(edge) <= BAND].mean())
    return float(np.mean(values)) if values else None


def face_flicker(pictures: np.ndarray, landmarks: Sequence[np.ndarray | None]) -> float | None:
    """Mean of |p(t-1) - 2 p(t) + p(t+1)| inside the face, every frame laid upon the first by its landmarks.

    pictures (T, S, S, 3) in [0, 1]; landmarks: (478, 2) pixels of each, or None. Laid upon by the least-squares
    similarity: what is left is what changes within the face. Frames without a face, and their neighbours, do not
    count; None where nothing is left.
    """
    first = next((points for points in landmarks if points is not None), None)
    if first is None:
        return None
    inside = np.zeros(pictures.shape[1:3], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(first[list(OVAL)].round().astype(np.int32)), 1)
    steady = [None if points is None else _laid_upon(picture, points, first) for picture, points in zip(pictures, landmarks)]
    values = [
        _second_difference(*three)[inside > 0].mean()
        for three in zip(steady, steady[1:], steady[2:])
        if all(one is not None for one in three)
    ]
    return float(np.mean(values)) if values and inside.any() else None


def _second_difference(before: np.ndarray, now: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.abs(before - 2 * now + after)


def _laid_upon(picture: np.ndarray, points: np.ndarray, first: np.ndarray) -> np.ndarray:
    size = picture.shape[1::-1]
    matrix = similarity(points, first)
    return cv2.warpAffine(picture.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
