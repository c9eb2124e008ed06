"""OKLab, a perceptual colour space (Ottosson 2020), from and to display-referred sRGB.

Light that grows by a factor stretches all three coordinates by that factor's cube root, so a change of exposure is
one multiplication there, and black stays black.
"""

from __future__ import annotations

import cv2
import numpy as np

# Rows of Ottosson's matrices, rounded as published: linear sRGB -> cone responses, their cube roots -> L, a, b.
TO_CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
], np.float32)  # fmt: skip
TO_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
], np.float32)  # fmt: skip
FROM_LAB, FROM_CONES = (np.linalg.inv(m.astype(np.float64)).astype(np.float32) for m in (TO_LAB, TO_CONES))


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 sRGB, clipped to 0..1 -> L (0..1), a, b (about -0.3..0.3), float32."""
    coded = np.clip(rgb, 0, 1).astype(np.float32, copy=False)
    linear = cv2.pow((coded + np.float32(0.055)) * np.float32(1 / 1.055), 2.4)
    np.copyto(linear, coded * np.float32(1 / 12.92), where=coded <= 0.04045)
    cones = cv2.max(cv2.transform(linear, TO_CONES), 0)
    return cv2.transform(cv2.pow(cones, 1 / 3), TO_LAB)


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 -> sRGB in 0..1, clipped where a colour lies outside of it."""
    roots = cv2.transform(lab, FROM_LAB)
    linear = np.clip(cv2.transform(roots * roots * roots, FROM_CONES), 0, 1)
    coded = cv2.pow(linear, 1 / 2.4) * np.float32(1.055) - np.float32(0.055)
    np.copyto(coded, linear * np.float32(12.92), where=linear <= 0.0031308)
    return coded
