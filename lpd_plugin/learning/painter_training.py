"""Training the painter, and the half of the pose descriptor that it looks at; generator and encoders stay as they are."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import BadInput, Cancelled
from ..networks.configurations import configuration
from ..networks.model import ReenactmentModel
from ..networks.painter import resized
from ..progress import Progress
from ..whole_files import write_png
from .augmentation import PoseAugmentation
from .checkpoint import CHECKPOINT, module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .contact_sheet import painter_sheet
from .data.store import Heads
from .growth import grow_generator
from .losses.laplacian import centre_weight, laplacian_loss
from .stopping import StopRequest
from .training_log import TrainingLog

# Weights of the losses: the painted picture, the moved reference alone (else what is painted over it need not fit),
# masks, and how much neighbouring places move apart.
LOSSES = {"painted": 10.0, "moved": 3.0, "masks": 2.0, "motion": 2.0}


@dataclass
class PainterConfig:
    """A painter's run. Sides in pixels, rates per step."""

    configuration: str = "compact"
    side: int = 128
    pairs: int = 6  # of frames a step, each painted from the other
    steps: int = 4000
    rate: float = 1e-3
    expression_rate: float = 2e-4
    other_identity: float = 0.5  # share of drawings that show somebody else: what they look like must not matter
    centre_ratio: float = 5.0
    average: float = 0.99
    seed: int = 0
    checkpoint_minutes: float = 4.0
    log_steps: int = 25
    sheet_steps: int = 200


