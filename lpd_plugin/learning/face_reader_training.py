"""Training the face reader: from pictures of faces to the measures of `face_measures`, for people never seen."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.configurations import configuration
from ..networks.encoders import PoseEncoder
from ..networks.face_reader import NAMES, face_view
from .checkpoint import CHECKPOINT, module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .data.splits import require_trainable
from .face_pictures import MeasuredFaces, ShownFaces
from .running_average import follow, memory
from .single_run import SingleRun

MAP_SPREAD = 0.01  # half sides squared: about a pixel of a point's map each way


@dataclass
class FaceReaderConfig:
    """A face reader's run; the rate rises for warm_up steps and falls to 0 as a cosine."""

    configuration: str = "compact"
    steps: int = 6000
    batch: int = 24
    rate: float = 2e-3
    warm_up: int = 200
    average: float = 0.998
    points: float = 20.0  # weight of the 68 points
    spread: float = 0.5  # weight of how far the points' maps are from being one place wide
    seed: int = 0
    checkpoint_minutes: float = 4.0
    log_steps: int = 250


class FaceReaderTraining(SingleRun):
    """A run in a folder; resumes from its checkpoint. `held_out`: faces of other people, for the log. Raises `BadInput` where
    `faces` are of people who are held out."""

    LABEL, COLUMNS = "training the face reader", ("loss", "points", *NAMES)

    def __init__(
        self, config: FaceReaderConfig, faces: MeasuredFaces, folder: str | Path, held_out: MeasuredFaces, device: str = "cpu"
    ):
        require_trainable(faces.store.clips)
        self.config, self.folder, self.held_out, self.device = config, Path(folder), held_out, torch.device(device)
        torch.manual_seed(config.seed)
        self.encoder = PoseEncoder(configuration(config.configuration)).to(self.device)
        self.reader = self.encoder.face.to(memory_format=torch.channels_last)
        self.reader.adopt(*(torch.from_numpy(t) for t in (faces.shape, faces.centre, faces.spread)))
        self.average = copy.deepcopy(self.reader).requires_grad_(False).eval()
        self.shown = ShownFaces(faces, config.batch, self.encoder.size, config.seed, self.device)
        self.optimiser = torch.optim.AdamW(self.reader.parameters(), lr=config.rate, betas=(0.9, 0.99), weight_decay=0.02)
        self.step, self.seconds = 0, 0.0
        if (self.folder / CHECKPOINT).exists():
            self._resume()

    def _resume(self) -> None:
        tensors, extra = read_checkpoint(self.folder / CHECKPOINT)
        self.reader.load_state_dict(module_state(tensors, "model"))
        self.average.load_state_dict(module_state(tensors, "average"))
        restore_optimiser(self.optimiser, tensors, "reader")
        self.step, self.seconds = extra["step"], extra["seconds"]

    def save(self) -> None:
        extra = {"step": self.step, "seconds": self.seconds, "config": asdict(self.config)}
        modules = {"model": self.reader, "average": self.average}
        save_checkpoint(self.folder / CHECKPOINT, modules, {"reader": self.optimiser}, extra)

    def train_step(self) -> dict[str, float]:
        """One step; the loss is Huber's, of standardised measures and of the points that they are read off, whose maps are
        kept as wide as MAP_SPREAD (Nibali et al. 2018): a mean of two guesses is neither."""
        config = self.config
        falling = 0.5 + 0.5 * math.cos(math.pi * self.step / config.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / config.warm_up) * falling
        pictures, wanted, places = self.shown.at(self.step)
        read, points, spread = self.reader.looked(pictures.contiguous(memory_format=torch.channels_last))
        loss = F.smooth_l1_loss(read, wanted, beta=0.5)
        off, wide = F.smooth_l1_loss(points, places, beta=0.02), (spread - MAP_SPREAD).abs().mean()
        self.optimiser.zero_grad(set_to_none=True)
        (loss + config.points * off + config.spread * wide).backward()
        nn.utils.clip_grad_norm_(self.reader.parameters(), 5.0)
        self.optimiser.step()
        follow(self.average, self.reader, memory(config.average, self.step))
        self.step += 1
        return {"loss": float(loss.detach()), "points": float(off.detach())}

    def measured(self) -> dict[str, float]:
        return self.agreement()

    @torch.no_grad()
    def agreement(self, every: int = 8) -> dict[str, float]:
        """Correlation of each measure as read with as measured, over held-out people."""
        rows = np.arange(0, self.held_out.store.count, every)
        read = [self._read(part) for part in np.array_split(rows, max(1, len(rows) // 32))]
        read, wanted = np.concatenate(read), self.held_out.standard(self.held_out.values[rows])
        with np.errstate(invalid="ignore"):  # of what never changes: not a number
            return {name: float(np.corrcoef(read[:, k], wanted[:, k])[0, 1]) for k, name in enumerate(NAMES)}

    def _read(self, rows: np.ndarray) -> np.ndarray:
        pictures, _ = self.held_out.store.pictures(rows)
        return self.average(face_view(pictures.to(self.device), self.encoder.size)).cpu().numpy()
