"""Head crops with masks, decoded once into memory (as the 256 px clips of a heads folder).

Folder layout: index.csv with columns split, person, clip, pad_fraction; SPLIT/PERSON/CLIP.mp4 and
CLIP.mask.mp4 of the same frame count.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from ..errors import BadInput


@dataclass(frozen=True)
class HeadClip:
    """Rows [start, stop) of the frame store, all of one clip of one person."""

    person: str
    clip: str
    start: int
    stop: int


@dataclass
class HeadStore:
    """frames (N, side, side, 3) uint8 RGB, masks (N, side, side) uint8, and which rows belong to whom."""

    frames: np.ndarray
    masks: np.ndarray
    clips: list[HeadClip]

    @property
    def side(self) -> int:
        return self.frames.shape[1]

    def by_person(self) -> dict[str, list[int]]:
        """Indices into `clips` per person."""
        groups: dict[str, list[int]] = defaultdict(list)
        for index, clip in enumerate(self.clips):
            groups[clip.person].append(index)
        return dict(groups)

    def pictures(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows (any shape R) -> frames (*R, 3, side, side) and masks (*R, 1, side, side), float32 in [0, 1]."""
        frames = torch.from_numpy(self.frames[rows]).movedim(-1, -3).float() / 255
        masks = torch.from_numpy(self.masks[rows]).unsqueeze(-3).float() / 255
        return frames, masks


def read_heads(folder: str | Path, split: str, side: int, max_pad_fraction: float = 1.0) -> HeadStore:
    """Decode every clip of one split at `side` pixels (area-averaged from 256).

    Raises `BadInput` if the folder has no index, or a person of this split also stands in another one
    (training on a held-out person must not go unnoticed).
    """
    folder = Path(folder)
    if not (folder / "index.csv").is_file():
        raise BadInput(f"{folder} is not a heads folder: it has no index.csv.")
    with open(folder / "index.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    mine = {r["person"] for r in rows if r["split"] == split}
    shared = mine & {r["person"] for r in rows if r["split"] != split}
    if shared:
        raise BadInput(f"{folder / 'index.csv'}: {sorted(shared)[0]} is in split '{split}' and in another one.")
    rows = [r for r in rows if r["split"] == split and float(r["pad_fraction"]) <= max_pad_fraction]
    if not rows:
        raise BadInput(f"{folder / 'index.csv'} lists no clip of split '{split}'.")
    frames, masks, clips, start = [], [], [], 0
    for row in rows:
        stem = folder / split / row["person"] / row["clip"]
        pictures = _decode(stem.with_suffix(".mp4"), side, "rgb24")
        mattes = _decode(stem.with_suffix(".mask.mp4"), side, "gray")
        if len(pictures) != len(mattes):
            raise BadInput(f"{stem}: {len(pictures)} frames but {len(mattes)} masks.")
        frames.append(pictures)
        masks.append(mattes)
        clips.append(HeadClip(row["person"], row["clip"], start, start + len(pictures)))
        start += len(pictures)
    return HeadStore(np.concatenate(frames), np.concatenate(masks), clips)


def _decode(path: Path, side: int, pixel_format: str) -> np.ndarray:
    try:
        with av.open(str(path)) as container:
            decoded = [f.to_ndarray(format=pixel_format) for f in container.decode(video=0)]
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput(f"Cannot read {path}: {error}.") from error
    if decoded[0].shape[0] != side:
        decoded = [cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in decoded]
    return np.stack(decoded)
