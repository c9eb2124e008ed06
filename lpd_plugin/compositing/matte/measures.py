"""How far a matte is from the true one, and how much its edge flickers."""

from __future__ import annotations

import cv2
import numpy as np

from .motion import Motion

GRADIENT_SIGMA = 1.4  # pixels, as in the published evaluation
EDGE_SHARE = 0.02  # of the matte's longer side: half the width of the band in which an edge counts as an edge


def absolute_difference(matte: np.ndarray, truth: np.ndarray) -> float:
    """Sum of |alpha - true alpha| over all pixels, in thousands (SAD; Rhemann et al. 2009, "A perceptually motivated
    online benchmark for image matting"). Both (h, w) float32 in [0, 1]."""
    return float(np.abs(matte - truth).sum(dtype=np.float64) / 1000)


def gradient_error(matte: np.ndarray, truth: np.ndarray) -> float:
    """Sum of (|grad alpha| - |grad true alpha|)^2 over all pixels, in thousands, with the gradients of Gaussians of 1.4
    pixels (Rhemann et al. 2009). Tells a wrong softness or a lost strand of hair from a faint veil. Both (h, w) float32."""
    difference = _slope(matte) - _slope(truth)
    return float((difference * difference).sum(dtype=np.float64) / 1000)


def edge_band(matte: np.ndarray, width: float | None = None) -> np.ndarray:
    """(h, w) bool: the pixels within `width` pixels of the matte's 50 % line, and all half-transparent ones.

    width None: EDGE_SHARE of the longer side.
    """
    width = EDGE_SHARE * max(matte.shape) if width is None else width
    inside = (matte >= 0.5).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(width) + 1,) * 2)
    near = cv2.dilate(inside, disc) != cv2.erode(inside, disc, borderType=cv2.BORDER_REPLICATE)
    return near | ((matte > 0.02) & (matte < 0.98))


def edge_flicker(before: np.ndarray, now: np.ndarray, motion: Motion) -> float:
    """Mean |matte - the one before, moved along| in the band around the edge of `now`; 0 without an edge.

    before, now: (h, w) float32 in [0, 1]. motion: where each pixel of `now` was before, of the pictures, so that a head that
    moves does not count as one that flickers.
    """
    band = edge_band(now)
    return float(np.abs(now - motion.carried(before))[band].mean()) if band.any() else 0.0


def edge_trembling(before: np.ndarray, now: np.ndarray, after: np.ndarray, back: Motion, onward: Motion) -> float:
    """Mean |matte - halfway between the ones before and after, moved along| in the band around the edge of `now`; 0 without one.

    An outline has motion of its own, other than that of what it encloses, as when a head turns: `edge_flicker` counts it, this
    does not as long as it goes on from frame to frame. What goes to and fro counts for both. before, now, after: (h, w) float32
    in [0, 1]. back, onward: where each pixel of `now` was before, and will be after.
    """
    band = edge_band(now)
    halfway = (back.carried(before) + onward.carried(after)) / 2
    return float(np.abs(now - halfway)[band].mean()) if band.any() else 0.0


def _slope(matte: np.ndarray) -> np.ndarray:
    """Length of the gradient of the matte blurred by a Gaussian."""
    radius = int(np.ceil(3 * GRADIENT_SIGMA))
    x = np.arange(-radius, radius + 1, dtype=np.float32)
    smooth = np.exp(-0.5 * (x / GRADIENT_SIGMA) ** 2)
    smooth /= smooth.sum()
    derive = -x * smooth / GRADIENT_SIGMA**2
    across = cv2.sepFilter2D(matte, cv2.CV_32F, derive, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(matte, cv2.CV_32F, smooth, derive, borderType=cv2.BORDER_REPLICATE)
    return cv2.magnitude(across, down)
