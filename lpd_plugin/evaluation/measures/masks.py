"""How well a mask's area and outline agree with the true one."""

from __future__ import annotations

import cv2
import numpy as np


def intersection_over_union(mask: np.ndarray, truth: np.ndarray) -> float:
    """|A and B| / |A or B| of two masks (S, S) in [0, 1], cut at 0.5 (Jaccard 1912); 1 where both are empty."""
    a, b = mask >= 0.5, truth >= 0.5
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 1.0


def outline(mask: np.ndarray) -> np.ndarray:
    """(S, S) bool: pixels inside the mask (>= 0.5) that touch one outside it by a side. The picture's border is no
    outline: shoulders go on beyond it."""
    inside = (mask >= 0.5).astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return (inside - cv2.erode(inside, cross, borderType=cv2.BORDER_REPLICATE)).astype(bool)


def distance_from(places: np.ndarray) -> np.ndarray:
    """(S, S) float32: pixels from each place to the nearest that is set in `places` (S, S) bool, one at least."""
    return cv2.distanceTransform(1 - places.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def edge_error(mask: np.ndarray, truth: np.ndarray) -> float | None:
    """Mean symmetric distance of the 0.5 outlines, in pixels: (mean_{a in A} d(a, B) + mean_{b in B} d(b, A)) / 2.

    The average symmetric surface distance of segmentation (Heimann et al. 2009), with both outlines counting alike.
    None where either has no outline.
    """
    a, b = outline(mask), outline(truth)
    if not a.any() or not b.any():
        return None
    return float((distance_from(b)[a].mean() + distance_from(a)[b].mean()) / 2)
