"""What one forward pass of training computes, as modules that several processes can share."""

from __future__ import annotations

import torch
from torch import nn

from ..networks.discriminator import Discriminator
from ..networks.model import ReenactmentModel
from .losses.total import LossTerms


class GeneratorPass(nn.Module):
    """Identity pictures (V, K, 3, S, S) and driving pictures (V*T, 3, S, S), or descriptors of them (V*T, D), -> rgb,
    mask, and the identity embedding of every identity picture (V, K, E)."""

    def __init__(self, model: ReenactmentModel):
        super().__init__()
        self.model = model

    def forward(self, identity: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        each = self.model.identity_encoder.per_picture(identity)
        mean = each.mean(1).repeat_interleave(len(pose) // len(identity), 0)
        rgb, mask = self.model.generator(mean, self.model.pose_encoder(pose))
        return rgb, mask, each


class DiscriminatorPass(nn.Module):
    """The discriminator's loss on detached generated pictures (V*T, 3, S, S) and their sample."""

    def __init__(self, discriminator: Discriminator, losses: LossTerms):
        super().__init__()
        self.discriminator, self.losses = discriminator, losses

    def forward(self, fake: torch.Tensor, sample: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.losses.discriminator_loss(self.discriminator, fake, sample)
