"""Meta-learning: one generator for everybody, from videos of many people (paper section 3.3)."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ..errors import BadInput
from ..networks.configurations import LATENT, configuration, driven_by
from ..networks.discriminator import Discriminator
from ..networks.model import ReenactmentModel, at_size
from ..progress import Progress
from .checkpoint import (
    BEST, CHECKPOINT, keep_numbered, module_state, read_checkpoint, read_description, restore_optimiser, save_checkpoint,
)  # fmt: skip
from .data.sampling import Sampler
from .data.splits import require_trainable
from .data.store import Heads
from .devices import advance_spectral_norm, compile_networks, use_bfloat16, use_channels_last
from .growth import start_from
from .initialisation import initialise
from .losses.total import LossTerms
from .passes import DiscriminatorPass, GeneratorPass
from .pose_sources import described, given_file, pose_source
from .pose_sources.rows import RowPoses, descriptors_drive, pictures_drive, poses_of
from .processes import Processes
from .running_average import follow, memory
from .shown import Shown
from .training_config import TrainingConfig
from .training_loop import TrainingLoop
from .weight_norm import split_weights

OPTIMISERS = {"adam": torch.optim.Adam, "radam": torch.optim.RAdam}


class MetaLearning:
    """A training run in a folder: networks, optimisers, data, and where it stands.

    `held_out`: persons that are never trained on, for validation and contact sheets; None = no validation,
    sheets of training persons. `processes`: this process among those that train together; its device counts. `kept`: opens
    the heads of `store` at the side they are kept in, for descriptors of pictures as good as there are; None = `store`.
    Raises `BadInput` where the folder's checkpoint, or the file to start from, belongs to something else, and where what a
    pose descriptor needs is missing; for persons who are held out, too.
    """

    def __init__(
        self, config: TrainingConfig, store: Heads, folder: str | Path, device: str | torch.device = "cpu",
        held_out: Heads | None = None, processes: Processes | None = None, kept: Callable[[], Heads] | None = None,
        progress: Progress | None = None,
    ):  # fmt: skip
        require_trainable(store.clips)
        self.config, self.store, self.folder, self.held_out = config, store, Path(folder), held_out
        self.processes = processes or Processes(device=torch.device(device))
        self.device = self.processes.device
        self.micro_batches = self.processes.share(config.micro_batches)
        self._check_same_run()
        size = at_size(configuration(config.configuration), config.side)
        self.driving, poses = pictures_drive, None
        if config.pose != LATENT:
            size = driven_by(size, config.pose, pose_source(config.pose).size)
            poses = self._describe(kept, progress)
        torch.manual_seed(config.seed)
        self.model = ReenactmentModel(size).to(self.device)
        initialise(self.model)
        if poses is not None:
            self.model.pose_encoder.adopt(*poses.statistics())
        self.discriminator = Discriminator(size, len(store.clips)).to(self.device)
        self._start_from_another()
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.optimisers = {
            "generator": _optimiser(self._parts(), config),
            "discriminator": _optimiser([(self.discriminator, config.discriminator_rate)], config),
        }
        self.losses = LossTerms(config, self.device)
        counts, seen = (config.videos, config.identity_pictures, config.targets), None if poses is None else poses.seen
        sampler = Sampler(store, *counts, config.seed, config.sampling, seen)
        self.shown = Shown(config, sampler, self.device, poses)
        self.step, self.seconds, self.best = 0, 0.0, math.inf
        self._go_on()
        self._arrange()
        self.passes = {
            "generator": self.processes.wrapped(GeneratorPass(self.model)),
            "discriminator": self.processes.wrapped(DiscriminatorPass(self.discriminator, self.losses)),
        }

    def _describe(self, kept: Callable[[], Heads] | None, progress: Progress | None) -> RowPoses:
        """The descriptors of the training rows; validation and sheets have theirs computed as they need them."""
        name, file = self.config.pose, given_file(self.config.pose, self.config.pose_file)
        self.driving = descriptors_drive(described(name, file))
        cache = self.folder / f"poses-{name}.npz"
        return poses_of(kept or (lambda: self.store), self.store.count, name, file, cache, progress, self.processes.first)

    def _start_from_another(self) -> None:
        """From another run's checkpoint or a weights file, unless this run has one of its own; then the layout of weights."""
        if self.config.grow_from and not (self.folder / CHECKPOINT).exists():
            start_from(self.config.grow_from, self.model, self.discriminator, self.store, self.device, self.driving)
        if self.config.weight_norm:
            split_weights(self.model.generator)

    def _go_on(self) -> None:
        """Resume from this run's own checkpoint, where there is one."""
        if (self.folder / CHECKPOINT).exists():
            self._resume(self.folder / CHECKPOINT)
        self.processes.agree(self.step, f"checkpoints in {self.folder}")
        self.processes.agree(len(self.store.clips), "numbers of training clips")

    def _resume(self, path: Path) -> None:
        tensors, extra = read_checkpoint(path)
        self._check_same_clips(tensors)
        try:
            for name, module in self._modules().items():
                module.load_state_dict(module_state(tensors, name))
            for name, optimiser in self.optimisers.items():
                restore_optimiser(optimiser, tensors, name)
        except (RuntimeError, ValueError) as error:  # of an older shape of the networks
            raise BadInput(
                f"{path} does not fit the networks of '{self.config.configuration}' any more: choose another folder, "
                "and grow_from to start from that run."
            ) from error
        self.step, self.seconds, self.best = extra["step"], extra["seconds"], extra.get("best", math.inf)

    def _check_same_run(self) -> None:
        """Before anything is computed for it; raises `BadInput` where the folder's run is of another kind."""
        if not (self.folder / CHECKPOINT).exists():
            return
        saved = json.loads(read_description(self.folder / CHECKPOINT).get("extra", "{}")).get("config", {})
        saved = {"pose": LATENT, "weight_norm": False, **saved}  # runs from before there were others do not say it
        for key in ("configuration", "side", "optimiser", "pose", "weight_norm"):
            if key in saved and saved[key] != getattr(self.config, key):
                grown = "" if key == "pose" else ", and grow_from to start from that run"
                raise BadInput(
                    f"{self.folder} holds a run with {key} {saved[key]}, not {getattr(self.config, key)}: choose "
                    f"another folder{grown}."
                )

    def _check_same_clips(self, tensors: dict[str, torch.Tensor]) -> None:
        labels = len(module_state(tensors, "discriminator").get("label_embedding.weight_orig", ()))
        if labels != len(self.store.clips):
            raise BadInput(
                f"{self.folder} holds a run over {labels} clips, but there are {len(self.store.clips)} now: "
                "train on the same data, or choose another folder and grow_from to start from that run."
            )

    def _arrange(self) -> None:
        """Precision, memory layout and compilation, as configured."""
        if self.config.channels_last:
            use_channels_last(self.model, self.discriminator)
        if self.config.precision == "bfloat16":
            use_bfloat16(self.model, self.discriminator, self.device)
        if self.config.compile:
            compile_networks(self.model, self.discriminator)

    def _parts(self) -> list[tuple[nn.Module, float]]:
        """The parts of the model that learn, each with its rate."""
        encoders = self.config.encoder_rate or self.config.generator_rate
        parts = [
            (self.model.identity_encoder, encoders), (self.model.pose_encoder, encoders),
            (self.model.generator, self.config.generator_rate),
        ]  # fmt: skip
        return [(part, rate) for part, rate in parts if next(part.parameters(), None) is not None]

    def _modules(self) -> dict[str, nn.Module]:
        return {"model": self.model, "average": self.average, "discriminator": self.discriminator}

    def save(self) -> None:
        """Write the checkpoint of this moment, and keep it under its step's number too (the last `keep_last`).

        Raises `BadInput` if it cannot be written; the one before stays.
        """
        if self.processes.first:
            path = self.folder / CHECKPOINT
            save_checkpoint(path, self._modules(), self.optimisers, self._extra())
            keep_numbered(path, self.step, self.config.keep_last)

    def save_best(self) -> None:
        """Write the running average alone as the best so far; raises like `save`."""
        save_checkpoint(self.folder / BEST, {"average": self.average}, {}, self._extra())

    def _extra(self) -> dict:
        best = {} if math.isinf(self.best) else {"best": self.best}
        return {"step": self.step, "seconds": self.seconds, "config": self.config.as_dict(), **best}

    def run(self, progress: Progress | None = None) -> None:
        """Train up to config.steps, checkpointing, validating and drawing contact sheets.

        Resumable at any step: going on gives the losses and weights that an uninterrupted run would have.
        Raises like `TrainingLoop.run`.
        """
        TrainingLoop(self, progress).run()

    def train_step(self) -> dict[str, float]:
        """One step of generator and encoders, and of the discriminator once it plays; returns the losses by name."""
        return {name: float(value) for name, value in self.step_once().items()}

    def step_once(self) -> dict[str, torch.Tensor]:
        """As `train_step`, losses left on the device: means over this process's micro-batches, detached."""
        adversarial = self.step >= self.config.adversarial_from
        networks = [self.model.train(), self.discriminator.train()]
        for network in networks:
            advance_spectral_norm(network)
        self._warm_up()
        terms, fakes = self._generator_gradients(adversarial)
        for part, _ in self._parts():  # apart: an encoder's burst must not quiet the generator
            self._clip(part)
        self.optimisers["generator"].step()
        if adversarial:
            terms["discriminator"] = self._discriminator_gradients(fakes)
            self._clip(self.discriminator)
            self.optimisers["discriminator"].step()
        self.processes.average_statistics(self.model)
        follow(self.average, self.model, memory(self.config.average, self.step))
        self.step += 1
        return terms

    def _warm_up(self) -> None:
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * min(1.0, (self.step + 1) / max(1, self.config.warm_up))

    def _generator_gradients(self, adversarial: bool) -> tuple[dict[str, torch.Tensor], list]:
        """Backward passes of every micro-batch; the mean terms, and what the discriminator has to judge."""
        self.optimisers["generator"].zero_grad(set_to_none=True)
        discriminator, sums, fakes = self.discriminator if adversarial else None, {}, []
        for micro_batch, alone in self._shares(self.passes["generator"]):
            sample = self.shown.at(self.step, micro_batch)
            with alone:
                rgb, mask, each = self.passes["generator"](sample["identity"], sample["pose"])
                picture = rgb * mask
                terms = self.losses.generator_terms(picture, mask, sample, each[:, 0], discriminator)
                (sum(terms.values()) / len(self.micro_batches)).backward()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach() / len(self.micro_batches)
            if adversarial:
                fakes.append((picture.detach(), {name: sample[name] for name in ("target", "label")}))
        return sums, fakes

    def _discriminator_gradients(self, fakes: list) -> torch.Tensor:
        self.optimisers["discriminator"].zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for (fake, sample), (_, alone) in zip(fakes, self._shares(self.passes["discriminator"])):
            with alone:
                loss = self.passes["discriminator"](fake, sample) / len(self.micro_batches)
                loss.backward()
            total += loss.detach()
        return total

    def _shares(self, network: nn.Module):
        """This process's micro-batches; gradients travel between processes with the last of them only."""
        for micro_batch in self.micro_batches:
            wait = micro_batch != self.micro_batches[-1] and hasattr(network, "no_sync")
            yield micro_batch, network.no_sync() if wait else contextlib.nullcontext()

    def _clip(self, part: nn.Module) -> None:
        if self.config.clip_gradients:
            nn.utils.clip_grad_norm_(part.parameters(), self.config.clip_gradients)


def _optimiser(parts: list[tuple[nn.Module, float]], config: TrainingConfig) -> torch.optim.Optimizer:
    groups = [{"params": part.parameters(), "lr": rate, "base_lr": rate} for part, rate in parts]
    return OPTIMISERS[config.optimiser](groups, betas=(config.beta1, config.beta2), eps=config.adam_eps)
