"""Contact sheets while training: self, and other drivers."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..networks.model import ReenactmentModel
from ..whole_files import write_png  # noqa: F401  meta_learning takes it from here
from .heads_data import HeadStore


@torch.no_grad()
def training_sheet(model: ReenactmentModel, store: HeadStore, seed: int, persons: int = 8) -> np.ndarray:
    """Fixed samples as uint8 RGB (H, W, 3): a row a person, columns: identity, then for each of three
    drivers (the person itself, its other clip, the next person) driver, generated * mask, mask."""
    random = np.random.default_rng(seed)
    groups = list(store.by_person().items())
    chosen = [groups[i][1] for i in random.choice(len(groups), min(persons, len(groups)), replace=False)]
    rows = []
    for index, clips in enumerate(chosen):
        identity_rows = np.linspace(store.clips[clips[0]].start, store.clips[clips[0]].stop - 1, 4).astype(int)
        identity, _ = store.pictures(identity_rows)
        embedding = model.identity_encoder(identity[None])
        following = chosen[(index + 1) % len(chosen)]
        cells = [identity[0]]
        for clip in (clips[0], clips[-1], following[0]):
            driver, _ = store.pictures(np.array([random.integers(store.clips[clip].start, store.clips[clip].stop)]))
            rgb, mask = model.generator(embedding, model.pose_encoder(driver))
            cells += [driver[0], (rgb * mask)[0], mask[0].expand(3, -1, -1)]
        cells = [F.interpolate(c[None], (128, 128), mode="area")[0] for c in cells]
        rows.append(torch.cat(cells, 2))
    return (torch.cat(rows, 1).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
