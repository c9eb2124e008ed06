"""Edges of a face's parts, lips and lids: curves through a face reader's points, where they went, and coordinates along them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

STEPS = 16  # of finding where places go, at most; each leaves some 0.7 of the error where lips are drawn out most
EXACT = 2e-5  # half sides: a step that changes less is the last
# Half sides by which points may be missed: parts that are seen lie below the first, behind hands or from the side, above.
SURE, GUESSED = 0.09, 0.11


@dataclass(frozen=True)
class Frame:
    """Coordinates along a mouth or an eye and across it, from its corner on the left, each (B, 2), in half sides."""

    origin: torch.Tensor
    along: torch.Tensor
    across: torch.Tensor

    @classmethod
    def between(cls, left: torch.Tensor, right: torch.Tensor) -> "Frame":
        along = F.normalize(right - left, dim=1)
        return cls(left, along, torch.stack((-along[:, 1], along[:, 0]), 1))

    def inside(self, places: torch.Tensor) -> torch.Tensor:
        """Places (B, N, 2) in this frame."""
        apart = places - self.origin[:, None]
        return torch.stack(((apart * self.along[:, None]).sum(2), (apart * self.across[:, None]).sum(2)), 2)

    def outside(self, inside: torch.Tensor) -> torch.Tensor:
        """Places (B, N, 2) in this frame, in the picture."""
        return self.origin[:, None] + inside[..., :1] * self.along[:, None] + inside[..., 1:] * self.across[:, None]


def heights_of(points: torch.Tensor, line: list[int], frame: Frame, along: torch.Tensor) -> torch.Tensor:
    """How far below a frame's axis some of the points (K, 68, 2) run as a curve, at places along it (K, N): (K, N)."""
    x, y = frame.inside(points[:, line]).unbind(2)
    return interpolated(along, x, y[..., None])[..., 0]


def seen(missed: torch.Tensor) -> torch.Tensor:
    """How surely some points are there, (K,) in [0, 1], by how much each may be missed (K, P), in half sides."""
    return ((GUESSED - missed.mean(1)) / (GUESSED - SURE)).clamp(0, 1)


def where_to(places: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """Where places (B, N, 2) of a picture are seen through a motion: the p of p + m(p) = place, by iteration."""
    there = places
    for _ in range(STEPS):
        before, moved = there, F.grid_sample(motion, there[:, None], padding_mode="border", align_corners=False)[:, :, 0].mT
        there = places - moved
        if (there - before).abs().amax() < EXACT:
            break
    return there


def smooth(heights: torch.Tensor) -> torch.Tensor:
    """Heights (B, COLUMNS) without corners; the ends stay."""
    for _ in range(4):
        middle = heights[:, :-2] / 4 + heights[:, 1:-1] / 2 + heights[:, 2:] / 4
        heights = torch.cat((heights[:, :1], middle, heights[:, -1:]), 1)
    return heights


def interpolated(x: torch.Tensor, known: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Values (B, K, C), known at places (B, K) that rise, at others (B, N): linear in between, the nearest beyond."""
    known = known.cummax(1).values.contiguous()
    right = torch.searchsorted(known, x.contiguous()).clamp(1, known.shape[1] - 1)
    low, high = known.gather(1, right - 1), known.gather(1, right)
    share = ((x - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)[..., None]
    index = right[..., None].expand(-1, -1, values.shape[2])
    return torch.lerp(values.gather(1, index - 1), values.gather(1, index), share)


def box_of(places: torch.Tensor, side: int) -> tuple[slice, slice]:
    """Rows and columns that hold all places (B, N, 2); at least one pixel."""
    pixels = (places.flatten(0, 1) + 1) / 2 * side
    low = pixels.min(0).values.floor().clamp(0, side - 1).int().tolist()
    high = pixels.max(0).values.ceil().clamp(0, side).int().tolist()
    return slice(low[1], max(high[1], low[1] + 1)), slice(low[0], max(high[0], low[0] + 1))


def places_in(side: int, box: tuple[slice, slice], like: torch.Tensor) -> torch.Tensor:
    """Middles of a box's pixels, row after row, (B, N, 2), in half sides."""
    axis = (torch.arange(side, device=like.device, dtype=torch.float32) * 2 + 1) / side - 1
    y, x = torch.meshgrid(axis[box[0]], axis[box[1]], indexing="ij")
    return torch.stack((x, y), 2).flatten(0, 1).expand(len(like), -1, -1)
