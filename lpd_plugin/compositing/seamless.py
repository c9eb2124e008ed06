"""Blends that hide a difference of colour and light between a head and what it is laid over.

Both work where the two sides of the edge show the same kind of surface (a neck, a collar). Hair in front of a bright
wall differs there by right: joining that would be a halo, so the plain blend stays.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import BadInput
from .plate.fill import push_pull

MODES = ("straight", "multi-band", "poisson")
AKIN = 0.16  # difference between the two sides of an edge, 0..1 a channel, from which they hardly count as one surface
MEMBRANE_SIDE, BANDS_SIDE = 128, 256  # pixels; differences are worked on at these sizes
# Weights of "nothing to correct", against 1 where the edge is one surface: where it is not, and inside the head, so that
# corrections die out along the edge and inwards.
APART, INNER = 0.2, 0.02
BANDS = 4  # octaves above the finest at BANDS_SIDE: the widest edge is about a tenth of the picture


def check_mode(mode: str) -> None:
    """Raises BadInput for a blend that does not exist."""
    if mode not in MODES:
        raise BadInput(f'the blend "{mode}" does not exist; choose one of {", ".join(MODES)}.')


def blended(front: np.ndarray, background: np.ndarray, alpha: np.ndarray, mode: str = "straight") -> np.ndarray:
    """front over background, both rgb float32 (h, w, 3), by alpha (h, w) float32 in [0, 1]; the whole result.

    "straight": plain over. "multi-band": towards the edge the front takes on the background's coarse structure and
    keeps its fine one (after Burt and Adelson 1983; their wide edges would reach outside of alpha, so here all of a
    band's edge lies inside). "poisson": the front keeps its gradients and meets the background at its edge (Perez et
    al. 2003), by a membrane that spreads the edge's difference inwards (as Farbman et al. 2009).
    front has to be meaningful a little beyond alpha, and finite everywhere. Where alpha is 0 the result is the
    background, bit by bit.
    """
    result = cv2.subtract(met(front, background, alpha, mode), background)
    # Three planes of alpha in OpenCV take a third of the time that NumPy's broadcasting takes; memory is used again,
    # since new pages cost as much as the sums.
    cv2.multiply(result, cv2.merge([alpha, alpha, alpha]), result)
    return cv2.add(result, background, result)


def met(front: np.ndarray, background: np.ndarray, alpha: np.ndarray, mode: str) -> np.ndarray:
    """The front as it has to be for the plain over to give the blend; see `blended`. (h, w, 3), not clipped."""
    check_mode(mode)
    if mode == "straight":
        return front
    correct = _membrane if mode == "poisson" else _coarse_bands
    return cv2.add(front, correct(cv2.subtract(front, background), alpha))


def _membrane(difference: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What to add to the front so that it meets the background where its edge shows the same surface: (h, w, 3)."""
    small, matte = _reduced(difference, MEMBRANE_SIDE), _reduced(alpha, MEMBRANE_SIDE)
    rim, akin = _rim(matte), _kinship(small)
    # The edge's wish is its difference; that of another surface, and of the inside, is no correction, a weaker wish.
    wanted = rim * akin
    known = np.maximum(wanted + APART * rim * (1 - akin), np.float32(INNER) * (matte > 0.98))
    wish = -small * (wanted / np.maximum(known, 1e-6))[..., None]
    return _enlarged(push_pull(wish, known), alpha.shape)


def _coarse_bands(difference: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What to add to the front so that its coarse bands fade into the background's towards its edge: (h, w, 3).

    Bands of the difference are what blending the bands of both pictures comes down to, since pyramids are linear.
    """
    small, matte = _reduced(difference, BANDS_SIDE), _reduced(alpha, BANDS_SIDE)
    coarse, mask, removed = small, matte, []
    for _ in range(BANDS):
        coarse, mask = cv2.pyrDown(coarse), cv2.pyrDown(mask)
        # All of a band goes where the head ends, nothing as far inside as the band is wide.
        removed.append((coarse, (1 - np.clip(2 * mask - 1, 0, 1)) * _kinship(coarse)))
    total = removed[-1][0] * removed[-1][1][..., None]
    for (coarse, share), (coarser, _) in zip(removed[-2::-1], removed[:0:-1]):
        size = coarse.shape[1::-1]
        total = cv2.pyrUp(total, dstsize=size) + (coarse - cv2.pyrUp(coarser, dstsize=size)) * share[..., None]
    total = cv2.pyrUp(total, dstsize=small.shape[1::-1])
    return _enlarged(-total, alpha.shape)


def _rim(matte: np.ndarray) -> np.ndarray:
    """(h, w) in 0..1: 1 where the head ends, be it within a pixel or along a ramp."""
    square = np.ones((3, 3), np.uint8)
    return np.maximum(cv2.dilate(matte, square) - cv2.erode(matte, square), 4 * matte * (1 - matte))


def _kinship(difference: np.ndarray) -> np.ndarray:
    """(h, w) in 0..1: how likely two colours belong to one surface in two lights."""
    red, green, blue = cv2.split(np.abs(difference))
    squared = (cv2.max(cv2.max(red, green), blue) / np.float32(AKIN)) ** 2
    # No further down than that: denormal numbers would slow all that follows.
    return np.exp(-np.minimum(squared * squared, 20))


def _reduced(picture: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _enlarged(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_LINEAR)
