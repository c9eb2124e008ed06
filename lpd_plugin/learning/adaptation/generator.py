"""Adapting a generator that draws the whole picture (paper section 3.4)."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...errors import BadInput
from ...networks.configurations import LATENT
from ...networks.discriminator import Discriminator
from ...networks.matte import HeadMatte
from ...networks.model import ReenactmentModel
from ...reenactment.crops import encode_crops
from ..augmentation import shifted
from ..losses.dice import dice_loss
from ..losses.laplacian import centre_weight, laplacian_loss
from ..losses.ssim import ssim_loss
from ..running_average import follow, memory
from .adversary import Adversary
from .config import AdaptationConfig
from .curve import Measurement
from .judge import MICRO_BATCH, Judge, on_grey, pose_distance, split_bank
from .views import Frames, farthest_points, person_frames, split_frames

TRAINED_POSES = 24  # foreign poses whose heads are kept as they were; their masks are drawn once
FINE = 0.6  # share of the crop's side, around its middle, whose fine structure is compared


class GeneratorAdaptation:
    """Generator and identity embedding become the person's own, as published: `step`, `measure`, `kept`. To be used outside
    inference mode, with gradients."""

    def __init__(
        self, model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor,
        config: AdaptationConfig, discriminator: Discriminator | None = None,
    ):  # fmt: skip
        self.model, self.config, self.taken = model, config, 0
        self.latent = model.configuration.pose_source == LATENT
        device = model.generator.constant.device
        self.random = np.random.default_rng(config.seed)
        self.generator = copy.deepcopy(model.generator).train().requires_grad_(True)
        self.embedding = nn.Parameter(embedding.clone().to(device))
        self.adversary = None if discriminator is None else Adversary(discriminator, self.embedding, config.discriminator_rate)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average_embedding = self.embedding.detach().clone()
        self._sort_frames(person_frames(matte, crops, device, self.generator.configuration.image_size))
        self._prepare_foreign_poses()
        groups = [
            {"params": self.generator.parameters(), "base_lr": config.rate},
            {"params": [self.embedding], "base_lr": config.embedding_rate},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=config.rate, betas=(0.9, 0.99), eps=1e-6)

    @torch.no_grad()
    def _sort_frames(self, frames: Frames) -> None:
        self.learned, self.held_out, self.altered = frames, None, False
        poses = self._read(frames.pictures.float() / 255)
        if not self.latent:  # a frame without a face drives nothing
            seen = np.flatnonzero(poses.isfinite().all(1).cpu().numpy())
            if not len(seen):
                raise BadInput(f"No face is seen by '{self.model.descriptor.name}' in any picture; adapt to clearer ones.")
            frames, poses = frames.rows(seen), poses[seen]
            self.learned = frames
        if self.config.steps is None:
            split = split_frames(frames, poses.cpu().numpy())
            self.learned, self.held_out, self.altered = split.learned, split.held_out, split.altered
        self.poses = None if self.latent else self._read(self.learned.pictures.float() / 255)

    @torch.no_grad()
    def _read(self, pictures: torch.Tensor) -> torch.Tensor:
        """What drives the generator, of pictures (B, 3, S, S) in [0, 1]: (B, pose_size). Of another descriptor than the latent
        one, a row is NaN where it sees no face."""
        if self.latent:
            return torch.cat([self.model.pose_encoder.latent(part) for part in pictures.split(MICRO_BATCH)])
        crops = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return torch.from_numpy(encode_crops(self.model, crops)).to(pictures.device)

    def _own_frames(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (B, 3, S, S), masks and poses (B, pose_size) of some learned frames, moved a little where the pose can
        be read again."""
        if not self.latent:
            return *self.learned.rows(rows).floats(), self.poses[torch.from_numpy(rows).to(self.poses.device)]
        pictures, masks = shifted(*self.learned.rows(rows).floats())
        return pictures, masks, self._read(pictures)

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
            self.judge = Judge(self.model, self.held_out, self.judged, self.spread, self.config.centre_ratio, self._read)

    def measure(self):
        """The running average as it stands, a `Measurement`; only where the steps are not given."""
        return self.judge.measure(self.average, self.average_embedding, self.taken)

    def kept(self) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The running average: embedding (identity_size,), and the changed parameters in half precision, by their names
        in the model."""
        before = self.model.generator.state_dict()
        after = self.average.state_dict()
        changed = {f"generator.{k}": v.half().cpu().clone() for k, v in after.items() if not torch.equal(v, before[k])}
        return self.average_embedding.cpu().clone(), changed

    def step(self) -> float:
        """One step of optimisation; returns the content loss."""
        config, random = self.config, self.random
        # Slower and slower, and with no end in mind: every moment can be the last.
        pace = min(1.0, (self.taken + 1) / 5) / (1 + self.taken / 150) ** 0.5
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_lr"] * pace
        rows = random.choice(len(self.learned), config.batch, replace=len(self.learned) < config.batch)
        pictures, masks, poses = self._own_frames(rows)
        others = random.choice(len(self.foreign), min(config.foreign, len(self.foreign)), replace=False)
        foreign = self.foreign[others]
        own = len(poses)
        rgb, mask = self.generator(self.embedding.expand(own + len(foreign), -1), torch.cat((poses, foreign)))
        picture, target = (rgb * mask)[:own], pictures * masks
        content = 10 * laplacian_loss(picture, target, self.centre) + ssim_loss(_middle(picture), _middle(target))
        loss = content + dice_loss(mask[:own], masks)
        if len(foreign):
            before = self.foreign_masks[others].float() / 255
            kept = F.l1_loss(mask[own:], before)
            if self.latent:  # others are no networks to learn through
                again = self.model.pose_encoder.latent(on_grey(rgb[own:], mask[own:]))
                kept = kept + 0.1 * pose_distance(again, foreign, self.spread)
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

    def _update_average(self) -> None:
        keep = memory(self.config.average, self.taken - 1, delay=6)
        follow(self.average, self.generator, keep)
        self.average_embedding.lerp_(self.embedding.detach(), 1 - keep)


def _middle(pictures: torch.Tensor) -> torch.Tensor:
    side = pictures.shape[-1]
    border = round(side * (1 - FINE) / 2)
    return pictures[..., border : side - border, border : side - border]
