"""What a painter's training step sees: two moments of a person, further apart than they mostly are."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..networks.painter import resized
from .data.store import Heads
from .face_marks import FaceMarks
from .losses.laplacian import centre_weight

THUMBNAIL = 32  # pixels: in that size moments are compared
ITSELF = 0.1  # share of pairs of one frame with itself: a head in the reference's own pose is the reference
TURN = 0.45  # radians: performers hold their heads up to this much more askew than the people to be painted
COARSE = (2, 5)  # a driver's face is often small: shown as if that many times smaller, and enlarged


class PainterPairs:
    """Chooses the frames of a step, which follow from seed and step alone.

    moments: of so many second moments of a clip the one that looks most different is taken, in most pairs. Two
    frames of one video hardly differ in where the head is and what the mouth does, and strangers do; for the same
    reason the second ones of most steps are also moved, enlarged and turned. marks: of the store's rows; without them no
    points are drawn.
    """

    def __init__(self, store: Heads, pairs: int, seed: int, moments: int = 3, marks: FaceMarks | None = None):
        self.store, self.pairs, self.seed, self.moments, self.marks = store, pairs, seed, moments, marks
        self.persons = list(store.by_person().values())
        self.centre = centre_weight(THUMBNAIL, 5.0)

    @torch.no_grad()
    def draw(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (2P, 3, S, S) and masks (2P, 1, S, S), in [0, 1], at the store's side: P first moments, then the second
        ones; and where the points of their faces are, in half sides from the middle (2P, 68 or 0, 2)."""
        random = np.random.default_rng((self.seed, step))
        torch.manual_seed(int(random.integers(1 << 62)))
        rows = []
        for person in random.choice(len(self.persons), self.pairs, replace=self.pairs > len(self.persons)):
            clip = self.store.clips[int(random.choice(self.persons[person]))]
            rows.append(random.integers(clip.start, clip.stop, 1 + self.moments))
        rows = np.stack(rows)
        second = rows[np.arange(self.pairs), 1 + self._most_different(rows, random)]
        second = np.where(random.random(self.pairs) < ITSELF, rows[:, 0], second)
        rows = np.concatenate((rows[:, 0], second))
        both, points = torch.cat(self.store.pictures(rows), 1), self._points(rows)
        if random.random() < 0.5:
            both, points = both.flip(-1), self._points(rows, mirror=True)
        if random.random() < 0.7:
            both[self.pairs :], points[self.pairs :] = displaced(both[self.pairs :], points[self.pairs :])
        return both[:, :3], both[:, 3:], points

    def _points(self, rows: np.ndarray, mirror: bool = False) -> torch.Tensor:
        if self.marks is None:
            return torch.zeros(len(rows), 0, 2)
        marks = self.marks[rows].mirrored() if mirror else self.marks[rows]
        return torch.from_numpy(marks.points * 2 - 1).float()

    def _most_different(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Of rows (P, 1 + moments): which of the later ones looks least like the first, in most pairs; else any."""
        heads = self._thumbnails(rows)
        apart = ((heads[:, 1:] - heads[:, :1]).abs() * self.centre).mean((2, 3, 4)).argmax(1).numpy()
        any_of_them = random.integers(0, self.moments, self.pairs)
        return np.where(random.random(self.pairs) < 0.7, apart, any_of_them)

    def _thumbnails(self, rows: np.ndarray) -> torch.Tensor:
        pictures, masks = self.store.pictures(rows.ravel())
        return resized(pictures * masks, THUMBNAIL).unflatten(0, rows.shape)


def displaced(pictures: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, C, S, S) and points on them (B, N, 2), in half sides, turned by up to 26 degrees, mostly less, 10 % larger
    or smaller, moved by up to 7 % of the side."""

    def within(limit: float) -> torch.Tensor:
        return (torch.rand(len(pictures), device=pictures.device) * 2 - 1) * limit

    angle, size = within(TURN) * within(1.0).abs().sqrt(), torch.exp(within(0.1))
    cosine, sine = size * angle.cos(), size * angle.sin()
    theta = torch.stack((cosine, -sine, within(0.14), sine, cosine, within(0.14)), 1).unflatten(1, (2, 3))
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    # The grid says where each place comes from, points go the other way.
    points = torch.linalg.solve(theta[:, :, :2], (points - theta[:, None, :, 2]).mT).mT
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False), points


def coarsened(pictures: torch.Tensor, probability: float = 0.4) -> torch.Tensor:
    """Some pictures (B, 3, S, S) as if the camera had seen the head small."""
    side = pictures.shape[-1] // int(torch.randint(*COARSE, ()))
    coarse = resized(resized(pictures, side), pictures.shape[-1])
    return torch.where(torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < probability, coarse, pictures)
