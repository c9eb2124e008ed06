"""How far a face's points lie from where they should be."""

from __future__ import annotations

import numpy as np

OUTER_EYES = (33, 263)  # of MediaPipe's 478 points
# The face's outline between the ears, by way of the chin, in MediaPipe's points; 17 of them, evenly, are a jaw line.
_OUTLINE = (356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127)
_JAW = tuple(_OUTLINE[k] for k in np.linspace(len(_OUTLINE) - 1, 0, 17).round().astype(int))
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 5, 4, 98, 97, 2, 326, 327)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_LIPS = (61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91, 78, 82, 13, 312, 308, 317, 14, 87)
SIXTY_EIGHT = np.array(_JAW + _BROWS + _NOSE + _EYES + _LIPS)
"""Of MediaPipe's 478 points those nearest to the 68 of Sagonas et al. 2013 (300-W), in that order."""


def landmark_error(found: np.ndarray, wanted: np.ndarray, rows: np.ndarray | None = None, align: bool = False) -> float:
    """Mean distance of points over the wanted face's outer-eye distance: mean_k |f_k - w_k| / |w_33 - w_263|.

    found, wanted: (478, 2) pixels; rows: of these points only, such as SIXTY_EIGHT. The normalised mean error of
    face alignment (300-W), as in the paper's pose reconstruction error. align: after the similarity that brings the
    found points nearest to the wanted ones, which leaves expression and turn and takes out place, size and tilt.
    """
    eyes = float(np.linalg.norm(np.subtract(*wanted[list(OUTER_EYES)])))
    if rows is not None:
        found, wanted = found[rows], wanted[rows]
    if align:
        found = moved(found, similarity(found, wanted))
    return float(np.linalg.norm(found - wanted, axis=1).mean() / eyes)


def similarity(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(2, 3): scale, rotation and shift that bring points `start` (N, 2) nearest to `end` (N, 2), least squares.

    Umeyama 1991, without reflection: with both sets centred and the singular values U S V' of end' start,
    R = U diag(1, det(U V')) V', s = trace(diag(1, det(U V')) S) / |start|^2.
    Points that all coincide are only shifted.
    """
    a, b = start - start.mean(0), end - end.mean(0)
    u, s, v = np.linalg.svd(b.T @ a)
    flip = np.array([1.0, np.sign(np.linalg.det(u @ v)) or 1.0])
    rotation = (u * flip) @ v
    size = float(np.square(a).sum())
    scale = float((s * flip).sum()) / size if size > 1e-12 else 1.0
    matrix = scale * rotation
    return np.concatenate([matrix, (end.mean(0) - matrix @ start.mean(0))[:, None]], 1)


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (N, 2) under an affine map (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]
