"""The head matte network: which pixels of a head crop are the person."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 64, 96, 128)  # at 1/2, 1/4, 1/8, 1/16, 1/32 of the crop's side


def _pair(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(outputs // 8, outputs), nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.GroupNorm(outputs // 8, outputs), nn.SiLU(),
    )  # fmt: skip


class HeadMatte(nn.Module):
    """A U-Net of about 1 M parameters; works at half the crop's side and refines with the picture itself."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(_pair(a, b, 2) for a, b in zip((3, *WIDTHS), WIDTHS))
        self.up = nn.ModuleList(_pair(a + b, b) for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.coarse = nn.Conv2d(WIDTHS[0], 8, 3, padding=1)
        self.refine = nn.Sequential(nn.Conv2d(11, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 1, 3, padding=1))

    def logits(self, crops: torch.Tensor) -> torch.Tensor:
        """Mask before the sigmoid; shapes as `forward`."""
        x, skips = crops - 0.5, []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1]):
            x = block(torch.cat((F.interpolate(x, scale_factor=2, mode="nearest"), skip), 1))
        coarse = F.interpolate(self.coarse(x), scale_factor=2, mode="bilinear", align_corners=False)
        return coarse[:, :1] + self.refine(torch.cat((coarse, crops - 0.5), 1))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) RGB in [0, 1], S a multiple of 32 -> (B, 1, S, S) in [0, 1]."""
        return torch.sigmoid(self.logits(crops))
