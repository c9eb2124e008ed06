"""Pose encoders of other methods, for comparison: parameters named as in their released checkpoints.

X2Face (Wiles, Koepke and Zisserman, ECCV 2018): the first half of its driving network, a pix2pix U-Net without skips.
FAb-Net (Wiles, Koepke and Zisserman, BMVC 2018): eight strided convolutions. Both take RGB in [0, 1] at 256 px.
"""

from __future__ import annotations

import torch
from torch import nn

X2FACE_WIDTHS = (3, 64, 128, 256, 512, 512, 512, 512, 128)
FABNET_WIDTHS = (3, 32, 64, 128, 256, 256, 256, 256, 256)
X2FACE_SIZE, FABNET_SIZE = X2FACE_WIDTHS[-1], FABNET_WIDTHS[-1]
SLOPE = 0.2  # of the leaky ReLUs


class _Level(nn.Module):
    """One halving, and the levels below it: the network's nesting, which the names of its parameters show."""

    def __init__(self, widths: tuple[int, ...], first: bool = False):
        super().__init__()
        below = len(widths) > 2
        layers: list[nn.Module] = [] if first else [nn.LeakyReLU(SLOPE)]
        layers.append(nn.Conv2d(widths[0], widths[1], 4, 2, 1, bias=False))
        if below and not first:
            layers.append(nn.BatchNorm2d(widths[1]))
        self.down = nn.Sequential(*layers)
        self.submodule = _Level(widths[1:]) if below else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(x)
        return x if self.submodule is None else self.submodule(x)


class X2FaceEncoder(_Level):
    """(B, 3, 256, 256) -> the driving vector (B, 128)."""

    def __init__(self):
        super().__init__(X2FACE_WIDTHS, first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).flatten(1)


class FabNetEncoder(nn.Sequential):
    """(B, 3, 256, 256) -> the embedding (B, 256)."""

    def __init__(self):
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(zip(FABNET_WIDTHS, FABNET_WIDTHS[1:])):
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
            if 0 < index < len(FABNET_WIDTHS) - 2:
                layers.append(nn.BatchNorm2d(outputs))
            if index < len(FABNET_WIDTHS) - 2:
                layers.append(nn.LeakyReLU(SLOPE))
        super().__init__(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).flatten(1)
