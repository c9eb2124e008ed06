"""Training the head matte network on head crops with masks."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path

import kornia.augmentation as K
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.matte import HeadMatte
from ..weights.files import load_matte
from .augmentation import others_backgrounds, patterned_backgrounds, recoloured_persons, swapped_backgrounds
from .checkpoint import CHECKPOINT, module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .data.splits import require_trainable
from .data.store import HeadStore
from .losses.laplacian import laplacian_loss
from .running_average import follow, memory
from .single_run import SingleRun


@dataclass
class MatteConfig:
    """A matte training run; rates per step."""

    steps: int = 2500
    batch: int = 6
    rate: float = 1.5e-3
    average: float = 0.995
    seed: int = 0
    checkpoint_minutes: float = 3.0
    log_steps: int = 25


class MatteTraining(SingleRun):
    """Network, optimiser and data in a folder; resumes from its checkpoint, else starts from `start`, a weights file, or
    anew. Raises `BadInput` for a file that holds no matte, and for persons who are held out."""

    LABEL = "training the matte"

    def __init__(
        self, config: MatteConfig, store: HeadStore, folder: Path, device: str = "cpu", start: str | Path | None = None
    ):
        require_trainable(store.clips)
        self.config, self.store, self.folder, self.device = config, store, Path(folder), device
        torch.manual_seed(config.seed)
        self.random = np.random.default_rng(config.seed)
        self.matte = HeadMatte()
        if start is not None:
            self.matte.load_state_dict({k: v.float() for k, v in load_matte(str(start)).state_dict().items()})
        self.matte.requires_grad_(True).train().to(device)
        self.average = copy.deepcopy(self.matte).requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(self.matte.parameters(), lr=config.rate, weight_decay=1e-3)
        self.geometry = K.RandomAffine(
            20.0, (0.1, 0.1), (0.75, 1.25), shear=5.0, padding_mode="reflection", p=0.8
        )
        self.pixels = nn.Sequential(
            K.ColorJiggle(0.3, 0.3, 0.4, 0.05, p=0.7),
            K.RandomGaussianBlur((5, 5), (0.3, 2.0), p=0.3),
            K.RandomGaussianNoise(std=0.03, p=0.3),
        )
        self.step, self.seconds = 0, 0.0
        self.persons = list(store.by_person().values())
        self._resume()

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if path.exists():
            tensors, extra = read_checkpoint(path)
            self.matte.load_state_dict(module_state(tensors, "matte"))
            self.average.load_state_dict(module_state(tensors, "average"))
            restore_optimiser(self.optimiser, tensors, "matte")
            torch.set_rng_state(tensors["random/torch"])
            self.random.bit_generator.state = extra["sampler"]
            self.step, self.seconds = extra["step"], extra.get("seconds", 0.0)

    def save(self) -> None:
        state = self.random.bit_generator.state
        extra = {"step": self.step, "seconds": self.seconds, "config": asdict(self.config), "sampler": state}
        save_checkpoint(
            self.folder / CHECKPOINT, {"matte": self.matte, "average": self.average}, {"matte": self.optimiser}, extra
        )

    def train_step(self) -> dict[str, float]:
        """One optimiser step; returns the loss."""
        left = 1 - self.step / self.config.steps
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * min(1.0, (self.step + 1) / 50) * (0.05 + 0.95 * left)
        pictures, masks = self._batch()
        logits = self.matte.logits(pictures)
        loss = F.binary_cross_entropy_with_logits(logits, masks)
        loss = loss + 0.3 * laplacian_loss(torch.sigmoid(logits), masks)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.matte.parameters(), 1.0)
        self.optimiser.step()
        follow(self.average, self.matte, memory(self.config.average, self.step))
        self.step += 1
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        rows = []
        for person in self.random.choice(len(self.persons), self.config.batch):
            clip = self.store.clips[int(self.random.choice(self.persons[person]))]
            rows.append(self.random.integers(clip.start, clip.stop))
        pictures, masks = (t.to(self.device) for t in self.store.pictures(np.array(rows)))
        flip = torch.from_numpy(self.random.random(len(rows)) < 0.5)
        pictures[flip], masks[flip] = pictures[flip].flip(-1), masks[flip].flip(-1)
        (pictures,) = recoloured_persons(pictures[:, None])
        pictures = others_backgrounds(swapped_backgrounds(pictures[:, 0], masks, 0.15), masks, 0.4)
        pictures = patterned_backgrounds(pictures, masks, 0.25)
        both = self.geometry(torch.cat((pictures, masks), 1))
        return self.pixels(both[:, :3].clamp(0, 1)).clamp(0, 1), both[:, 3:].clamp(0, 1)


@torch.no_grad()
def matte_iou(matte: HeadMatte, store: HeadStore, every: int = 8) -> dict[str, float]:
    """Intersection over union at 0.5 per person, over every `every`-th frame."""
    scores = {}
    for person, clips in store.by_person().items():
        overlap = union = 0.0
        for clip in clips:
            rows = np.arange(store.clips[clip].start, store.clips[clip].stop, every)
            for part in np.array_split(rows, max(1, len(rows) // 8)):
                pictures, masks = store.pictures(part)
                mine, true = matte(pictures) > 0.5, masks > 0.5
                overlap += float((mine & true).sum())
                union += float((mine | true).sum())
        scores[person] = overlap / max(union, 1.0)
    return scores
