"""Smooth completion of a picture where it is unknown (push-pull; Gortler et al. 1996, "The Lumigraph", 3.3)."""

from __future__ import annotations

import cv2
import numpy as np


def push_pull(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill (height, width, C) float32 where `known` (height, width, 0..1) is below 1, smoothly from around.

    Known pixels keep their values. All zeros where nothing at all is known.
    """
    known = np.clip(known, 0, 1).astype(np.float32)
    return _pull(_times(np.ascontiguousarray(values, np.float32), known), known)


def _pull(weighted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    height, width = weight.shape
    if min(height, width) < 3 or cv2.minMaxLoc(weight)[0] >= 0.999:
        total = np.maximum(weight, 1e-6)[..., None]
        if min(height, width) < 3:
            mean = weighted.sum((0, 1)) / max(float(weight.sum()), 1e-6)
            return np.where(weight[..., None] > 1e-3, weighted / total, mean).astype(np.float32)
        return weighted / total
    small_weight = cv2.pyrDown(weight)
    small = cv2.pyrDown(weighted).reshape(*small_weight.shape, -1)  # OpenCV drops a single channel
    # A coarse pixel half covered counts as fully known, or far colours would wash in at the rim.
    gain = np.minimum(1, 2 * small_weight) / np.maximum(small_weight, 1e-6)
    coarse = _pull(_times(small, gain), small_weight * gain)
    coarse = cv2.pyrUp(coarse, dstsize=(width, height)).reshape(weighted.shape)
    return np.add(weighted, _times(coarse, 1 - weight), out=coarse)


def _times(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """values (h, w, C) times weight (h, w), in OpenCV, which takes a fraction of the time of NumPy's broadcasting."""
    channels = values.shape[2]
    return cv2.multiply(values, weight if channels == 1 else cv2.merge([weight] * channels)).reshape(values.shape)


LONGEST = 192  # pixels a side on which smooth completions are worked out


def small_size(shape: tuple[int, ...], longest: int = LONGEST) -> tuple[int, int]:
    """Width and height, at most `longest`, of the small copy of a picture of this shape (height, width, ...)."""
    scale = min(1.0, longest / max(shape[:2]))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def fill_smoothly(values: np.ndarray, known: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """As `push_pull`, worked out on a copy of at most `longest` pixels a side: the same look, little time."""
    height, width = known.shape
    size = small_size(known.shape, longest)
    if size == (width, height):
        return push_pull(values, known)
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(_times(np.ascontiguousarray(values, np.float32), np.float32(known)), size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    small = small / np.maximum(weight, 1e-6)[..., None]
    filled = push_pull(small, np.minimum(1, 2 * weight) * (weight > 0.01))
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, -1)
    # The filled one, and where known what is missing to the values there.
    return filled + _times(np.float32(values - filled), np.float32(known))
