"""From 68 points to the numbers that a pose is measured by: how the head is held, and what the face does.

The head's turn needs a face with depth. It is found from the training points alone: a mean shape that, turned and scaled
for each picture (weak perspective), explains where the points are; poses and shape are fitted in turn, as in
factorisation (Tomasi and Kanade 1992) with rotations kept orthonormal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .face_marks import POINTS

NAMES = (
    "x", "y", "size", "roll", "yaw", "pitch", "lips apart", "jaw down", "mouth width", "corners up", "eyes open", "brows up",
    "lips forward", "gaze",
)  # fmt: skip
HELD = 6  # the first so many say how the head is held, the rest what the face does
# How much of a person's usual value is taken out of each expression: a closed mouth is closed for everybody, a wide
# mouth may be a smile or how somebody looks.
USUAL = np.array([0.0, 0.7, 0.6, 0.7, 0.3, 0.8, 0.8, 0.5])
FITTED = [*range(17, 48), 48, 54, 0, 16]  # points that speaking moves little


def rough_shape() -> np.ndarray:
    """(68, 3) a face to begin with, right, down and away from the camera, nose at the front."""
    shape = np.zeros((POINTS, 3))
    angle = np.linspace(-1.45, 1.45, 17)
    shape[:17] = np.stack((np.sin(angle), np.cos(angle) * 1.2 - 0.2, 1 - np.cos(angle) * 0.9), 1)
    shape[17:22] = np.stack((np.linspace(-0.8, -0.2, 5), np.full(5, -0.55), np.array([0.45, 0.3, 0.2, 0.15, 0.1])), 1)
    shape[22:27] = shape[21:16:-1] * (-1, 1, 1)
    shape[27:31] = np.stack((np.zeros(4), np.linspace(-0.35, 0.15, 4), np.linspace(0.1, -0.3, 4)), 1)
    shape[31:36] = np.stack((np.linspace(-0.2, 0.2, 5), np.full(5, 0.3), np.array([0.1, 0.0, -0.1, 0.0, 0.1])), 1)
    shape[36:42, 0], shape[42:48, 0] = (-0.6, -0.5, -0.35, -0.25, -0.35, -0.5), (0.25, 0.35, 0.5, 0.6, 0.5, 0.35)
    shape[36:48, 1], shape[36:48, 2] = -0.3, 0.25
    shape[48:60, 0] = (-0.4, -0.25, -0.1, 0, 0.1, 0.25, 0.4, 0.25, 0.1, 0, -0.1, -0.25)
    shape[60:68, 0] = (-0.35, -0.1, 0, 0.1, 0.35, 0.1, 0, -0.1)
    shape[48:68, 1], shape[48:68, 2] = 0.6, 0.05
    return shape


@dataclass
class Held:
    """How N heads are held: rotation (N, 3, 3) from the mean shape to the picture, scale (N,), place (N, 2)."""

    rotation: np.ndarray
    scale: np.ndarray
    place: np.ndarray


def fit_held(marks: np.ndarray, shape: np.ndarray) -> Held:
    """Weak-perspective poses of marks (N, P, 2) for a shape (P, 3) around the origin: the linear fit, made orthonormal."""
    place = marks.mean(1)
    affine = np.einsum("npi,pj->nij", marks - place[:, None], shape) @ np.linalg.inv(shape.T @ shape)  # (N, 2, 3)
    u, s, v = np.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    return Held(np.concatenate((rows, np.cross(rows[:, 0], rows[:, 1])[:, None]), 1), s.mean(1), place)


def mean_shape(marks: np.ndarray, rounds: int = 15) -> np.ndarray:
    """(68, 3) the face that explains marks (N, 68, 2) best, mirror-symmetric by its data (give mirrored ones, too)."""
    shape = rough_shape()
    for _ in range(rounds):
        held = fit_held(marks[:, FITTED], shape[FITTED] - shape[FITTED].mean(0))
        rows = held.scale[:, None, None] * held.rotation[:, :2]  # (N, 2, 3)
        moved = marks - held.place[:, None]
        inverse = np.linalg.inv(np.einsum("nij,nik->jk", rows, rows))
        shape = np.einsum("jk,nik,npi->pj", inverse, rows, moved)
        shape -= shape[FITTED].mean(0)
        shape /= shape.std()
    return shape


def measures(marks: np.ndarray, gaze: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(N, 14) of marks (N, 68, 2) and gaze (N,): see NAMES. Places and sizes in shares of the side, angles in radians,
    expressions in units of the mean shape; nobody's usual value is taken out yet."""
    middle = shape[FITTED].mean(0)
    held = fit_held(marks[:, FITTED], shape[FITTED] - middle)
    r = held.rotation
    yaw, pitch = np.arctan2(-r[:, 2, 0], np.hypot(r[:, 0, 0], r[:, 1, 0])), np.arctan2(r[:, 2, 1], r[:, 2, 2])
    roll = np.arctan2(r[:, 1, 0], r[:, 0, 0])
    # In the head's own frame: the picture's offsets that the rigid head leaves open, upright and at unit size.
    rigid = np.einsum("nij,pj->npi", r[:, :2], shape - middle) * held.scale[:, None, None] + held.place[:, None]
    turn = np.stack((np.cos(roll), np.sin(roll), -np.sin(roll), np.cos(roll)), 1).reshape(-1, 2, 2)
    own = np.einsum("nij,npj->npi", turn, marks - rigid) / held.scale[:, None, None]
    upright = np.einsum("nij,npj->npi", turn, marks) / held.scale[:, None, None]
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
    return np.stack([*(held.place.T - 0.5), np.log(held.scale), roll, yaw, pitch, *expression], 1)


def without_usual(values: np.ndarray, persons: list[np.ndarray]) -> np.ndarray:
    """Expressions less a share of the person's own median, and more of everybody's: persons are lists of row numbers."""
    values = values.copy()
    everybody = np.median(values[:, HELD:], 0)
    for rows in persons:
        values[rows, HELD:] -= USUAL * (np.median(values[rows, HELD:], 0) - everybody)
    return values
