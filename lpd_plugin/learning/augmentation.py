"""Augmentations that take identity apart from pose (kornia, on the batch's device, seeded by torch).

Three kinds: of the person (identity pictures and targets alike: a new person), of the background
(identity pictures and driving pictures), and of the driving picture alone (keeps the pose, changes who it is).
"""

from __future__ import annotations

import kornia.augmentation as K
import torch
import torch.nn.functional as F
from kornia.filters import filter2d
from torch import nn

EMBOSS = torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
EDGES = torch.tensor([[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]])


def shifted(pictures: torch.Tensor, masks: torch.Tensor, limit: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 3, S, S) and masks (B, 1, S, S) moved by the same random offset up to `limit` of the side."""
    offset = (torch.rand(len(pictures), 2, device=pictures.device) * 2 - 1) * 2 * limit
    theta = torch.eye(2, 3, device=pictures.device).repeat(len(pictures), 1, 1)
    theta[:, :, 2] = offset
    both = torch.cat((pictures, masks), 1)
    grid = F.affine_grid(theta, list(both.shape), align_corners=False)
    both = F.grid_sample(both, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return both[:, :3], both[:, 3:]


def recoloured_persons(*groups: torch.Tensor, probability: float = 0.5) -> tuple[torch.Tensor, ...]:
    """Every picture of a video under the same new colours: each group is (V, n, 3, S, S) in [0, 1].

    A random 3x3 colour matrix near the identity and a random gamma per video: skin, hair and light of
    somebody who was not recorded.
    """
    videos, device = len(groups[0]), groups[0].device
    chosen = (torch.rand(videos, device=device) < probability).float()[:, None, None]
    matrix = torch.eye(3, device=device) + chosen * 0.07 * torch.randn(videos, 3, 3, device=device)
    gamma = torch.exp(chosen * 0.25 * torch.randn(videos, 1, 1, device=device))[..., None, None]
    # An einsum over channels, the same for each picture of the video.
    return tuple(
        torch.einsum("vij,vnjhw->vnihw", matrix, g).clamp(1e-4, 1).pow(gamma) for g in groups
    )


def swapped_backgrounds(pictures: torch.Tensor, masks: torch.Tensor, probability: float = 0.5) -> torch.Tensor:
    """Some pictures (B, 3, S, S) before another one's blurred, shuffled, recoloured surroundings."""
    count, device = len(pictures), pictures.device
    chosen = torch.rand(count, 1, 1, 1, device=device) < probability
    small = F.adaptive_avg_pool2d(pictures[torch.randperm(count, device=device)], 16)
    small = small[:, torch.randperm(3, device=device)].roll(int(torch.randint(16, ())), 3)
    detail = torch.randint(4, 17, ()).item()
    plain = F.interpolate(F.adaptive_avg_pool2d(small, detail), pictures.shape[-2:], mode="bilinear")
    shade = 0.5 + torch.rand(count, 3, 1, 1, device=device)
    return torch.where(chosen, pictures * masks + (plain * shade).clamp(0, 1) * (1 - masks), pictures)


def others_backgrounds(pictures: torch.Tensor, masks: torch.Tensor, probability: float = 0.5) -> torch.Tensor:
    """Some pictures (B, 3, S, S) before what is behind another one's person, as sharp as it was filmed.

    Where that person stood, the colours around are spread (normalised averages over a sixteenth of the side): edges,
    furniture and windows next to hair are what mattes are lost on.
    """
    count, device = len(pictures), pictures.device
    chosen = torch.rand(count, 1, 1, 1, device=device) < probability
    ground = _behind_others(pictures, masks)
    return torch.where(chosen, pictures * masks + ground * (1 - masks), pictures)