class PainterTraining:
    """A run in a folder; resumes from its checkpoint, else starts from a generator's run (`start`, a checkpoint).

    `held_out`: persons for the contact sheets, else training persons. What a step sees follows from seed and step.
    Raises `BadInput` where `start` does not hold the generator that the configuration paints over.
    """

    def __init__(
        self, config: PainterConfig, store: Heads, folder: str | Path, start: str | Path | None = None,
        device: str = "cpu", held_out: Heads | None = None,
    ):  # fmt: skip
        self.config, self.store, self.folder, self.device = config, store, Path(folder), torch.device(device)
        self.held_out, self.persons = held_out or store, list(store.by_person().values())
        torch.manual_seed(config.seed)
        size = configuration(config.configuration)
        if not size.drawn_size:
            raise BadInput(f"The configuration '{size.name}' has no painter; choose compact.")
        self.model = ReenactmentModel(size).requires_grad_(False).eval()
        self.learning = nn.ModuleList([self.model.painter, self.model.pose_encoder.expression])
        self.step, self.seconds, resumed = 0, 0.0, (self.folder / CHECKPOINT).exists()
        if not resumed:
            self._load_generator(start)
        self.average = copy.deepcopy(self.model)
        self.learning.requires_grad_(True)
        self.model.to(self.device), self.average.to(self.device)
        rates = (config.rate, config.expression_rate)
        groups = [{"params": p.parameters(), "lr": r, "base_lr": r} for p, r in zip(self.learning, rates)]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self.augment = PoseAugmentation("colours").to(self.device)
        self.centre = centre_weight(config.side, config.centre_ratio, self.device)
        if resumed:
            self._resume()

    def _load_generator(self, start: str | Path | None) -> None:
        if start is None:
            raise BadInput(f"{self.folder} holds no painter's run yet: say which generator's run it starts from.")
        tensors, _ = read_checkpoint(start)
        state, model = module_state(tensors, "average"), self.model
        parts = {name: _of(state, name) for name in ("identity_encoder", "pose_encoder.backbone", "generator")}
        try:
            model.identity_encoder.load_state_dict(parts["identity_encoder"])
            model.pose_encoder.backbone.load_state_dict(parts["pose_encoder.backbone"])
            grow_generator(parts["generator"], model.generator)
        except RuntimeError as error:
            raise BadInput(f"{start} does not hold the networks of '{self.config.configuration}'.") from error
        # Expressions begin as what the latent pose says.
        model.pose_encoder.expression.load_state_dict(parts["pose_encoder.backbone"])

    def _resume(self) -> None:
        tensors, extra = read_checkpoint(self.folder / CHECKPOINT)
        self.model.load_state_dict(module_state(tensors, "model"))
        self.average.load_state_dict(module_state(tensors, "average"))
        restore_optimiser(self.optimiser, tensors, "painter")
        self.step, self.seconds = extra["step"], extra["seconds"]

    def save(self) -> None:
        """Write the checkpoint; raises `BadInput` if it cannot be written, and the one before stays."""
        modules = {"model": self.model, "average": self.average}
        full = {**asdict(self.config), "side": self.model.configuration.image_size}
        extra = {"step": self.step, "seconds": self.seconds, "config": full}
        save_checkpoint(self.folder / CHECKPOINT, modules, {"painter": self.optimiser}, extra)

    def run(self, progress: Progress | None = None) -> None:
        """Train up to config.steps. Raises `Cancelled` once the checkpoint is written, after SIGTERM or Ctrl-C."""
        config, progress = self.config, progress or Progress()
        self.folder.mkdir(parents=True, exist_ok=True)
        log, bar = TrainingLog(self.folder, list(LOSSES), self.step), progress.task("training the painter", config.steps)
        with StopRequest() as stop, log, bar as task:
            task.done, sums, saved = self.step, [], time.monotonic()
            while self.step < config.steps:
                began = time.monotonic()
                sums.append(self.train_step())
                self.seconds += time.monotonic() - began
                last = self.step == config.steps or stop.asked
                if self.step % config.log_steps == 0 or last:
                    means = {name: sum(s[name] for s in sums) / len(sums) for name in LOSSES}
                    progress.note(log.row(self.step, self.seconds, None, means))
                    sums.clear()
                if self.step % config.sheet_steps == 0 or last:
                    write_png(self.folder / "sheet.png", painter_sheet(self.average, self.held_out, config.seed, self.device))
                if last or time.monotonic() - saved > 60 * config.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
                if stop.asked and self.step < config.steps:
                    raise Cancelled(f"stopped at step {self.step} of {config.steps}; the same command goes on from there")
                task.advance()

    def train_step(self) -> dict[str, float]:
        """One step; returns the losses by name, unweighted."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_lr"] * min(1.0, (self.step + 1) / 50)
        terms = self._losses(*self._pairs())
        self.optimiser.zero_grad(set_to_none=True)
        sum(LOSSES[name] * value for name, value in terms.items()).backward()
        nn.utils.clip_grad_norm_(self.learning.parameters(), 5.0)
        self.optimiser.step()
        with torch.no_grad():
            keep = min(self.config.average, (1 + self.step) / (10 + self.step))
            for mean, value in zip(self.average.parameters(), self.model.parameters()):
                mean.lerp_(value, 1 - keep)
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _losses(self, pictures: torch.Tensor, masks: torch.Tensor) -> dict[str, torch.Tensor]:
        """pictures (2P, 3, S, S), masks (2P, 1, S, S): frames P and what is painted from them, and back."""
        model, pairs = self.model, len(pictures) // 2
        with torch.no_grad():
            # What drives has false colours; what is painted from has not.
            shown = self.augment(pictures)
            embedding = model.identity_encoder(pictures[:pairs, None])
            others = (torch.rand(pairs, 1, device=self.device) < self.config.other_identity).float()
            embedding = torch.lerp(embedding, embedding[torch.randperm(pairs, device=self.device)], others)
            latent, own = model.pose_encoder.latent(torch.cat((shown, pictures))).chunk(2)
            rgb, mask = model.generator(torch.cat((embedding, embedding)), latent)
            drawn = torch.cat((rgb.clamp(0, 1) * mask, mask), 1)
        expression, of_reference = model.pose_encoder.expression(torch.cat((shown, pictures))).chunk(2)
        poses = torch.cat((_swapped(latent), _swapped(expression), own, of_reference), 1)
        reference = torch.cat((pictures * masks, masks), 1)
        painted, moved, motion = model.painter(_swapped(drawn), drawn, reference, poses)
        wanted = _swapped(reference)
        apart = (motion[..., 1:] - motion[..., :-1]).abs().mean() + (motion[..., 1:, :] - motion[..., :-1, :]).abs().mean()
        return {
            "painted": laplacian_loss(painted[:, :3], wanted[:, :3], self.centre),
            "moved": laplacian_loss(moved[:, :3], wanted[:, :3], self.centre),
            "masks": laplacian_loss(painted[:, 3:], wanted[:, 3:]) + 0.5 * laplacian_loss(moved[:, 3:], wanted[:, 3:]),
            "motion": apart,
        }

    @torch.no_grad()
    def _pairs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Two frames each of several videos, half of them mirrored; the second of most moved, enlarged and turned,
        since two frames of one video hardly differ in where the head is, and strangers do."""
        random = np.random.default_rng((self.config.seed, self.step))
        torch.manual_seed(int(random.integers(1 << 62)))
        count, rows = self.config.pairs, []
        for person in random.choice(len(self.persons), count, replace=count > len(self.persons)):
            clip = self.store.clips[int(random.choice(self.persons[person]))]
            rows.append(random.integers(clip.start, clip.stop, 2))
        pictures, masks = (t.to(self.device) for t in self.store.pictures(np.stack(rows, 1)))
        both = resized(torch.cat((pictures, masks), 2).flatten(0, 1), self.config.side)
        if random.random() < 0.5:
            both = both.flip(-1)
        if random.random() < 0.7:
            both[count:] = _displaced(both[count:])
        return both[:, :3], both[:, 3:]


def _swapped(pairs: torch.Tensor) -> torch.Tensor:
    """Second halves before first ones."""
    return torch.cat(tuple(reversed(pairs.chunk(2))))


def _displaced(pictures: torch.Tensor) -> torch.Tensor:
    """Turned by up to 13 degrees, 10 % larger or smaller, moved by up to 7 % of the side."""

    def within(limit: float) -> torch.Tensor:
        return (torch.rand(len(pictures), device=pictures.device) * 2 - 1) * limit

    angle, size = within(0.22), torch.exp(within(0.1))
    cosine, sine = size * angle.cos(), size * angle.sin()
    theta = torch.stack((cosine, -sine, within(0.14), sine, cosine, within(0.14)), 1).unflatten(1, (2, 3))
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _of(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(part + "."): v for k, v in state.items() if k.startswith(part + ".")}
