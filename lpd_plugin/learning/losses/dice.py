"""Mask overlap."""

from __future__ import annotations

import torch


def dice_loss(mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """-log( 2 sum(m m') / (sum(m^2) + sum(m'^2)) ), sums over the whole batch (B, 1, S, S); scalar."""
    overlap = 2 * (mask * target).sum()
    return -torch.log(overlap / (mask.square().sum() + target.square().sum()))
