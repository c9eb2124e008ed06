"""Few-shot adaptation: one person's own generator, from a few of its frames (paper section 3.4)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..progress import Progress
from .augmentation import shifted
from .losses.dice import dice_loss
from .losses.laplacian import centre_weight, laplacian_loss
from .losses.ssim import ssim_loss


@dataclass(frozen=True)
class AdaptationConfig:
    """Steps of `batch` frames of the person; `foreign` poses a step keep the pose control alive."""

    steps: int = 120
    batch: int = 3
    foreign: int = 2
    rate: float = 6e-4
    embedding_rate: float = 5e-3
    keep_pose: float = 4.0  # weight of the foreign poses' terms
    centre_ratio: float = 3.0
    seed: int = 0


@dataclass(frozen=True)
class Adapted:
    """embedding (identity_size,) float32; changed: generator parameters by name, half precision;
    losses: content loss per step."""

    embedding: torch.Tensor
    changed: dict[str, torch.Tensor]
    losses: list[float]


def adapt(
    model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor,
    config: AdaptationConfig = AdaptationConfig(), progress: Progress | None = None,
) -> Adapted:  # fmt: skip
    """Free the identity embedding and the generator, freeze the encoders, fit the person's frames.

    crops (K, S, S, 3) uint8 RGB, K >= 1; embedding (identity_size,). Foreign poses come from the weights'
    own bank of descriptors: on those, the adapted head's re-encoded pose has to stay what drove it, and its
    mask what it was before. Works inside a host's inference mode. Deterministic for a seed on one machine.
    """
    progress = progress or Progress()
    if config.steps == 0:
        return Adapted(embedding.clone(), {}, [])
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return _Adaptation(model, matte, crops, embedding, config).run(progress)


class _Adaptation:
    def __init__(self, model, matte, crops, embedding, config: AdaptationConfig):
        self.model, self.config = model, config
        device = model.generator.constant.device
        self.generator = copy.deepcopy(model.generator).train().requires_grad_(True)
        self.embedding = nn.Parameter(embedding.clone().to(device))
        self.start = embedding.clone().to(device)
        pictures = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float().to(device) / 255
        with torch.no_grad():
            self.masks = torch.cat([matte(p[None]) for p in pictures])
        self.pictures = pictures
        self.bank = model.pose_bank.clone()
        self.centre = centre_weight(pictures.shape[-1], config.centre_ratio, device)
        self.random = np.random.default_rng(config.seed)
        groups = [
            {"params": self.generator.parameters(), "lr": config.rate, "base_lr": config.rate},
            {"params": [self.embedding], "lr": config.embedding_rate, "base_lr": config.embedding_rate},
        ]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-6)

    def run(self, progress: Progress) -> Adapted:
        losses = []
        with progress.task("adapting to the person", self.config.steps) as task:
            for step in range(self.config.steps):
                losses.append(self._step(step))
                task.advance()
        before = self.model.generator.state_dict()
        changed = {
            k: v.detach().half().cpu() for k, v in self.generator.state_dict().items() if not torch.equal(v, before[k])
        }
        return Adapted(self.embedding.detach().cpu().clone(), changed, losses)

    def _step(self, step: int) -> float:
        share = step / self.config.steps
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_lr"] * min(1.0, (step + 1) / 5) * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * share)))
        rows = self.random.choice(len(self.pictures), self.config.batch, replace=len(self.pictures) < self.config.batch)
        with torch.no_grad():
            pictures, masks = shifted(self.pictures[rows], self.masks[rows])
            poses = self.model.pose_encoder(pictures)
        foreign = self._foreign_poses()
        identity = self.embedding.expand(len(poses) + len(foreign), -1)
        rgb, mask = self.generator(identity, torch.cat((poses, foreign)))
        own, own_mask = (rgb * mask)[: len(poses)], mask[: len(poses)]
        content = 10 * laplacian_loss(own, pictures * masks, self.centre) + ssim_loss(own, pictures * masks)
        loss = content + dice_loss(own_mask, masks)
        if len(foreign):
            loss = loss + self.config.keep_pose * self._pose_kept(rgb[len(poses) :], mask[len(poses) :], foreign)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
        self.optimiser.step()
        return float(content.detach())

    def _foreign_poses(self) -> torch.Tensor:
        count = min(self.config.foreign, len(self.bank))
        return self.bank[self.random.choice(len(self.bank), count, replace=False)] if count else self.bank[:0]

    def _pose_kept(self, rgb: torch.Tensor, mask: torch.Tensor, foreign: torch.Tensor) -> torch.Tensor:
        """Mean distance of re-encoded poses, in units of the bank's spread, plus the masks' change."""
        with torch.no_grad():
            _, before = self.model.generator(self.start.expand(len(foreign), -1), foreign)
        grey = torch.full_like(rgb, 0.5)
        again = self.model.pose_encoder((rgb * mask + grey * (1 - mask)).clamp(0, 1))
        spread = self.bank.std(0) + 1e-3
        return ((again - foreign) / spread).abs().mean() * 0.1 + F.l1_loss(mask, before)
