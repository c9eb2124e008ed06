"""Training the likeness judge: a small face recogniser that ships, taught by a bigger recogniser's file that does not.

What a teacher sees in a few dozen people says little about anybody else, so it is asked about many more: faces bent to other
proportions, two people's faces mixed, other colours, in front of anything (distillation, Hinton et al. 2015, with the
feature maps as hints, Romero et al. 2015). Any picture can be asked about; no names are needed.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.face_recogniser import FaceRecogniser
from .augmentation import recoloured_persons, swapped_backgrounds
from .checkpoint import CHECKPOINT, module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .data.splits import require_trainable
from .data.store import Heads
from .face_pictures import bent
from .losses.face_features import FaceFeatures
from .painter_pairs import coarsened
from .running_average import follow, memory
from .single_run import SingleRun

SIDE = 200  # pixels of the shown crops; the face is 112 of them, what the recogniser looks at
BEND, BENDS = 0.07, 5  # half sides: spread of the bends that make another face of one; places a side that bend


@dataclass
class LikenessConfig:
    """A likeness judge's run; rates per step."""

    teacher: str = ""  # a face recogniser's weights (MobileFaceNet), see FaceFeatures
    steps: int = 2000
    batch: int = 24
    rate: float = 3e-3
    mixed: float = 0.4  # share of the pictures that show two people's mixture
    average: float = 0.99
    seed: int = 0
    checkpoint_minutes: float = 3.0
    log_steps: int = 20


class LikenessTraining(SingleRun):
    """A run in a folder; resumes from its checkpoint. What a step sees follows from seed and step.

    Raises `BadInput` where the teacher's file cannot be read, and for persons who are held out.
    """

    LABEL, COLUMNS = "training the likeness judge", ("loss", "agreement", "held_out")

    def __init__(
        self, config: LikenessConfig, store: Heads, folder: str | Path, device: str = "cpu", held_out: Heads | None = None
    ):
        require_trainable(store.clips)
        self.config, self.store, self.folder, self.device = config, store, Path(folder), torch.device(device)
        self.held_out = held_out
        self.teacher = FaceFeatures(config.teacher).to(self.device)
        torch.manual_seed(config.seed)
        self.judge = FaceRecogniser().to(self.device).train()
        self.average = copy.deepcopy(self.judge).requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(self.judge.parameters(), lr=config.rate, weight_decay=1e-3)
        self.persons = list(store.by_person().values())
        self.step, self.seconds = 0, 0.0
        if (self.folder / CHECKPOINT).exists():
            self._resume()

    def _resume(self) -> None:
        tensors, extra = read_checkpoint(self.folder / CHECKPOINT)
        self.judge.load_state_dict(module_state(tensors, "likeness"))
        self.average.load_state_dict(module_state(tensors, "average"))
        restore_optimiser(self.optimiser, tensors, "likeness")
        self.step, self.seconds = extra["step"], extra["seconds"]

    def save(self) -> None:
        extra = {"step": self.step, "seconds": self.seconds, "config": asdict(self.config) | {"teacher": ""}}
        modules = {"likeness": self.judge, "average": self.average}
        save_checkpoint(self.folder / CHECKPOINT, modules, {"likeness": self.optimiser}, extra)

    def train_step(self) -> dict[str, float]:
        """One step; returns the loss and the mean cosine with the teacher's embeddings."""
        config = self.config
        falling = 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * min(1.0, self.step / config.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / 50) * falling
        shown = self.shown(self.store, np.random.default_rng((config.seed, self.step)))
        with torch.no_grad():
            wanted = self.teacher(shown)
        got = self.judge(shown)
        agreement = (got[-1] * wanted[-1]).sum(1).mean()
        maps = sum((g - w).abs().mean() / w.abs().mean() for g, w in zip(got[:-1], wanted[:-1])) / (len(got) - 1)
        # Who resembles whom, besides who is who: angles between people are what likeness is told by.
        among = F.mse_loss(got[-1] @ got[-1].T, wanted[-1] @ wanted[-1].T)
        loss = maps + 2 * (1 - agreement) + 2 * among
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.judge.parameters(), 5.0)
        self.optimiser.step()
        follow(self.average, self.judge, memory(config.average, self.step))
        self.step += 1
        return {"loss": float(loss.detach()), "agreement": float(agreement.detach())}

    def measured(self) -> dict[str, float]:
        """The cosine with the teacher on held-out people, unaltered; where there are any."""
        if self.held_out is None:
            return {}
        random = np.random.default_rng(0)
        rows = _rows(self.held_out, list(self.held_out.by_person().values()), 48, random)
        with torch.no_grad():
            pictures = self.held_out.pictures(rows)[0].to(self.device)
            return {"held_out": float((self.average(pictures)[-1] * self.teacher(pictures)[-1]).sum(1).mean())}

    @torch.no_grad()
    def shown(self, store: Heads, random: np.random.Generator) -> torch.Tensor:
        """(batch, 3, SIDE, SIDE) in [0, 1]: bent, moved, mixed, recoloured heads. Sets torch's global seed."""
        torch.manual_seed(int(random.integers(1 << 62)))
        count = self.config.batch
        both = torch.cat(store.pictures(_rows(store, self.persons, count, random)), 1).to(self.device)
        both = F.grid_sample(both, self._places(random), mode="bilinear", padding_mode="reflection", align_corners=False)
        (pictures,) = recoloured_persons(both[:, None, :3])
        pictures, masks = pictures[:, 0], both[:, 3:]
        share = torch.from_numpy(random.uniform(0.3, 0.7, count) * (random.random(count) < self.config.mixed)).float()
        share = share[:, None, None, None].to(self.device)
        pictures, masks = ((1 - share) * t + share * t.roll(1, 0) for t in (pictures, masks))
        return coarsened(swapped_backgrounds(pictures, masks, 0.6), 0.2).clamp(0, 1)

    def _places(self, random: np.random.Generator) -> torch.Tensor:
        """Where each place of the shown crops comes from, (batch, SIDE, SIDE, 2) in half sides."""
        count = self.config.batch
        bends = torch.from_numpy(random.normal(0, BEND, (count, 2, BENDS, BENDS)) * random.random((count, 1, 1, 1))).float()
        angle = random.uniform(-0.4, 0.4, count) * random.random(count)
        size = np.exp(random.uniform(-0.12, 0.12, count))
        flip = np.where(random.random(count) < 0.5, -1.0, 1.0)
        turn = np.stack((size * np.cos(angle), -size * np.sin(angle), size * np.sin(angle), size * np.cos(angle)), 1)
        axis = (torch.arange(SIDE) * 2 + 1) / SIDE - 1
        places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).expand(count, -1, -1, -1)
        moved = torch.einsum("bij,bhwj->bhwi", torch.from_numpy(turn).float().unflatten(1, (2, 2)), places)
        moved = moved + bent(bends, places) + torch.from_numpy(random.uniform(-0.06, 0.06, (count, 1, 1, 2))).float()
        moved[..., 0] *= torch.from_numpy(flip).float()[:, None, None]
        return moved.to(self.device)


def _rows(store: Heads, persons: list[list[int]], count: int, random: np.random.Generator) -> np.ndarray:
    rows = []
    for person in random.choice(len(persons), count, replace=count > len(persons)):
        clip = store.clips[int(random.choice(persons[person]))]
        rows.append(int(random.integers(clip.start, clip.stop)))
    return np.array(rows)
