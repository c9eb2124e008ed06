"""Multi-scale content loss that needs no downloaded network."""

from __future__ import annotations

import torch
import torch.nn.functional as F

LEVEL_WEIGHTS = (1.0, 2.0, 3.0, 4.0, 6.0)  # fine to coarse; measured, see docs/weights.md


def laplacian_pyramid(picture: torch.Tensor, levels: int) -> list[torch.Tensor]:
    """Band-pass pictures, fine to coarse; the last one is the low-pass rest. picture (B, C, S, S)."""
    bands = []
    for _ in range(levels - 1):
        low = F.avg_pool2d(picture, 2)
        bands.append(picture - F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False))
        picture = low
    return [*bands, picture]


def laplacian_loss(picture: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """sum_l w_l * mean(weight_l * |L_l(picture) - L_l(target)|), L_l the Laplacian pyramid's levels.

    Args: picture, target (B, C, S, S), S a multiple of 16; weight (1 or B, 1, S, S) with mean 1, or None.
    Source: the Laplacian pyramid loss of Bojanowski et al. 2018, with weights rising towards coarse levels.
    """
    # The pyramid is linear: one pyramid of the difference does for both.
    total = picture.new_zeros(())
    for level_weight, band in zip(LEVEL_WEIGHTS, laplacian_pyramid(picture - target, len(LEVEL_WEIGHTS))):
        error = band.abs()
        if weight is not None:
            error = error * F.adaptive_avg_pool2d(weight, band.shape[-2:])
        total = total + level_weight * error.mean()
    return total


def centre_weight(side: int, ratio: float, device=None) -> torch.Tensor:
    """(1, 1, side, side) with mean 1: `ratio` times as much over eyes and mouth as at the border.

    The crop is centred on the face box, so the middle is where expression lives.
    """
    axis = torch.linspace(-1, 1, side, device=device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    bump = torch.exp(-0.5 * ((x / 0.35) ** 2 + ((y - 0.05) / 0.40) ** 2))
    weight = 1 + (ratio - 1) * bump
    return (weight / weight.mean())[None, None]
