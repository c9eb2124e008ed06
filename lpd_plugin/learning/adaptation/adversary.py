"""The discriminator's part in adaptation, where the weights hold one."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...networks.discriminator import Discriminator
from ..losses.adversarial import discriminator_hinge, generator_hinge
from ..losses.embedding_match import embedding_match
from ..losses.feature_matching import feature_matching
from ..training_config import PAPER_WEIGHTS


class Adversary:
    """A copy of a trained discriminator whose table of videos is one row: the person, starting as its embedding.

    The row is not spectrally normalised: the norm of a single row is the row itself, and its length would be lost.
    """

    def __init__(self, discriminator: Discriminator, embedding: torch.Tensor, rate: float):
        self.discriminator = copy.deepcopy(discriminator).train().requires_grad_(True)
        row = nn.Embedding(1, embedding.shape[-1], device=embedding.device)
        with torch.no_grad():
            row.weight.copy_(embedding.detach()[None])
        self.discriminator.label_embedding = row
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), rate, betas=(0.0, 0.999), eps=1e-5)

    def generator_loss(self, picture: torch.Tensor, target: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Weighted adversarial, feature matching and embedding match terms for rgb * mask (B, 3, S, S); scalar."""
        label = torch.zeros(len(picture), dtype=torch.int64, device=picture.device)
        self.discriminator.requires_grad_(False)
        score, fake = self.discriminator(picture, label)
        with torch.no_grad():
            _, real = self.discriminator(target, label)
            row = self.discriminator.label_embedding(label[:1])
        self.discriminator.requires_grad_(True)
        weights = PAPER_WEIGHTS
        return (
            weights["adversarial"] * generator_hinge(score)
            + weights["feature_matching"] * feature_matching(fake, real)
            + weights["embedding_match"] * embedding_match(embedding[None], row)
        )

    def step(self, fake: torch.Tensor, real: torch.Tensor) -> None:
        """One step of the discriminator on detached fakes (B, 3, S, S)."""
        label = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)
        loss = discriminator_hinge(self.discriminator(fake, label)[0], self.discriminator(real, label)[0])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
