"""Which frames of a person are learned from, which are kept back to judge by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ...networks.matte import HeadMatte
from ...reenactment.mattes import crop_mattes

MIN_TO_HOLD_OUT = 5  # fewer frames are all needed for learning
MAX_HELD_OUT = 8
MICRO_BATCH = 8
# A frame's altered views: mirrored, turned (degrees, counterclockwise), enlarged.
VIEWS = ((True, 0.0, 1.0), (False, 9.0, 0.95), (True, -9.0, 1.05), (True, 5.0, 0.92))


def farthest_points(points: np.ndarray, count: int, first: int | None = None) -> list[int]:
    """Rows of `points` (N, D), each the farthest from all before it (Gonzalez 1985); at most `count`, no row twice.

    Starts with `first`, else with the row nearest the mean. Deterministic; N >= 1.
    """
    points = np.asarray(points, np.float64)
    if first is None:
        first = int(np.argmin(np.linalg.norm(points - points.mean(0), axis=1)))
    picked, distance = [first], np.linalg.norm(points - points[first], axis=1)
    while len(picked) < min(count, len(points)):
        distance[picked] = -1  # equal rows have distance 0 and may still be picked, once
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[picked[-1]], axis=1))
    return picked


@dataclass(frozen=True)
class Frames:
    """One person's head crops and mattes: pictures (K, 3, S, S) and masks (K, 1, S, S), uint8 tensors on one device."""

    pictures: torch.Tensor
    masks: torch.Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    def rows(self, rows) -> "Frames":
        """Some of them."""
        index = torch.as_tensor(np.asarray(rows, np.int64), device=self.pictures.device)
        return Frames(self.pictures[index], self.masks[index])

    def floats(self) -> tuple[torch.Tensor, torch.Tensor]:
        """pictures and masks as float32 in [0, 1]."""
        return self.pictures.float() / 255, self.masks.float() / 255


@dataclass(frozen=True)
class Split:
    """What is learned from and what is judged by; `altered` says that the latter are altered views of the former."""

    learned: Frames
    held_out: Frames
    altered: bool


def split_frames(frames: Frames, descriptors: np.ndarray) -> Split:
    """Hold out a fifth of the frames (at most 8), spread over pose; descriptors (K, pose_size).

    Every second frame of the farthest-point order is held out, so that extreme poses are on both sides. With
    fewer than 5 frames all are learned from; what is held out then are altered views of them: mirrored, turned,
    enlarged. Those show the person in poses that were not learned, which is what has to be judged, but in the
    same light and with the same face: the limit of what a single picture can tell.
    """
    if len(frames) < MIN_TO_HOLD_OUT:
        return Split(frames, _altered(frames), True)
    count = min(MAX_HELD_OUT, max(1, len(frames) // 5))
    held_out = farthest_points(descriptors, 2 * count)[1::2]
    learned = np.setdiff1d(np.arange(len(frames)), held_out)
    return Split(frames.rows(learned), frames.rows(sorted(held_out)), False)


def _altered(frames: Frames) -> Frames:
    pictures, masks = frames.floats()
    both = torch.cat((pictures, masks), 1)
    views = []
    for mirrored, degrees, enlarged in VIEWS:
        cosine, sine = (float(f(np.deg2rad(degrees))) / enlarged for f in (np.cos, np.sin))
        theta = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]], device=both.device).expand(len(both), -1, -1)
        grid = F.affine_grid(theta, list(both.shape), align_corners=False)
        view = F.grid_sample(both, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        views.append(view.flip(3) if mirrored else view)
    both = (torch.cat(views) * 255).round().byte()
    return Frames(both[:, :3], both[:, 3:])


@torch.no_grad()
def person_frames(matte: HeadMatte, crops: np.ndarray, device: torch.device, side: int) -> Frames:
    """Head crops (K, S, S, 3) uint8 RGB and their mattes at `side` pixels, on a device."""
    pictures = torch.from_numpy(np.array(crops)).permute(0, 3, 1, 2).contiguous().to(device)
    masks = torch.from_numpy(crop_mattes(matte, crops))[:, None].to(device)
    return Frames(_at_side(pictures, side), _at_side(masks, side))


def _at_side(pictures: torch.Tensor, side: int) -> torch.Tensor:
    if pictures.shape[-1] == side:
        return pictures
    parts = [F.interpolate(p.float(), (side, side), mode="area").round().byte() for p in pictures.split(MICRO_BATCH)]
    return torch.cat(parts)
