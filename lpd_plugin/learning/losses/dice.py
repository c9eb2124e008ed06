"""Mask overlap."""

from __future__ import annotations

import torch

SMALLEST_OVERLAP = 1e-6  # a batch without any foreground would otherwise give log 0 and destroy the weights


def dice_loss(mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """-log( 2 sum(m m') / (sum(m^2) + sum(m'^2)) ), sums over the whole batch (B, 1, S, S); scalar.

    Where the masks do not overlap at all, the largest finite value, without gradient.
    """
    overlap = 2 * (mask * target).sum()
    squares = (mask.square().sum() + target.square().sum()).clamp_min(SMALLEST_OVERLAP)
    return -torch.log((overlap / squares).clamp_min(SMALLEST_OVERLAP))
