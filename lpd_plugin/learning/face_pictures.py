"""Faces with their measures as a training step sees them: drawn evenly over people, moved, bent, recoloured, before any
ground."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..networks.face_reader import FACE_VIEW, HELD, NAMES, SEEN
from .augmentation import PoseAugmentation, swapped_backgrounds
from .data.store import Heads
from .face_marks import FaceMarks
from .face_measures import OPENING, USUAL, mean_shape, measures, shared_opening, without_usual
from .painter_pairs import coarsened

CANDIDATES = 3  # frames of which the one with the most unusual expression is taken, in half of the draws
BEND = 0.05  # half sides: spread of the bends that give a face another one's proportions
BENDS = 5  # places a side that bend on their own


class MeasuredFaces:
    """A store's faces and what is measured on them: `values` (rows, 14), see face_reader.NAMES.

    `known`: the training faces, whose shape and spread measure held-out ones, too. `mouths`: other marks of the same rows, by
    which what the reader sees of mouths (SEEN) is measured; a finder whose errors nobody can learn teaches an opening mouth better
    than one that finds everything else better (docs/weights.md).
    """

    def __init__(
        self, store: Heads, marks: FaceMarks, known: "MeasuredFaces | None" = None, mouths: FaceMarks | None = None
    ):
        self.store, self.marks, self.mouths, mirror = store, marks, mouths or marks, marks.mirrored()
        self.shape = known.shape if known else mean_shape(np.concatenate((marks.points, mirror.points)))
        self.persons = [
            np.concatenate([np.arange(store.clips[c].start, store.clips[c].stop) for c in clips])
            for clips in store.by_person().values()
        ]
        values, other = self.of_points(marks, self.mouths), self.of_points(mirror, self.mouths.mirrored())
        self.values = without_usual(values, self.persons)
        mirrored = without_usual(other, self.persons)
        self.measured, self.measured_mirrored = values, other
        self.usual, self.usual_mirrored = values - self.values, other - mirrored
        everything = np.concatenate((self.values, mirrored))
        self.centre, self.spread = (known.centre, known.spread) if known else (everything.mean(0), everything.std(0) + 1e-6)
        self.opening = known.opening if known else float(((everything - self.centre) / self.spread)[:, OPENING].sum(1).std()) + 1e-6
        self.unusual = np.abs(self.standard(self.values)[:, HELD:]).mean(1)

    def of_points(self, marks: FaceMarks, mouths: FaceMarks) -> np.ndarray:
        """What is measured (N, 14) on faces with these marks, and on their mouths by the others."""
        values = measures(marks.points, marks.gaze, self.shape)
        if mouths is not marks:
            seen = [NAMES.index(name) for name in SEEN]
            values[:, seen] = measures(mouths.points, mouths.gaze, self.shape)[:, seen]
        return values

    def standard(self, values: np.ndarray) -> np.ndarray:
        """Measures with mean 0 and spread 1 over the training faces, those of an opening mouth shared."""
        return shared_opening((values - self.centre) / self.spread, self.opening)

    def rows(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count,) rows: persons evenly, unusual expressions more often."""
        rows = []
        for person in random.choice(len(self.persons), count, replace=count > len(self.persons)):
            some = random.choice(self.persons[person], CANDIDATES)
            rows.append(some[np.argmax(self.unusual[some])] if random.random() < 0.5 else some[0])
        return np.array(rows)


