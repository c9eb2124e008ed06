"""Meta-learning: one generator for everybody, from videos of many people (paper section 3.3)."""

from __future__ import annotations

import copy
import csv
import time
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn

from ..networks.configurations import configuration
from ..networks.discriminator import Discriminator
from ..networks.model import ReenactmentModel, at_size
from ..progress import Progress
from .augmentation import PoseAugmentation, recoloured_persons, shifted, swapped_backgrounds
from .checkpoint import module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .contact_sheet import training_sheet, write_png
from .growth import grow_generator
from .heads_data import HeadStore
from .initialisation import fill_plain_encoders
from .losses.total import LossTerms
from .sampling import Sample, Sampler
from .training_config import TrainingConfig

CHECKPOINT = "checkpoint.safetensors"


class MetaLearning:
    """A training run in a folder: networks, optimisers, data, and where it stands."""

    def __init__(self, config: TrainingConfig, store: HeadStore, folder: Path, device: str = "cpu"):
        self.config, self.store, self.folder, self.device = config, store, Path(folder), device
        torch.manual_seed(config.seed)
        size = at_size(configuration(config.configuration), config.side)
        self.model = ReenactmentModel(size).to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.discriminator = Discriminator(size, len(store.clips)).to(device)
        self.optimisers = {
            "generator": _adam(self._parts(), config),
            "discriminator": _adam([(self.discriminator, config.discriminator_rate)], config),
        }
        self.augment = PoseAugmentation().to(device)
        self.losses = LossTerms(config, device)
        self.sampler = Sampler(store, config.videos, config.identity_pictures, config.targets, config.seed)
        self.step, self.seconds = 0, 0.0
        self._start_from_files()

    def _start_from_files(self) -> None:
        """Resume from this run's own checkpoint, or grow from another run's."""
        own = self.folder / CHECKPOINT
        if own.exists():
            tensors, extra = read_checkpoint(own)
            for name, module in self._modules().items():
                module.load_state_dict(module_state(tensors, name))
            for name, optimiser in self.optimisers.items():
                restore_optimiser(optimiser, tensors, name)
            self.sampler.random.bit_generator.state = extra["sampler"]
            torch.set_rng_state(tensors["random/torch"])
            self.step, self.seconds = extra["step"], extra["seconds"]
        elif self.config.grow_from:
            for part, state in _grown_from(self.config.grow_from).items():
                if part == "generator":
                    grow_generator(state, self.model.generator)
                else:
                    getattr(self.model, part).load_state_dict(state)
        else:
            rows = self.sampler.random.choice(len(self.store.frames), min(384, len(self.store.frames)), replace=False)
            pictures = self.store.pictures(rows)[0].to(self.device)
            fill_plain_encoders(self.model, pictures, self.augment(pictures))
        if self.step == 0:  # new blocks are random in both: an average must start where the model does
            self.average.load_state_dict(self.model.state_dict())

    def _parts(self) -> list[tuple[nn.Module, float]]:
        """The parts of the model that learn, each with its rate."""
        encoders = self.config.encoder_rate or self.config.generator_rate
        return [
            (self.model.identity_encoder, encoders), (self.model.pose_encoder, encoders),
            (self.model.generator, self.config.generator_rate),
        ]  # fmt: skip

    def _modules(self) -> dict[str, nn.Module]:
        return {"model": self.model, "average": self.average, "discriminator": self.discriminator}

    def save(self) -> None:
        """Write the checkpoint of this moment."""
        extra = {
            "step": self.step, "seconds": self.seconds, "config": self.config.as_dict(),
            "sampler": self.sampler.random.bit_generator.state,
        }  # fmt: skip
        save_checkpoint(self.folder / CHECKPOINT, self._modules(), self.optimisers, extra)

    def run(self, progress: Progress | None = None) -> None:
        """Train up to config.steps, checkpointing and drawing contact sheets; resumable at any point."""
        progress = progress or Progress()
        self.folder.mkdir(parents=True, exist_ok=True)
        sums, saved = defaultdict(float), time.monotonic()
        with progress.task("training", self.config.steps) as task, open(self.folder / "log.csv", "a", newline="") as log:
            task.done = self.step
            writer = csv.writer(log)
            try:
                while self.step < self.config.steps:
                    started = time.monotonic()
                    for name, value in self.train_step().items():
                        sums[name] += value
                    self.seconds += time.monotonic() - started
                    if self.step % 25 == 0:
                        row = [self.step, round(self.seconds)] + [f"{n}={v / 25:.4f}" for n, v in sums.items()]
                        writer.writerow(row)
                        log.flush()
                        progress.note(" ".join(map(str, row)))
                        sums.clear()
                    if self.step % self.config.sheet_steps == 0:
                        write_png(self.folder / "sheet.png", training_sheet(self.average, self.store, self.config.seed))
                    if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                        self.save()
                        saved = time.monotonic()
                    task.advance()
            finally:
                self.save()

    def train_step(self) -> dict[str, float]:
        """One step of generator and encoders, then of the discriminator once it plays; returns the losses."""
        for optimiser in self.optimisers.values():  # warm-up
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * min(1.0, (self.step + 1) / max(1, self.config.warm_up))
        sample = self._augmented(self.sampler.draw())
        identity_each = self.model.identity_encoder.per_picture(sample["identity"])
        identity = identity_each.mean(1).repeat_interleave(self.config.targets, 0)
        rgb, mask = self.model.generator(identity, self.model.pose_encoder(sample["pose"]))
        adversarial = self.step >= self.config.adversarial_from
        terms = self.losses.generator_terms(
            rgb * mask, mask, sample, identity_each[:, 0], self.discriminator if adversarial else None
        )
        total = sum(terms.values())
        self.optimisers["generator"].zero_grad(set_to_none=True)
        total.backward()
        for part, _ in self._parts():  # apart: an encoder's burst must not quiet the generator
            nn.utils.clip_grad_norm_(part.parameters(), 20.0)
        self.optimisers["generator"].step()
        if adversarial:
            terms["discriminator"] = self._discriminator_step((rgb * mask).detach(), sample)
        self._update_average()
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _discriminator_step(self, fake: torch.Tensor, sample: dict[str, torch.Tensor]) -> torch.Tensor:
        loss = self.losses.discriminator_loss(self.discriminator, fake, sample)
        self.optimisers["discriminator"].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers["discriminator"].step()
        return loss

    @torch.no_grad()
    def _augmented(self, sample: Sample) -> dict[str, torch.Tensor]:
        """Pictures as the networks see them: identity (V, K, 3, S, S), pose, target, mask (V*T, ...), label (V*T)."""
        identity, target = recoloured_persons(sample.identity.to(self.device), sample.target.to(self.device))
        masks = sample.target_masks.to(self.device).flatten(0, 1)
        target, masks = shifted(target.flatten(0, 1), masks)
        pose = self.augment(swapped_backgrounds(target, masks, 0.6))
        shown = swapped_backgrounds(identity.flatten(0, 1), sample.identity_masks.to(self.device).flatten(0, 1), 0.4)
        side = self.config.side
        if target.shape[-1] != side:
            target, masks = (nn.functional.interpolate(t, (side, side), mode="area") for t in (target, masks))
        return {
            "identity": shown.unflatten(0, identity.shape[:2]), "pose": pose, "target": target * masks,
            "mask": masks, "label": sample.label.to(self.device).repeat_interleave(self.config.targets),
        }  # fmt: skip

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average would remember the initial weights: its memory grows with the run.
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.model.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


def _adam(parts: list[tuple[nn.Module, float]], config: TrainingConfig) -> torch.optim.Adam:
    groups = [{"params": part.parameters(), "lr": rate, "base_lr": rate} for part, rate in parts]
    return torch.optim.Adam(groups, betas=(config.beta1, config.beta2), eps=1e-5)


def _grown_from(path: str) -> dict[str, dict[str, torch.Tensor]]:
    """The running averages of another run, or a weights file, by part."""
    tensors, extra = read_checkpoint(path)
    state = module_state(tensors, "average") if extra else {k: v.float() for k, v in tensors.items()}
    return {part: _part(state, part) for part in ("identity_encoder", "pose_encoder", "generator")}


def _part(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {k[len(part) + 1 :]: v for k, v in state.items() if k.startswith(part + ".")}
