"""A small network that finds heads in a picture: one heat map with a box per cell.

The idea of predicting objects as peaks of a heat map with size and offset beside it is from
Zhou, Wang, Kraehenbuehl, "Objects as Points" (2019); the body is our own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8  # input pixels per cell of the heat map
SIZE_UNIT = 32.0  # pixels; sizes are predicted as log(pixels / SIZE_UNIT)


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip; `inner` channels between them."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.narrow = _convolution(channels, inner)
        self.widen = nn.Sequential(nn.Conv2d(inner, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.widen(self.narrow(x)))


class HeadFinder(nn.Module):
    """RGB in [0, 1], (N, 3, H, W) with H and W multiples of 32 -> (N, 5, H/8, W/8).

    Channels: 0 the heat map's logit; 1, 2 log(width / SIZE_UNIT), log(height / SIZE_UNIT) of the face
    box in input pixels; 3, 4 the box centre's x, y offset from the cell's centre, in cells.
    """

    def __init__(self):
        super().__init__()
        self.to_8 = nn.Sequential(
            _convolution(3, 16, 2), _convolution(16, 24, 2), _convolution(24, 48, 2), Residual(48, 48)
        )
        self.to_16 = nn.Sequential(_convolution(48, 64, 2), Residual(64, 48))
        self.to_32 = nn.Sequential(_convolution(64, 96, 2), Residual(96, 48), Residual(96, 48))
        self.lateral_8 = nn.Conv2d(48, 48, 1)
        self.lateral_16 = nn.Conv2d(64, 48, 1)
        self.lateral_32 = nn.Conv2d(96, 48, 1)
        self.merge_16 = _convolution(48, 48)
        self.merge_8 = _convolution(48, 48)
        self.heat = nn.Sequential(nn.Conv2d(48, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 1))
        self.geometry = nn.Sequential(nn.Conv2d(48, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 4, 1))
        nn.init.constant_(self.heat[-1].bias, -4.0)  # nearly every cell is empty

    def forward(self, picture: Tensor) -> Tensor:
        at_8 = self.to_8(picture - 0.5)
        at_16 = self.to_16(at_8)
        at_32 = self.to_32(at_16)
        coarse = self.merge_16(self.lateral_16(at_16) + F.interpolate(self.lateral_32(at_32), scale_factor=2.0))
        fine = self.merge_8(self.lateral_8(at_8) + F.interpolate(coarse, scale_factor=2.0))
        return torch.cat([self.heat(fine), self.geometry(fine)], dim=1)


def boxes_from_maps(maps: Tensor, threshold: float, limit: int = 20) -> Tensor:
    """Peaks of one picture's maps (5, h, w) as rows l, t, r, b, score in input pixels, best first; (K, 5)."""
    heat = maps[0].sigmoid()
    peak = heat == F.max_pool2d(heat[None, None], 3, 1, 1)[0, 0]
    rows, columns = torch.nonzero(peak & (heat >= threshold), as_tuple=True)
    score = heat[rows, columns]
    order = score.argsort(descending=True)[:limit]
    rows, columns, score = rows[order], columns[order], score[order]
    size = maps[1:3, rows, columns].clamp(-3, 3).exp() * SIZE_UNIT
    x = (columns + 0.5 + maps[3, rows, columns]) * STRIDE
    y = (rows + 0.5 + maps[4, rows, columns]) * STRIDE
    return torch.stack([x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2, score], dim=1)
