"""What the networks see of a step: drawn, moved to the device and augmented, all by seed, step and micro-batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .augmentation import PoseAugmentation, recoloured_persons, shifted, swapped_backgrounds
from .data.sampling import Sample, Sampler
from .pose_sources.rows import RowPoses
from .training_config import TrainingConfig


class Shown:
    """The samples of a run. The random numbers of a micro-batch, dropout's too, follow from the run's seed, the step
    and its number: a resumed run, or one shared by other processes, sees the same.

    poses: what drives instead of pictures. Such a descriptor was computed of the frame as it is, so the target stays where it
    is, and nothing is done to the driving picture that a latent descriptor has to be taught to overlook.
    """

    def __init__(self, config: TrainingConfig, sampler: Sampler, device: torch.device, poses: RowPoses | None = None):
        self.config, self.sampler, self.device, self.poses = config, sampler, device, poses
        self.augment = PoseAugmentation(config.augmentation).to(device)

    @torch.no_grad()
    def at(self, step: int, micro_batch: int) -> dict[str, torch.Tensor]:
        """identity (V, K, 3, S, S), pose (V*T, 3, S, S) or descriptors (V*T, D), target (V*T, 3, s, s) = frame * mask,
        mask (V*T, 1, s, s), label (V*T,); S the store's side, s the rendered one. Sets torch's global seed."""
        self.sampler.seek(step, micro_batch)
        seed = np.random.SeedSequence((self.config.seed, step, micro_batch)).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(seed) >> 1)
        sample = self.sampler.draw()
        if self.config.augmentation == "published":
            shown = self._published(sample)
        else:
            shown = self._strong(sample)
        if self.poses is not None:
            shown["pose"] = self.poses.of(sample.target_rows, sample.mirrored).to(self.device)
        side = self.config.side
        if shown["target"].shape[-1] != side:
            for name in ("target", "mask"):
                shown[name] = nn.functional.interpolate(shown[name], (side, side), mode="area")
        shown["target"] = shown["target"] * shown["mask"]
        shown["label"] = sample.label.to(self.device).repeat_interleave(self.config.targets)
        return shown

    def _published(self, sample: Sample) -> dict[str, torch.Tensor]:
        """Target and mask shifted alike; the driving picture is the shifted target, augmented."""
        target, masks = (t.to(self.device).flatten(0, 1) for t in (sample.target, sample.target_masks))
        shown = {"identity": sample.identity.to(self.device), "target": target, "mask": masks}
        if self.poses is not None:
            return shown
        target, masks = shifted(target, masks)
        return shown | {"pose": self.augment(target), "target": target, "mask": masks}

    def _strong(self, sample: Sample) -> dict[str, torch.Tensor]:
        """Besides: a new person by colour, and other backgrounds."""
        identity, target = recoloured_persons(sample.identity.to(self.device), sample.target.to(self.device))
        masks = sample.target_masks.to(self.device).flatten(0, 1)
        shown = {"target": target.flatten(0, 1), "mask": masks}
        if self.poses is None:
            target, masks = shifted(target.flatten(0, 1), masks)
            pose = self.augment(swapped_backgrounds(target, masks, 0.6))
            shown = {"pose": pose, "target": target, "mask": masks}
        others = swapped_backgrounds(identity.flatten(0, 1), sample.identity_masks.to(self.device).flatten(0, 1), 0.4)
        return shown | {"identity": others.unflatten(0, identity.shape[:2])}
