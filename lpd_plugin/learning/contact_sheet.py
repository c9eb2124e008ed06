"""Contact sheets while training: self, other video of the same person, other person."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..networks.model import ReenactmentModel
from .data.store import Heads
from .pose_sources.rows import Driving, drives, pictures_drive

CELL = 128  # pixels a side


@torch.no_grad()
def training_sheet(
    model: ReenactmentModel, store: Heads, seed: int, device: torch.device | str = "cpu", persons: int = 8,
    driving: Driving = pictures_drive,
) -> np.ndarray:  # fmt: skip
    """Fixed samples as uint8 RGB (H, W, 3): a row a person, columns: identity, then for each of three
    drivers (the person itself, its other clip, the next person) driver, generated * mask, mask; black where what drives
    sees no face.

    The model is called as it is, on `device`: give the running average in evaluation mode."""
    random = np.random.default_rng(seed)
    groups = list(store.by_person().items())
    chosen = [groups[i][1] for i in random.choice(len(groups), min(persons, len(groups)), replace=False)]
    rows = []
    for index, clips in enumerate(chosen):
        identity_rows = np.linspace(store.clips[clips[0]].start, store.clips[clips[0]].stop - 1, 4).astype(int)
        identity = store.pictures(identity_rows)[0].to(device)
        embedding = model.identity_encoder(identity[None])
        following = chosen[(index + 1) % len(chosen)]
        cells = [identity[0]]
        for clip in (clips[0], clips[-1], following[0]):
            row = random.integers(store.clips[clip].start, store.clips[clip].stop)
            driver = store.pictures(np.array([row]))[0].to(device)
            pose = driving(store, np.array([row])).to(device)
            rgb, mask = model.generator(embedding, model.pose_encoder(pose).nan_to_num())
            mask = mask * drives(pose)
            cells += [driver[0], (rgb * mask)[0], mask[0].expand(3, -1, -1)]
        cells = [F.interpolate(c[None], (CELL, CELL), mode="area")[0] for c in cells]
        rows.append(torch.cat(cells, 2))
    return (torch.cat(rows, 1).clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy()


@torch.no_grad()
def painter_sheet(
    model: ReenactmentModel, store: Heads, seed: int, device: torch.device | str = "cpu", persons: int = 8
) -> np.ndarray:
    """Fixed samples as uint8 RGB (H, W, 3): a row a person, columns: reference, then for each of two drivers (the person
    itself, the next person) driver, the generator's drawing, what is painted, its mask."""
    random = np.random.default_rng(seed)
    groups = list(store.by_person().values())
    chosen = [groups[i][0] for i in random.choice(len(groups), min(persons, len(groups)), replace=False)]
    rows = []
    for index, clip in enumerate(chosen):
        drivers = [clip, chosen[(index + 1) % len(chosen)]]
        frames = [random.integers(store.clips[c].start, store.clips[c].stop) for c in (clip, *drivers)]
        pictures, masks = (t.to(device) for t in store.pictures(np.array(frames)))
        poses, embedding = model.pose_encoder(pictures), model.identity_encoder(pictures[:1, None])
        rgb, mask = model.generator(embedding.expand(3, -1), poses)
        drawn = torch.cat((rgb.clamp(0, 1) * mask, mask), 1)
        reference = torch.cat((pictures * masks, masks), 1)[:1].expand(2, -1, -1, -1)
        faces = poses[:, model.configuration.pose_size :]
        both = torch.cat((faces[1:], faces[:1].expand(2, -1)), 1)
        painted, _ = model.painter(drawn[1:], drawn[:1].expand(2, -1, -1, -1), reference, both)
        cells = [pictures[0]]
        for k in (0, 1):
            cells += [pictures[1 + k], drawn[1 + k, :3], painted[k, :3], painted[k, 3:].expand(3, -1, -1)]
        rows.append(torch.cat([F.interpolate(c[None], (CELL, CELL), mode="area")[0] for c in cells], 2))
    return (torch.cat(rows, 1).clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy()
