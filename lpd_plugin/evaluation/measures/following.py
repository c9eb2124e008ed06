"""Whether a head moves as its driver does."""

from __future__ import annotations

import numpy as np

STILL = 1e-3  # a driver whose number varies less than that (radians, or shares of a blendshape) does not move
LEAST = 5  # frames of a clip that a correlation can be made of


def correlation(wanted: np.ndarray, seen: np.ndarray) -> float | None:
    """Pearson's r between a driver's numbers (N,) and the generated heads'; None where the driver does not move,
    or there are fewer than 5 frames. A head that does not move while its driver does has r = 0."""
    wanted, seen = np.asarray(wanted, float), np.asarray(seen, float)
    if len(wanted) < LEAST or wanted.std() < STILL:
        return None
    if seen.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(wanted, seen)[0, 1])


def pooled(wanted: np.ndarray, seen: np.ndarray) -> list[float | None]:
    """`correlation` of each movement (N, K) -> K numbers, all frames of all drivers together: who looks left altogether
    counts as well as who turns left."""
    return [correlation(wanted[:, k], seen[:, k]) for k in range(wanted.shape[1])]


def per_clip(wanted: np.ndarray, seen: np.ndarray, clips: np.ndarray) -> list[float | None]:
    """The mean over clips of the `correlation` within each, K numbers from (N, K) and the clip of each frame (N,): only
    motion counts. Clips whose driver keeps still are left out; None where that is all of them."""
    rows = [clips == one for one in np.unique(clips)]
    each = [[correlation(wanted[r, k], seen[r, k]) for r in rows] for k in range(wanted.shape[1])]
    known = [[r for r in one if r is not None] for one in each]
    return [float(np.mean(one)) if one else None for one in known]
