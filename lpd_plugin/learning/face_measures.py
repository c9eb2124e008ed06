"""From 68 points to the numbers that a pose is measured by: how the head is held, and what the face does.

The head's turn needs a face with depth. It is found from the training points alone: a mean shape that, turned and scaled
for each picture (weak perspective), explains where the points are; poses and shape are fitted in turn, as in
factorisation (Tomasi and Kanade 1992) with rotations kept orthonormal.
"""

from __future__ import annotations

import numpy as np
import torch

from ..networks.face_pose import FITTED, Held, fit_held, rough_shape
from ..networks.face_reader import HELD, NAMES, OPENED, without_grins

# How much of a person's usual value is taken out of each expression: a closed mouth is closed for everybody, a wide
# mouth may be a smile or how somebody looks.
USUAL = np.array([0.0, 0.7, 0.6, 0.7, 0.3, 0.8, 0.8, 0.5])
# Three noisy measures of an opening mouth. Their sum agrees better with what others say of it than each of them, so the numbers
# that open a painted mouth are taught the sum; how far lips are pushed forward stays on its own, too.
SHARED = [NAMES.index(name) for name in OPENED]
OPENING = [*SHARED, NAMES.index("lips forward")]


def mean_shape(marks: np.ndarray, rounds: int = 15) -> np.ndarray:
    """(68, 3) the face that explains marks (N, 68, 2) best, around the middle of its FITTED points, mirror-symmetric by its
    data (give mirrored ones, too)."""
    shape = rough_shape()
    for _ in range(rounds):
        held = _held(marks, shape - shape[FITTED].mean(0))
        rows = (held.scale[:, None, None] * held.rotation[:, :2]).numpy()  # (N, 2, 3)
        moved = marks - held.place[:, None].numpy()
        inverse = np.linalg.inv(np.einsum("nij,nik->jk", rows, rows))
        shape = np.einsum("jk,nik,npi->pj", inverse, rows, moved)
        shape -= shape[FITTED].mean(0)
        shape /= shape.std()
    return shape


def measures(marks: np.ndarray, gaze: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(N, len(NAMES)) of marks (N, 68, 2) and gaze (N,). Places and sizes in shares of the side, angles in radians,
    expressions in units of the mean shape; nobody's usual value is taken out yet."""
    held, points = _held(marks, shape), torch.from_numpy(np.asarray(marks, np.float64))
    own, upright = held.own(points, torch.from_numpy(shape)).numpy(), held.upright(points).numpy()
    gaps = upright[:, [67, 66, 65]] - upright[:, [61, 62, 63]]
    lids = upright[:, [41, 40, 47, 46]] - upright[:, [37, 38, 43, 44]]
    expression = [
        gaps[..., 1].mean(1),
        own[:, 7:10, 1].mean(1) - own[:, 33, 1],
        (own[:, 54, 0] - own[:, 48, 0]) + (own[:, 64, 0] - own[:, 60, 0]),
        own[:, [51, 57, 62, 66], 1].mean(1) - own[:, [48, 54], 1].mean(1),
        lids[..., 1].mean(1),
        own[:, 36:48, 1].mean(1) - own[:, [18, 19, 20, 21, 22, 23, 24, 25], 1].mean(1),
        (upright[:, 57, 1] - upright[:, 66, 1]) + (upright[:, 62, 1] - upright[:, 51, 1]),
        gaze,
    ]
    return np.concatenate((held.numbers().numpy(), np.stack(expression, 1)), 1)


def _held(marks: np.ndarray, shape: np.ndarray) -> Held:
    return fit_held(torch.from_numpy(np.asarray(marks, np.float64)[:, FITTED]), torch.from_numpy(shape[FITTED]))


def without_usual(values: np.ndarray, persons: list[np.ndarray]) -> np.ndarray:
    """Expressions less a share of the person's own median, and more of everybody's: persons are lists of row numbers."""
    values = values.copy()
    everybody = np.median(values[:, HELD:], 0)
    for rows in persons:
        values[rows, HELD:] -= USUAL * (np.median(values[rows, HELD:], 0) - everybody)
    return values


def shared_opening(standard: np.ndarray, spread: float) -> np.ndarray:
    """Standardised measures (N, len(NAMES)) with the mouth's opening, the sum of OPENING over `spread`, as each of SHARED, less
    what a grin does to it, as the reader says it."""
    shared = standard.copy()
    shared[:, SHARED] = (standard[:, OPENING].sum(1) / spread)[:, None]
    return without_grins(torch.from_numpy(shared)).numpy()
