"""From a training run's checkpoint to a weights file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import BadInput
from ..networks.configurations import configuration
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..weights.files import save_weights
from .checkpoint import module_state, read_checkpoint
from .data.any_heads import open_heads
from .data.store import Heads

BANK_SIZE = 256  # poses kept with the weights


def export_run(run: Path, output: Path, heads: str | None = None) -> str:
    """Write the running average of a run as a weights file; returns a sentence about it.

    A reenactment run gets its bank of pose descriptors from the train split of `heads`, spread evenly over
    persons. Raises `BadInput` for a folder without a checkpoint.
    """
    tensors, extra = read_checkpoint(run / "checkpoint.safetensors")
    training = {"steps": extra["step"], "hours": round(extra.get("seconds", 0) / 3600, 2), **_kept(extra["config"])}
    if any(key.startswith("module/matte/") for key in tensors):
        matte = HeadMatte()
        matte.load_state_dict(module_state(tensors, "average"))
        save_weights(output, matte, "matte", "matte", training)
        return f"{output}: head matte after {extra['step']} steps"
    config = extra["config"]
    full = configuration(config["configuration"])
    if config["side"] != full.image_size:
        todo = f"train a painter over it (lpd train painter --from {run}/checkpoint.safetensors)"
        todo = todo if full.drawn_size else f"grow it to {full.image_size} px (grow_from)"
        raise BadInput(f"{run} renders {config['side']} px, not {full.image_size}: {todo} before exporting.")
    model = ReenactmentModel(full)
    model.load_state_dict(module_state(tensors, "average"))
    folder = heads or config["heads"]
    model.pose_bank = pose_bank(model.eval(), open_heads(folder, "train", full.encoder_size or full.image_size))
    save_weights(output, model, "reenactment", config["configuration"], training)
    return f"{output}: {config['configuration']} after {extra['step']} steps"


@torch.no_grad()
def pose_bank(model: ReenactmentModel, store: Heads, size: int = BANK_SIZE) -> torch.Tensor:
    """(size, descriptor_size) descriptors of training frames, as many from each person."""
    random, persons = np.random.default_rng(0), list(store.by_person().values())
    rows = []
    for index in range(size):
        clip = store.clips[int(random.choice(persons[index % len(persons)]))]
        rows.append(int(random.integers(clip.start, clip.stop)))
    pictures, _ = store.pictures(np.array(rows))
    return torch.cat([model.pose_encoder(part) for part in pictures.split(16)])


def _kept(config: dict) -> dict:
    """What of a run's configuration belongs into a weights file: nothing of the machine it ran on."""
    return {k: v for k, v in config.items() if k in ("side", "videos", "targets", "batch", "seed", "generator_rate", "rate")}
