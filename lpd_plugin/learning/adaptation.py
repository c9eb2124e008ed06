"""Few-shot adaptation: one person's own generator, from a few of its frames (paper section 3.4)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.discriminator import Discriminator
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..progress import Progress
from ..reenactment.mattes import crop_mattes
from .adaptation_adversary import Adversary
from .adaptation_curve import Curve, measured_steps
from .adaptation_judge import MICRO_BATCH, Judge, on_grey, pose_distance, split_bank
from .adaptation_views import Frames, farthest_points, split_frames
from .augmentation import shifted
from .losses.dice import dice_loss
from .losses.laplacian import centre_weight, laplacian_loss
from .losses.ssim import ssim_loss

TRAINED_POSES = 24  # foreign poses whose heads are kept as they were; their masks are drawn once
FINE = 0.6  # share of the crop's side, around its middle, whose fine structure is compared


@dataclass(frozen=True)
class AdaptationConfig:
    """Steps of `batch` frames of the person; `foreign` poses a step keep the pose control alive.

    steps None: chosen by measuring, at most `limit`; a number: that many, on all frames, unmeasured.
    """

    steps: int | None = None
    limit: int = 240
    batch: int = 3
    foreign: int = 1
    rate: float = 6e-4
    embedding_rate: float = 5e-3
    discriminator_rate: float = 8e-4
    keep_pose: float = 4.0  # weight of the foreign poses' terms
    centre_ratio: float = 3.0
    average: float = 0.95  # of the running average that is measured and kept
    seed: int = 0


@dataclass(frozen=True)
class Adapted:
    """embedding (identity_size,) float32; changed: generator parameters by name, half precision; steps taken;
    curve: what was measured, empty where the steps were given; altered: judged by altered views of the frames."""

    embedding: torch.Tensor
    changed: dict[str, torch.Tensor]
    steps: int
    curve: Curve = field(default_factory=Curve)
    altered: bool = False


def adapt(
    model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor,
    config: AdaptationConfig = AdaptationConfig(), progress: Progress | None = None,
    discriminator: Discriminator | None = None,
) -> Adapted:  # fmt: skip
    """Free the identity embedding and the generator, freeze the encoders, fit the person's frames.

    crops (K, S, S, 3) uint8 RGB, K >= 1; embedding (identity_size,). Foreign poses come from the weights'
    own bank of descriptors: on those, the adapted head's re-encoded pose has to stay what drove it, and its
    mask what it was before. With a discriminator, its table of videos becomes one row, the person's, and it
    goes on training. Works inside a host's inference mode. Deterministic for a seed on one machine.
    """
    progress = progress or Progress()
    if config.steps == 0:
        return Adapted(embedding.clone(), {}, 0)
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(config.seed)
        run = AdaptationRun(model, matte, crops, embedding, config, discriminator)
        return _fixed(run, progress) if config.steps is not None else _searched(run, progress)


def _fixed(run: "AdaptationRun", progress: Progress) -> Adapted:
    with progress.task("adapting to the person", run.config.steps) as task:
        while run.taken < run.config.steps:
            run.step()
            task.advance()
    return Adapted(*run.kept(), run.taken)


def _searched(run: "AdaptationRun", progress: Progress) -> Adapted:
    """Go on until likeness gains no more or pose is lost; give back the best measured."""
    steps, curve = measured_steps(run.config.limit), Curve()
    best = None
    with progress.task("adapting to the person", run.config.limit) as task:
        for until in steps:
            while run.taken < until:
                run.step()
                task.advance()
            curve = Curve((*curve.measurements, run.measure()))
            if best is None or curve.best == len(curve.measurements) - 1:
                best = run.kept()
            if curve.settled:
                break
    return Adapted(*best, curve.chosen.step, curve, run.altered)


class AdaptationRun:
    """An adaptation under way: `step`, `measure`, `kept`. To be used outside inference mode, with gradients."""

    def __init__(self, model, matte, crops, embedding, config: AdaptationConfig, discriminator=None):
        self.model, self.config, self.taken = model, config, 0
        device = model.generator.constant.device
        self.random = np.random.default_rng(config.seed)
        self.generator = copy.deepcopy(model.generator).train().requires_grad_(True)
        self.embedding = nn.Parameter(embedding.clone().to(device))
        self.adversary = None if discriminator is None else Adversary(discriminator, self.embedding, config.discriminator_rate)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average_embedding = self.embedding.detach().clone()
        self._sort_frames(_frames(matte, crops, device, self.generator.configuration.image_size))
        self._prepare_foreign_poses()
        groups = [
            {"params": self.generator.parameters(), "base_lr": config.rate},
            {"params": [self.embedding], "base_lr": config.embedding_rate},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=config.rate, betas=(0.9, 0.99), eps=1e-6)

    @torch.no_grad()
    def _sort_frames(self, frames: Frames) -> None:
        self.learned, self.held_out, self.altered = frames, None, False
        if self.config.steps is None:
            poses = [self.model.pose_encoder.latent(p.float() / 255) for p in frames.pictures.split(MICRO_BATCH)]
            split = split_frames(frames, torch.cat(poses).cpu().numpy())
            self.learned, self.held_out, self.altered = split.learned, split.held_out, split.altered

    @torch.no_grad()
    def _prepare_foreign_poses(self) -> None:
        bank = self.model.pose_bank[:, : self.model.configuration.pose_size].clone()
        device = bank.device
        self.spread = bank.std(0) + 1e-3 if len(bank) > 1 else torch.ones(bank.shape[1], device=device)
        trained, self.judged = split_bank(bank)
        chosen = farthest_points(trained.cpu().numpy(), TRAINED_POSES) if self.config.foreign and len(trained) else []
        self.foreign = trained[chosen]
        masks = [self.model.generator(self.embedding.expand(len(p), -1), p)[1] for p in self.foreign.split(MICRO_BATCH) if len(p)]
        self.foreign_masks = (torch.cat(masks) * 255).round().byte() if masks else None
        self.centre = centre_weight(self.learned.pictures.shape[-1], self.config.centre_ratio, device)
        if self.held_out is not None:
            self.judge = Judge(self.model, self.held_out, self.judged, self.spread, self.config.centre_ratio)

    def measure(self):
        """The running average as it stands, a `Measurement`; only where the steps are not given."""
        return self.judge.measure(self.average, self.average_embedding, self.taken)

    def kept(self) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The running average: embedding (identity_size,), and the generator's changed parameters in half precision."""
        before = self.model.generator.state_dict()
        after = self.average.state_dict()
        changed = {k: v.half().cpu().clone() for k, v in after.items() if not torch.equal(v, before[k])}
        return self.average_embedding.cpu().clone(), changed

    def step(self) -> float:
        """One step of optimisation; returns the content loss."""
        config, random = self.config, self.random
        # Slower and slower, and with no end in mind: every moment can be the last.
        pace = min(1.0, (self.taken + 1) / 5) / (1 + self.taken / 150) ** 0.5
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_lr"] * pace
        rows = random.choice(len(self.learned), config.batch, replace=len(self.learned) < config.batch)
        with torch.no_grad():
            pictures, masks = shifted(*self.learned.rows(rows).floats())
            poses = self.model.pose_encoder.latent(pictures)
        others = random.choice(len(self.foreign), min(config.foreign, len(self.foreign)), replace=False)
        foreign = self.foreign[others]
        own = len(poses)
        rgb, mask = self.generator(self.embedding.expand(own + len(foreign), -1), torch.cat((poses, foreign)))
        picture, target = (rgb * mask)[:own], pictures * masks
        content = 10 * laplacian_loss(picture, target, self.centre) + ssim_loss(_middle(picture), _middle(target))
        loss = content + dice_loss(mask[:own], masks)
        if len(foreign):
            before = self.foreign_masks[others].float() / 255
            again = self.model.pose_encoder.latent(on_grey(rgb[own:], mask[own:]))
            kept = 0.1 * pose_distance(again, foreign, self.spread) + F.l1_loss(mask[own:], before)
            loss = loss + config.keep_pose * kept
        if self.adversary is not None:
            loss = loss + self.adversary.generator_loss(picture, target, self.embedding)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
        self.optimiser.step()
        if self.adversary is not None:
            self.adversary.step(picture.detach(), target)
        self.taken += 1
        self._update_average()
        return float(content.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average would remember the start: its memory grows with the run.
        keep = min(self.config.average, self.taken / (5 + self.taken))
        for mean, value in zip(self.average.parameters(), self.generator.parameters()):
            mean.lerp_(value, 1 - keep)
        self.average_embedding.lerp_(self.embedding, 1 - keep)


@torch.no_grad()
def _frames(matte: HeadMatte, crops: np.ndarray, device, side: int) -> Frames:
    """Pictures and mattes at the side that the generator draws."""
    pictures = torch.from_numpy(np.array(crops)).permute(0, 3, 1, 2).contiguous().to(device)
    masks = torch.from_numpy(crop_mattes(matte, crops))[:, None].to(device)
    return Frames(_at_side(pictures, side), _at_side(masks, side))


def _at_side(pictures: torch.Tensor, side: int) -> torch.Tensor:
    if pictures.shape[-1] == side:
        return pictures
    parts = [F.interpolate(p.float(), (side, side), mode="area").round().byte() for p in pictures.split(MICRO_BATCH)]
    return torch.cat(parts)


def _middle(pictures: torch.Tensor) -> torch.Tensor:
    side = pictures.shape[-1]
    border = round(side * (1 - FINE) / 2)
    return pictures[..., border : side - border, border : side - border]
