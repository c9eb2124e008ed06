"""How heads are held, from where the points of their faces are: a mean face, turned and scaled for each picture (weak
perspective)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

POINTS = 68  # in the usual order: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, lips 48-67
FITTED = [*range(17, 48), 48, 54, 0, 16]  # points that speaking moves little
TINY = 0.005  # of the side: faces smaller than that have no turn of their own, and gradients stay finite
AHEAD = 1e-4  # a face that is one point looks straight ahead


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
    """How N heads are held: rotation (N, 3, 3) from the mean face to the picture, scale (N,) in sides of the picture, place
    (N, 2) of the face's middle in them."""

    rotation: torch.Tensor
    scale: torch.Tensor
    place: torch.Tensor

    def turns(self) -> torch.Tensor:
        """(N, 3) roll, yaw and pitch in radians: atan2(r10, r00), atan2(-r20, |(r00, r10)|), atan2(r21, r22)."""
        r = self.rotation
        yaw = torch.atan2(-r[:, 2, 0], torch.hypot(r[:, 0, 0], r[:, 1, 0]))
        return torch.stack((torch.atan2(r[:, 1, 0], r[:, 0, 0]), yaw, torch.atan2(r[:, 2, 1], r[:, 2, 2])), 1)

    def numbers(self) -> torch.Tensor:
        """(N, 6) place from the picture's middle, x and y, log scale, roll, yaw, pitch."""
        return torch.cat((self.place - 0.5, self.scale.log()[:, None], self.turns()), 1)

    def own(self, points: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        """What points (N, P, 2) have beyond the rigid head, whose shape (P, 3) lies around the same middle: offsets upright
        and in units of the shape, (N, P, 2)."""
        rigid = torch.einsum("nij,pj->npi", self.rotation[:, :2], shape) * self.scale[:, None, None] + self.place[:, None]
        return self.upright(points - rigid)

    def upright(self, points: torch.Tensor) -> torch.Tensor:
        """Points (N, P, 2) turned back by the roll, in units of the shape."""
        roll = self.turns()[:, 0]
        cosine, sine = roll.cos(), roll.sin()
        turn = torch.stack((cosine, sine, -sine, cosine), 1).unflatten(1, (2, 2))
        return torch.einsum("nij,npj->npi", turn, points) / self.scale[:, None, None]


def fit_held(points: torch.Tensor, shape: torch.Tensor) -> Held:
    """How heads with points (N, P, 2) in sides of the picture are held, for a shape (P, 3) around the origin.

    The linear fit A (2 x 3), made orthonormal by its polar part: with M = A A^T, rotation (M^(1/2))^-1 A, and half the trace of
    M^(1/2) = (M + d I) / sqrt(tr M + 2 d) the scale, d = sqrt(det M).
    """
    place = points.mean(1)
    affine = torch.einsum("npi,pj->nij", points - place[:, None], shape) @ torch.linalg.inv(shape.T @ shape)
    affine = affine + AHEAD * torch.eye(2, 3, device=points.device, dtype=points.dtype)
    both = torch.eye(2, device=points.device, dtype=points.dtype)
    squared = affine @ affine.mT + TINY**2 * both
    root_det = torch.linalg.det(squared).clamp_min(TINY**4).sqrt()
    sides = (squared.diagonal(dim1=1, dim2=2).sum(1) + 2 * root_det).sqrt()
    root = (squared + root_det[:, None, None] * both) / sides[:, None, None]
    rows = torch.linalg.solve(root, affine)
    rotation = torch.cat((rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]), 1)
    return Held(rotation, sides / 2, place)
