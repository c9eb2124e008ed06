"""ResNeXt-50 (32x4d), the published identity backbone; parameter names as in torchvision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

GROUPS, WIDTH_PER_GROUP, EXPANSION = 32, 4, 4


class Bottleneck(nn.Module):
    """1x1, grouped 3x3, 1x1, each with batch norm; residual."""

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        width, outputs = planes * WIDTH_PER_GROUP * GROUPS // 64, planes * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=GROUPS, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


def _stage(inputs: int, planes: int, count: int, stride: int) -> nn.Sequential:
    blocks = [Bottleneck(inputs, planes, stride)]
    blocks += [Bottleneck(planes * EXPANSION, planes, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class ResNeXt50(nn.Module):
    """(B, 3, H, W) in [0, 1] -> (B, outputs). Source: Xie et al. 2017, layout 3-4-6-3."""

    def __init__(self, outputs: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 3, 1)
        self.layer2 = _stage(256, 128, 4, 2)
        self.layer3 = _stage(512, 256, 6, 2)
        self.layer4 = _stage(1024, 512, 3, 2)
        self.fc = nn.Linear(2048, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))
