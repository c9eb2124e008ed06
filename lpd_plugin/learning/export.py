"""From a training run's checkpoint to a weights file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import BadInput
from ..networks.configurations import LATENT, Configuration, configuration, driven_by
from ..networks.face_recogniser import FaceRecogniser
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel, at_size
from ..weights.files import PoseDescriptor, file_digest, load_model, save_weights
from .checkpoint import module_state, read_checkpoint
from .data.any_heads import open_heads
from .data.splits import person_marks
from .data.store import Heads
from .pose_sources import described, given_file
from .pose_sources.rows import Driving, descriptors_drive, drives, pictures_drive
from .weight_norm import without_weight_norm

BANK_SIZE = 256  # poses kept with the weights


def export_run(
    run: Path, output: Path, heads: str | None = None, generator_only: bool = False, mean_with: str | Path | None = None
) -> str:
    """Write the running average of a run as a weights file; returns a sentence about it.

    A reenactment run gets its bank of pose descriptors from the train split of `heads`, spread evenly over
    persons. generator_only: as it is, at the side it draws, where else a painter would be needed; so is every run that
    another pose descriptor than the latent one drives. mean_with: weights that the run went on from; every parameter is then the
    mean of both (Wortsman et al. 2022, "Model soups"). Raises `BadInput` for a folder without a checkpoint, a run that is
    not of full size, and where what its pose descriptor needs is missing.
    """
    tensors, extra = read_checkpoint(run / "checkpoint.safetensors")
    training = {"steps": extra["step"], "hours": round(extra.get("seconds", 0) / 3600, 2), **_kept(extra["config"])}
    for kind, build in (("matte", HeadMatte), ("likeness", FaceRecogniser)):
        if any(key.startswith(f"module/{kind}/") for key in tensors):
            part = build()
            part.load_state_dict(module_state(tensors, "average"))
            save_weights(output, part, kind, kind, training)
            return f"{output}: {kind} network after {extra['step']} steps"
    config, state = extra["config"], without_weight_norm(module_state(tensors, "average"))
    full, pose = configuration(config["configuration"]), config.get("pose", LATENT)
    plain = generator_only or pose != LATENT
    if generator_only and any(key.startswith("painter.") for key in state):
        raise BadInput(f"{run} holds a painter's run: export it with its painter, or its generator's run.")
    if config["side"] != full.image_size and not plain:
        todo = f"train a painter over it (lpd train painter --from {run}/checkpoint.safetensors)"
        todo = todo if full.drawn_size else f"grow it to {full.image_size} px (grow_from)"
        raise BadInput(f"{run} renders {config['side']} px, not {full.image_size}: {todo} before exporting.")
    descriptor, driving = None, pictures_drive
    own = at_size(full, config["side"]) if plain else full
    if pose != LATENT:
        own, descriptor, driving = _driven(own, pose, config, len(state["pose_encoder.mean"]))
    model = ReenactmentModel(own)
    model.load_state_dict(state if mean_with is None else _means(state, mean_with))
    folder = heads or config.get("heads")
    if not folder:
        raise BadInput(f"{run} does not say which heads it was trained on; name them: --heads FOLDER.")
    store = open_heads(folder, "train", full.encoder_size or full.image_size)
    training["persons"] = person_marks(store.clips)  # so that nobody is judged by who was trained on them
    model.pose_bank = pose_bank(model.eval(), store, driving=driving)
    save_weights(output, model, "reenactment", config["configuration"], training, descriptor, config["side"] if plain else 0)
    driven = "" if descriptor is None else f", driven by {pose}"
    return f"{output}: {config['configuration']} after {extra['step']} steps{driven}"


def _driven(own: Configuration, pose: str, config: dict, size: int) -> tuple[Configuration, PoseDescriptor, Driving]:
    """The networks of a run that a registered descriptor drives, that descriptor, and what computes it."""
    file = given_file(pose, config.get("pose_file", ""))
    describe = described(pose, file)
    path = Path(file).expanduser()
    descriptor = PoseDescriptor(pose, size, path.name, file_digest(path)) if file else PoseDescriptor(pose, size)
    return driven_by(own, pose, size), descriptor, descriptors_drive(describe)


def _means(state: dict[str, torch.Tensor], path: str | Path) -> dict[str, torch.Tensor]:
    other = load_model(path).state_dict()
    if any(key not in other or other[key].shape != value.shape for key, value in state.items() if key != "pose_bank"):
        raise BadInput(f"{path} holds other networks than the run: there is no mean of both.")
    return {k: (v + other[k]) / 2 if v.is_floating_point() and k != "pose_bank" else v for k, v in state.items()}


@torch.no_grad()
def pose_bank(
    model: ReenactmentModel, store: Heads, size: int = BANK_SIZE, driving: Driving = pictures_drive
) -> torch.Tensor:
    """(size or fewer, descriptor_size) descriptors of training frames, as many from each person; fewer where what drives sees
    no face in some."""
    random, persons = np.random.default_rng(0), list(store.by_person().values())
    rows = []
    for index in range(size):
        clip = store.clips[int(random.choice(persons[index % len(persons)]))]
        rows.append(int(random.integers(clip.start, clip.stop)))
    bank = torch.cat([model.pose_encoder(driving(store, part)) for part in np.array_split(rows, -(-size // 16))])
    return bank[drives(bank)]


def _kept(config: dict) -> dict:
    """What of a run's configuration belongs into a weights file: nothing of the machine it ran on."""
    kept = ("side", "pose", "videos", "targets", "batch", "seed", "generator_rate", "rate")
    return {k: v for k, v in config.items() if k in kept}
