"""A face recogniser: whom a head crop shows, as a direction in 128 dimensions.

MobileFaceNet (Chen et al. 2018), as its public trainings build it, so that their weights load.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# expansion, channels, repeats, first stride (Chen et al. 2018, MobileFaceNet, table 1)
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
INPUT_SIZE = (112, 96)
TAPS = (0, 4, 5, 11, 12)  # bottlenecks whose outputs are compared


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.PReLU(hidden),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.PReLU(hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class _ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1, padding=0, groups=1, activation=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs) if activation else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.prelu(self.bn(self.conv(x)))


class FaceRecogniser(nn.Module):
    """Head crops to feature maps and a unit embedding; 1.0 M parameters. Differentiable in its input."""

    def __init__(self):
        super().__init__()
        self.conv1 = _ConvNorm(3, 64, 3, 2, 1)
        self.dw_conv1 = _ConvNorm(64, 64, 3, 1, 1, groups=64)
        blocks, inputs = [], 64
        for expansion, channels, repeats, first in BOTTLENECKS:
            for index in range(repeats):
                blocks.append(_Bottleneck(inputs, channels, first if index == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.ModuleList(blocks)
        self.conv2 = _ConvNorm(128, 512, 1)
        self.linear7 = _ConvNorm(512, 512, (7, 6), groups=512, activation=False)
        self.linear1 = _ConvNorm(512, 128, 1, activation=False)

    def forward(self, crops: torch.Tensor) -> list[torch.Tensor]:
        """Head crops (B, 3, S, S) in [0, 1] -> feature maps and, last, the unit embedding (B, 128)."""
        side = crops.shape[-1]
        half = side / 1.8 / 2  # the face box inside the crop, by the crop rule
        top, bottom = round(side / 2 - half), round(side / 2 + half)
        left, right = round(side / 2 - half * 0.86), round(side / 2 + half * 0.86)
        x = F.interpolate(crops[:, :, top:bottom, left:right], INPUT_SIZE, mode="bilinear", align_corners=False)
        x = self.dw_conv1(self.conv1((x * 255 - 127.5) / 128))
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                features.append(x)
        embedding = self.linear1(self.linear7(self.conv2(x))).flatten(1)
        return [*features, F.normalize(embedding)]
