"""What an adapted person is judged by while it adapts: the model's own encoders, on what it did not learn from."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ...networks.model import ReenactmentModel
from ..losses.laplacian import centre_weight, laplacian_loss
from .curve import Measurement
from .views import Frames, farthest_points

JUDGED_POSES = 12  # of the weights' bank, spread; never trained on
BACKGROUND = 0.5  # what generated heads stand before when an encoder looks at them
MICRO_BATCH = 4
NOT_SEEN = 3.0  # spreads


def pose_distance(again: torch.Tensor, wanted: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """mean(|again - wanted| / spread) of descriptors (B, D); spread (D,), the bank's standard deviation. Scalar.

    Where no face is seen again (NaN) the distance is 3 spreads.
    """
    return ((again - wanted) / spread).abs().nan_to_num(NOT_SEEN).mean()


def on_grey(rgb: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Heads (B, 3, S, S) before the same grey, in [0, 1]: what encoders are shown."""
    return (rgb * mask + BACKGROUND * (1 - mask)).clamp(0, 1)


def split_bank(bank: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The bank's poses (N, D) to train on, and those to judge by, spread over the bank (at most a third of it)."""
    count = min(JUDGED_POSES, len(bank) // 3)
    if not count:
        return bank, bank[:0]
    judged = farthest_points(bank.cpu().numpy(), count)
    kept = torch.ones(len(bank), dtype=torch.bool)
    kept[judged] = False
    return bank[kept.to(bank.device)], bank[judged]


class Judge:
    """Measures what draws a person on held-out frames and on poses of other people.

    foreign (F, D): drivers' descriptors that were not trained on; where there are none (weights without a bank of
    poses), the held-out frames' own poses stand in for them. read: the part of the pose encoder that says whether a
    head follows, (B, 3, S, S) -> (B, P), the last P numbers of a descriptor; spread (P,) of those. whose: says whom pictures
    show, (B, 3, S, S) -> (B, E); the model's identity encoder where it is None.
    """

    def __init__(
        self, model: ReenactmentModel, held_out: Frames, foreign: torch.Tensor, spread: torch.Tensor, centre_ratio: float,
        read: Callable, encode: Callable | None = None, whose: Callable | None = None,
    ):  # fmt: skip
        self.spread, self.read = spread, read
        self.whose = whose or (lambda pictures: model.identity_encoder.per_picture(pictures[None])[0])
        self.pictures, self.masks = held_out.floats()
        self.centre = centre_weight(self.pictures.shape[-1], centre_ratio, self.pictures.device)
        with torch.no_grad():
            self.poses = torch.cat([(encode or read)(p) for p in self.pictures.split(MICRO_BATCH)])
            alone = on_grey(self.pictures, self.masks)
            self.read_alone = torch.cat([read(p) for p in alone.split(MICRO_BATCH)])
            self.person = self._embeddings(alone).mean(0, keepdim=True)
        self.foreign = foreign if len(foreign) else self.poses

    @torch.no_grad()
    def measure(self, draw: Callable, embedding: torch.Tensor, step: int) -> Measurement:
        """Reconstruction, pose and identity of what draws, a generator or painting, with an identity embedding
        (identity_size,)."""
        error, own = 0.0, 0.0
        parts = zip(*(t.split(MICRO_BATCH) for t in (self.poses, self.pictures, self.masks, self.read_alone)))
        for poses, pictures, masks, read in parts:
            rgb, mask = draw(embedding.expand(len(poses), -1), poses)
            error += float(laplacian_loss(rgb * mask, pictures * masks, self.centre)) * len(poses)
            own += float(self._off(on_grey(rgb, mask), read)) * len(poses)
        distance, likeness = 0.0, 0.0
        for poses in self.foreign.split(MICRO_BATCH):
            heads = on_grey(*draw(embedding.expand(len(poses), -1), poses))
            distance += float(self._off(heads, poses)) * len(poses)
            likeness += float(F.cosine_similarity(self._embeddings(heads), self.person).sum())
        count = len(self.foreign)
        return Measurement(step, error / len(self.poses), distance / count, 1 - likeness / count, own / len(self.poses))

    def _off(self, heads: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """How far from `poses` what is read off these heads is."""
        again = self.read(heads)
        return pose_distance(again, poses[:, -again.shape[1] :], self.spread)

    def _embeddings(self, heads: torch.Tensor) -> torch.Tensor:
        parts = heads.split(MICRO_BATCH)
        return torch.cat([self.whose(p) for p in parts])
