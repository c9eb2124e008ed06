"""The hinge game between generator and discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def generator_hinge(score_fake: torch.Tensor) -> torch.Tensor:
    """-mean(D(fake)); score (B,)."""
    return -score_fake.mean()


def discriminator_hinge(score_fake: torch.Tensor, score_real: torch.Tensor) -> torch.Tensor:
    """mean(max(0, 1 - D(real))) + mean(max(0, 1 + D(fake))); scores (B,)."""
    return F.relu(1 - score_real).mean() + F.relu(1 + score_fake).mean()
