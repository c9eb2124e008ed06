"""What training draws from: rows of head crops with masks, and which rows belong to whom."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import torch


@dataclass(frozen=True)
class HeadClip:
    """Rows [start, stop) of a store, all of one video of one person. Its number in the store is its label."""

    person: str
    clip: str
    start: int
    stop: int
    split: str = "train"
    pad_fraction: float = 0.0  # mean share of a crop that lay outside its picture


class Heads:
    """Base of every store: `clips`, `side` (pixels), and pictures by row; rows of a clip lie together."""

    clips: list[HeadClip]
    side: int

    @property
    def count(self) -> int:
        """Rows in all."""
        return max((clip.stop for clip in self.clips), default=0)

    def by_person(self) -> dict[str, list[int]]:
        """Indices into `clips` per person; clips without rows are left out."""
        groups: dict[str, list[int]] = defaultdict(list)
        for index, clip in enumerate(self.clips):
            if clip.stop > clip.start:
                groups[clip.person].append(index)
        return dict(groups)

    def raw(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows (N,) -> frames (N, side, side, 3) RGB and masks (N, side, side), both uint8."""
        raise NotImplementedError

    def pictures(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows (any shape R) -> frames (*R, 3, side, side) and masks (*R, 1, side, side), float32 in [0, 1]."""
        rows = np.asarray(rows)
        frames, masks = self.raw(rows.ravel())
        return as_tensors(frames.reshape(*rows.shape, *frames.shape[1:]), masks.reshape(*rows.shape, *masks.shape[1:]))


def as_tensors(frames: np.ndarray, masks: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 frames (*R, S, S, 3) and masks (*R, S, S) as float32 in [0, 1], channels before the picture."""
    return torch.from_numpy(frames).movedim(-1, -3).float() / 255, torch.from_numpy(masks).unsqueeze(-3).float() / 255


@dataclass
class HeadStore(Heads):
    """All in memory: frames (N, side, side, 3) uint8 RGB, masks (N, side, side) uint8."""

    frames: np.ndarray
    masks: np.ndarray
    clips: list[HeadClip]

    @property
    def side(self) -> int:
        return self.frames.shape[1]

    def raw(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.frames[rows], self.masks[rows]


def in_memory(parts: list[tuple[HeadClip, np.ndarray, np.ndarray]]) -> HeadStore:
    """One store from each clip's frames and masks; which rows are whose is found here."""
    clips, start = [], 0
    for clip, frames, _ in parts:
        clips.append(replace(clip, start=start, stop=start + len(frames)))
        start += len(frames)
    return HeadStore(np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts]), clips)
