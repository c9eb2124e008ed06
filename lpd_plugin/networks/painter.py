"""The painter: paints a head with a reference picture's own pixels, carried into the pose that the generator drew.

What a small generator draws has the right pose and outline and little detail; a picture of the person has all the detail
in another pose. Both poses are drawn by the same generator for the same identity, so the motion between the two drawings
is the motion that the reference has to make. Found coarse to fine, as X2Face (Wiles et al. 2018) and first order motion
models (Siarohin et al. 2019) warp a source. What no reference shows is not invented here: layers that did, taught by 66 people,
laid a dark average of them over everybody's outline (docs/weights.md). Only the inside of a mouth is, by geometry
(reenactment/mouth.py).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (32, 48, 64, 96, 128)  # at 1/2, 1/4 .. 1/32 of the side at which motion is looked for
MOTION_SIDE = 128  # pixels: pictures are looked at in this size, whatever size is painted
FADE = 4.0  # pixels above a picture within which it ends
REACH = 0.5  # of half the side: what a motion output of 1 means


class MotionBlock(nn.Module):
    """3x3, group norm, SiLU, twice, around a 1x1 skip; `film` (B, 2 * outputs) scales and shifts the first norm."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.a, self.b = nn.Conv2d(inputs, outputs, 3, stride, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride)
        self.n, self.m = nn.GroupNorm(8, outputs), nn.GroupNorm(8, outputs)

    def forward(self, x: torch.Tensor, film: torch.Tensor | None = None) -> torch.Tensor:
        out = self.n(self.a(x))
        if film is not None:
            scale, shift = film.chunk(2, 1)
            out = out * (1 + scale[..., None, None]) + shift[..., None, None]
        return F.silu(self.m(self.b(F.silu(out))) + self.skip(x))


class Painter(nn.Module):
    """From two drawings of a person and one real picture of it: the picture in the first drawing's pose.

    face_size: numbers that a face reader gives of each picture; they say what the drawings are too coarse to show.
    """

    def __init__(self, face_size: int):
        super().__init__()
        down, width = [], 12
        for outputs in WIDTHS:
            down.append(MotionBlock(width, outputs, 2))
            width = outputs
        self.d = nn.ModuleList(down)
        self.mid = MotionBlock(width, width)
        self.sizes = [2 * width, 2 * WIDTHS[-2], 2 * WIDTHS[-3]]
        self.film = nn.Sequential(nn.Linear(2 * face_size, 256), nn.SiLU(), nn.Linear(256, sum(self.sizes) + 6))
        up, ends = [], [nn.Conv2d(width, 2, 3, 1, 1)]
        for outputs in WIDTHS[-2::-1]:
            up.append(MotionBlock(width + outputs, outputs))
            ends.append(nn.Conv2d(outputs, 2, 3, 1, 1))
            width = outputs
        self.u, self.flows = nn.ModuleList(up), nn.ModuleList(ends)
        for layer in (self.film[-1], *ends):  # begins as: the reference, unmoved
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def channels_last(self) -> "Painter":
        """Weights laid out as a CPU computes them twice as fast; the first block's stay, since torch 2.13 crashes on the
        gradient of twelve channels laid out so."""
        for part in (*self.d[1:], self.mid, self.u, self.flows):
            part.to(memory_format=torch.channels_last)
        return self

    def motion(
        self, drawn: torch.Tensor, drawn_reference: torch.Tensor, reference: torch.Tensor, faces: torch.Tensor
    ) -> torch.Tensor:
        """All pictures (B, 4, s, s), s = MOTION_SIDE; faces (B, 2 * face_size), wanted and reference's.

        Returns (B, 2, s/2, s/2): where in the reference to look, x and y, in half sides from each place.
        """
        x, skips = torch.cat((drawn, drawn_reference, reference), 1).contiguous(), []
        for block in self.d:
            x = block(x)
            skips.append(x)
        *films, turn = self.film(faces).split([*self.sizes, 6], 1)
        x = self.mid(x, films.pop(0))
        out = self.flows[0](x)
        for level, (block, end) in enumerate(zip(self.u, list(self.flows)[1:])):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(joined(x, skips[-2 - level]), films.pop(0) if films else None)
            out = F.interpolate(out, scale_factor=2, mode="bilinear", align_corners=False) + end(x)
        return REACH * (out + turned(turn, out.shape[-1]))

    def forward(
        self, drawn: torch.Tensor, drawn_reference: torch.Tensor, reference: torch.Tensor, faces: torch.Tensor,
        motion_by: Callable[..., tuple[torch.Tensor, ...]] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        """drawn, drawn_reference (B, 4, s, s) and reference (B, 4, S, S): premultiplied RGB and mask in [0, 1];
        faces (B, 2 * face_size) -> the reference as it was moved (B, 4, S, S), premultiplied, and the motion (B, 2, h, h)
        in half sides. motion_by: computes `motion` in its place, alone in a tuple."""
        small = [resized(t, MOTION_SIDE) for t in (drawn, drawn_reference, reference)]
        motion = motion_by(*small, faces)[0] if motion_by else self.motion(*small, faces)
        return moved_by(reference, motion), motion


def joined(*maps: torch.Tensor) -> torch.Tensor:
    """Maps (B, C, h, w) one after the other in channels, laid out as the layers want them: mixed layouts would be joined first
    and laid out again by the next layer."""
    return torch.cat([part.contiguous(memory_format=torch.channels_last) for part in maps], 1)


def resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Pictures (B, C, s, s) at another side: averaged down, interpolated up."""
    if pictures.shape[-1] == side:
        return pictures
    if pictures.shape[-1] > side:
        return F.interpolate(pictures, (side, side), mode="area")
    return F.interpolate(pictures, (side, side), mode="bilinear", align_corners=False)


def turned(turn: torch.Tensor, side: int) -> torch.Tensor:
    """The motion (B, 2, side, side) of a whole picture by an affine map, turn (B, 6): two rows of x, y and 1.

    A head tilts and comes near as a whole: so much is easier to say at once than place by place.
    """
    axis = (torch.arange(side, device=turn.device, dtype=turn.dtype) * 2 + 1) / side - 1
    x, y = torch.meshgrid(axis, axis, indexing="xy")
    return torch.einsum("bij,jhw->bihw", turn.unflatten(1, (2, 3)), torch.stack((x, y, torch.ones_like(x))))


def moved_by(pictures: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """Premultiplied pictures (B, C, S, S) seen through a motion (B, 2, h, h) in half sides.

    Outside, borders continue, as bodies do; above the picture there is nothing: hair that the crop cuts off would
    be drawn out into a streak.
    """
    side = pictures.shape[-1]
    motion = F.interpolate(motion, (side, side), mode="bilinear", align_corners=False)
    axis = (torch.arange(side, device=pictures.device, dtype=pictures.dtype) * 2 + 1) / side - 1
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None] + motion
    moved = F.grid_sample(pictures, places.permute(0, 2, 3, 1), mode="bilinear", padding_mode="border", align_corners=False)
    pixels_above = (-1 - places[:, 1:]) * side / 2
    return moved * (1 - pixels_above / FADE).clamp(0, 1)
