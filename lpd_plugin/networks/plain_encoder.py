"""The compact backbone: plain strided convolutions with group norm and residuals."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

GROUP_SIZE = 8  # channels a group


def normed(channels: int) -> nn.GroupNorm:
    """Group norm of groups of GROUP_SIZE channels."""
    return nn.GroupNorm(channels // GROUP_SIZE, channels)


class Stage(nn.Module):
    """Stride-2 convolution, then one residual pair of 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.reduce = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.norm0 = normed(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1 = normed(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = normed(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.norm0(self.reduce(x)))
        out = self.norm2(self.conv2(F.silu(self.norm1(self.conv1(x)))))
        return F.silu(x + out)


class PlainEncoder(nn.Module):
    """(B, 3, S, S) in [0, 1] -> (B, outputs).

    keep_layout: True flattens the last map, so that where something is counts (pose);
    False averages it (identity). `size` is S, needed to know the last map.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...], size: int, keep_layout: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 5, 2, 2)
        self.stages = nn.Sequential(*(Stage(a, b) for a, b in zip(widths, widths[1:])))
        side = size // 2 ** len(widths)
        self.squeeze = nn.Conv2d(widths[-1], 32, 1) if keep_layout else None
        self.output = nn.Linear(32 * side * side if keep_layout else widths[-1], outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stages(F.silu(self.stem(x - 0.5)))
        return self.output(x.mean((2, 3)) if self.squeeze is None else self.squeeze(x).flatten(1))
