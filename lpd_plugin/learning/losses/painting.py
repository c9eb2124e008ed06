"""What painting is asked for beyond looking like a picture: to follow, and not to be hazy or torn."""

from __future__ import annotations

import torch
import torch.nn.functional as F

# How much each number that is read counts in what has to be followed (face_reader.NAMES): nods and mouths are what a
# painter follows least.
FOLLOWED = torch.tensor([1.0] * 5 + [2.5, 2.5, 2.5, 1.5, 1.5, 3.0, 1.0, 1.0, 2.5])
# Eyes and mouth are small, and what their points do is what a viewer looks for.
POINT_WEIGHTS = torch.tensor([0.3] * 17 + [1.0] * 10 + [1.0] * 9 + [1.5] * 12 + [2.0] * 20)


def roughness(motion: torch.Tensor) -> torch.Tensor:
    """mean |dm/dx| + mean |dm/dy| of motions (B, 2, h, h): how differently neighbouring places move; scalar."""
    return (motion[..., 1:] - motion[..., :-1]).abs().mean() + (motion[..., 1:, :] - motion[..., :-1, :]).abs().mean()


def shift(motion: torch.Tensor, before: torch.Tensor, heads: torch.Tensor) -> torch.Tensor:
    """mean over pictures of |mean_h (m - m0)|_1: how far heads as wholes went from where another motion showed them; scalar.

    motion, before (B, 2, h, h) in half sides; the inner mean is over the heads, mattes (B, 1, S, S).
    """
    heads = F.interpolate(heads, motion.shape[-2:], mode="area")
    gone = ((motion - before) * heads).sum((2, 3)) / heads.sum((2, 3)).clamp_min(1)
    return gone.abs().sum(1).mean()


def followed_loss(read: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """sum_k w_k huber(read_k - wanted_k) / sum_k w_k, mean over faces; both (B, face_size), in spreads; scalar."""
    weight = FOLLOWED.to(read)[: read.shape[1]]
    return (F.smooth_l1_loss(read, wanted, beta=0.5, reduction="none") * weight).mean() / weight.mean()


def point_loss(motion: torch.Tensor, places: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """mean over points of w |m(p) - (s - p)|_1: at each point's place p the motion m (B, 2, h, h) has to lead to where the
    point is in the reference, s; both (B, 68, 2) in half sides. 0 without points."""
    if not places.shape[1]:
        return motion.new_zeros(())
    there = F.grid_sample(motion, places[:, None], mode="bilinear", padding_mode="border", align_corners=False)[:, :, 0].mT
    inside = (places.abs().amax(2) < 1) & (sources.abs().amax(2) < 1)
    weight = POINT_WEIGHTS.to(motion)[None] * inside
    return ((there - (sources - places)).abs().sum(2) * weight).sum() / weight.sum().clamp_min(1)