class ShownFaces:
    """What a face reader sees at a step, which follows from seed and step alone; `side` in pixels."""

    def __init__(self, faces: MeasuredFaces, batch: int, side: int, seed: int, device: torch.device | str = "cpu"):
        self.faces, self.batch, self.side, self.seed, self.device = faces, batch, side, seed, torch.device(device)
        self.augment = PoseAugmentation("colours").to(self.device)

    @torch.no_grad()
    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Views of faces (B, 3, side, side) in [0, 1], standardised measures (B, 14) and the points they come from
        (B, 68, 2), in half sides of the view. Sets torch's global seed."""
        random = np.random.default_rng((self.seed, step))
        torch.manual_seed(int(random.integers(1 << 62)))
        rows, turn, mirror = self.faces.rows(self.batch, random), self._moves(random), random.random(self.batch) < 0.5
        bends = torch.from_numpy(random.normal(0, BEND, (self.batch, 2, BENDS, BENDS))).float()
        bends = bends * torch.from_numpy(random.random((self.batch, 1, 1, 1))).float()
        marks = self._moved(self.faces.marks, rows, turn, mirror, bends)
        same = self.faces.mouths is self.faces.marks
        mouths = marks if same else self._moved(self.faces.mouths, rows, turn, mirror, bends)
        measured, points = self.faces.of_points(marks, mouths), marks.points * 2 - 1
        values = self.faces.standard(self._meant(measured, rows, mirror))
        values, points = (torch.from_numpy(t).float().to(self.device) for t in (values, points / FACE_VIEW))
        return self._views(rows, turn, bends, mirror), values.clamp(-4, 4), points

    def _moved(self, marks: FaceMarks, rows: np.ndarray, turn: np.ndarray, mirror: np.ndarray, bends: torch.Tensor) -> FaceMarks:
        """The marks of rows in the views that are shown of them, in shares of the crop's side."""
        seen, other = marks[rows], marks[rows].mirrored()
        points = np.where(mirror[:, None, None], other.points, seen.points) * 2 - 1
        return FaceMarks((moved_points(points, turn, bends) + 1) / 2, np.where(mirror, other.gaze, seen.gaze))

    def _meant(self, measured: np.ndarray, rows: np.ndarray, mirror: np.ndarray) -> np.ndarray:
        """What is measured (B, 14) on bent faces, less what is usual: of the person, and of the person that bends made of it,
        whose longer chin is no opener mouth."""
        faces = self.faces
        before = np.where(mirror[:, None], faces.measured_mirrored[rows], faces.measured[rows])
        usual = np.where(mirror[:, None], faces.usual_mirrored[rows], faces.usual[rows])
        bent_to = np.zeros_like(measured)
        bent_to[:, HELD:] = USUAL * (measured - before)[:, HELD:]
        return measured - usual - bent_to

    def _views(self, rows: np.ndarray, turn: np.ndarray, bends: torch.Tensor, mirror: np.ndarray) -> torch.Tensor:
        pictures, masks = (t.to(self.device) for t in self.faces.store.pictures(rows))
        both = torch.cat((pictures, masks), 1)
        axis = FACE_VIEW * ((torch.arange(self.side) * 2 + 1) / self.side - 1)
        places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).expand(len(rows), -1, -1, -1)
        # A sampling grid wants where each place comes from, points where each comes to: the inverse.
        back = torch.from_numpy(np.linalg.inv(turn)[:, :2]).float()
        grid = torch.einsum("bij,bhwj->bhwi", back[:, :, :2], places) + back[:, None, None, :, 2] + bent(bends, places)
        grid[..., 0] *= torch.from_numpy(np.where(mirror, -1.0, 1.0)).float()[:, None, None]
        both = F.grid_sample(both, grid.to(self.device), mode="bilinear", padding_mode="reflection", align_corners=False)
        return self.augment(coarsened(swapped_backgrounds(both[:, :3], both[:, 3:], 0.5)))

    def _moves(self, random: np.random.Generator) -> np.ndarray:
        """(B, 3, 3) turned by up to 25 degrees, mostly less, 15 % larger or smaller, moved by up to 7 % of the side."""
        angle = random.uniform(-0.45, 0.45, self.batch) * np.sqrt(random.random(self.batch))
        size = np.exp(random.uniform(-0.15, 0.15, self.batch))
        cosine, sine = size * np.cos(angle), size * np.sin(angle)
        x, y = random.uniform(-0.14, 0.14, (2, self.batch))
        zero, one = np.zeros(self.batch), np.ones(self.batch)
        return np.stack((cosine, -sine, x, sine, cosine, y, zero, zero, one), 1).reshape(-1, 3, 3)


def bent(bends: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """How far bends (B, 2, n, n), smooth in between, move places (B, h, w, 2) in half sides: (B, h, w, 2)."""
    moved = F.grid_sample(bends, places, mode="bicubic", padding_mode="border", align_corners=True)
    return moved.permute(0, 2, 3, 1)


def moved_points(points: np.ndarray, turn: np.ndarray, bends: torch.Tensor) -> np.ndarray:
    """Where points (B, P, 2) of a picture lie in one whose place q shows the place inverse(turn) q + bends(q) of it.

    Found by going back and forth, which converges because bends are small and smooth.
    """
    shown = points
    for _ in range(4):
        off = bent(bends, torch.from_numpy(shown).float()[:, :, None])[:, :, 0].double().numpy()
        shown = np.einsum("nij,npj->npi", turn[:, :2, :2], points - off) + turn[:, None, :2, 2]
    return shown
