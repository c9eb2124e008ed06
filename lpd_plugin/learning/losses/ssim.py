"""Structural similarity as a loss."""

from __future__ import annotations

import torch
from kornia.losses import ssim_loss as _ssim_loss


def ssim_loss(picture: torch.Tensor, target: torch.Tensor, window: int = 7) -> torch.Tensor:
    """mean((1 - SSIM) / 2) over (B, 3, S, S) pictures in [0, 1]; scalar. Source: Wang et al. 2004, kornia."""
    return _ssim_loss(picture.clamp(0, 1), target, window)
