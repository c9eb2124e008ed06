"""MobileNetV2, the published pose backbone; parameter names as in torchvision."""

from __future__ import annotations

import torch
from torch import nn

# expansion, channels, repeats, first stride (Sandler et al. 2018, table 2)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
LAST_CHANNELS = 1280


def _conv_norm_relu(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, 1x1 projection; residual where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        layers = [_conv_norm_relu(inputs, hidden, 1)] if expansion != 1 else []
        layers += [_conv_norm_relu(hidden, hidden, 3, stride, groups=hidden)]
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """(B, 3, H, W) in [0, 1] -> (B, outputs)."""

    def __init__(self, outputs: int):
        super().__init__()
        layers, inputs = [_conv_norm_relu(3, 32, 3, 2)], 32
        for expansion, channels, repeats, first_stride in STAGES:
            for index in range(repeats):
                layers.append(InvertedResidual(inputs, channels, first_stride if index == 0 else 1, expansion))
                inputs = channels
        layers.append(_conv_norm_relu(inputs, LAST_CHANNELS, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST_CHANNELS, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