def patterned_backgrounds(pictures: torch.Tensor, masks: torch.Tensor, probability: float = 0.25) -> torch.Tensor:
    """Some pictures (B, 3, S, S) before a wall that is full of edges and has the person's own colours.

    What is behind another one's person, repeated 2 to 8 times a side, in more contrast, and its mean moved towards that of
    the person's upper outline, hair mostly: colour and busyness alone then do not tell a head from what is behind it.
    """
    count, side, device = len(pictures), pictures.shape[-1], pictures.device
    chosen = torch.rand(count, 1, 1, 1, device=device) < probability
    tile = max(8, side // int(torch.randint(2, 9, ())))
    small = F.interpolate(_behind_others(pictures, masks), (tile, tile), mode="area")
    both = torch.cat((small, small.flip(3)), 3)
    both = torch.cat((both, both.flip(2)), 2)
    times = -(-side // both.shape[-1])
    left, top = (int(torch.randint(both.shape[-1], ())) for _ in range(2))
    wall = both.repeat(1, 1, times, times).roll((top, left), (2, 3))[..., :side, :side]
    upper = (masks - F.avg_pool2d(masks, 31, 1, 15, count_include_pad=False)).clamp_min(0) * masks
    upper[:, :, 2 * side // 3 :] = 0
    outline = (pictures * upper).sum((2, 3), keepdim=True) / upper.sum((2, 3), keepdim=True).clamp_min(1e-3)
    middle = wall.mean((2, 3), keepdim=True)
    contrast, alike = 1 + 1.5 * torch.rand(count, 1, 1, 1, device=device), torch.rand(count, 1, 1, 1, device=device)
    wall = ((wall - middle) * contrast + middle + alike * (outline - middle)).clamp(0, 1)
    return torch.where(chosen, pictures * masks + wall * (1 - masks), pictures)


def _behind_others(pictures: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S): what stands behind another one's person, mirrored for half of them, filled in where the person stood."""
    count, device = len(pictures), pictures.device
    others = torch.randperm(count, device=device)
    mirrored = torch.rand(count, 1, 1, 1, device=device) < 0.5
    picture, behind = (torch.where(mirrored, t[others].flip(-1), t[others]) for t in (pictures, 1 - masks))
    seen = (behind > 0.98).float()
    size = pictures.shape[-1] // 16
    colours, weight = (F.avg_pool2d(t, size) for t in (picture * seen, seen))
    everywhere = (colours.sum((2, 3), keepdim=True) + 1e-3) / (weight.sum((2, 3), keepdim=True) + 2e-3)
    filled = (colours + 0.02 * everywhere) / (weight + 0.02)
    filled = F.interpolate(filled, pictures.shape[-2:], mode="bilinear")
    return torch.where(seen > 0, picture, filled)


class _Filtered(nn.Module):
    """Mix in a 3x3 filter's result, up to `strength`, for a share of the pictures."""

    def __init__(self, kernel: torch.Tensor, strength: float, probability: float):
        super().__init__()
        self.register_buffer("kernel", kernel[None], persistent=False)
        self.strength, self.probability = strength, probability

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        amount = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) * self.strength
        amount = amount * (torch.rand_like(amount) < self.probability)
        return (pictures + amount * (filter2d(pictures, self.kernel) - pictures)).clamp(0, 1)


class PoseAugmentation(nn.Module):
    """Augmentation of the driving picture: keeps the pose, changes who it is. (B, 3, S, S) in [0, 1] -> the same.

    "published": scale per axis, elastic, blur, sharpen, emboss, edges, brightness, contrast, saturation, noise,
    JPEG. "strong" adds the full hue circle, channel shuffle and inversion: with mild colour jitter alone, on
    few persons, the driver's shirt and hair colour came through the descriptor. "colours" is "strong" without
    the scale and the elastic deformation, for those who compare places.
    """

    def __init__(self, kind: str = "strong"):
        super().__init__()
        geometry = [
            K.RandomAffine(0.0, scale=(0.8, 1.2, 0.8, 1.2), padding_mode="reflection", p=0.5),
            K.RandomElasticTransform((33, 33), (8.0, 8.0), (0.6, 0.6), padding_mode="reflection", p=0.3),
        ]
        detail = [
            K.RandomGaussianBlur((5, 5), (0.3, 1.5), p=0.2), K.RandomSharpness(1.0, p=0.2),
            _Filtered(EMBOSS, 0.6, 0.15), _Filtered(EDGES, 0.3, 0.15),
        ]  # fmt: skip
        if kind != "published":
            colour = [K.ColorJiggle(0.3, 0.3, 0.6, 0.5, p=0.8), K.RandomChannelShuffle(p=0.3), K.RandomInvert(p=0.1)]
        else:
            colour = [K.ColorJiggle(0.3, 0.3, 0.6, 0.0, p=0.8)]
        damage = [K.RandomGaussianNoise(std=0.04, p=0.3), K.RandomJPEG((30.0, 90.0), p=0.2)]
        self.steps = nn.Sequential(*(geometry if kind != "colours" else []), *detail, *colour, *damage)

    @torch.no_grad()
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.steps(pictures.clamp(0, 1)).clamp(0, 1)
