"""Starting from what another run learned, at the same size or a larger one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import BadInput
from ..networks.discriminator import Discriminator
from ..networks.generator import Generator
from ..networks.model import ReenactmentModel
from ..weights.files import DISCRIMINATOR, kept_descriptor
from .checkpoint import module_state, read_checkpoint, read_description
from .data.store import Heads
from .pose_sources.rows import Driving, drives, pictures_drive
from .weight_norm import without_weight_norm

PARTS = ("identity_encoder", "pose_encoder", "generator")
LEVELLING_PICTURES = 8


def start_from(
    path: str | Path, model: ReenactmentModel, discriminator: Discriminator, store: Heads, device: torch.device,
    driving: Driving = pictures_drive,
) -> None:  # fmt: skip
    """Load the running averages of a run's checkpoint, or a weights file, into networks of the same or a larger size.

    The discriminator goes on where the file holds one of the same size; its rows, one a training video, only where
    they are as many. The residual stream is levelled on pictures of `store` where its scale is free.
    Raises `BadInput` for a file that is none of these, of another configuration or of another pose descriptor.
    """
    tensors, extra = read_checkpoint(path)
    state = module_state(tensors, "average") if extra else {k: v.float() for k, v in tensors.items()}
    wanted, kept = model.configuration.name, {} if extra else read_description(path)
    found = extra.get("config", {}).get("configuration") or kept.get("configuration", wanted)
    pose = extra.get("config", {}).get("pose") or kept_descriptor(kept).name
    parts = {part: _part(state, part + ".") for part in PARTS}
    if found != wanted or not all(parts.values()):
        held = f"networks of '{found}'" if found != wanted else "no encoders and generator"
        raise BadInput(f"grow_from: {path} holds {held}; give a checkpoint or weights file of '{wanted}'.")
    if pose != model.configuration.pose_source:
        own = model.configuration.pose_source
        raise BadInput(f"grow_from: {path} is driven by the pose descriptor '{pose}', this run by '{own}'; give a file of that.")
    try:
        grow_generator(parts.pop("generator"), model.generator)
        for part, values in parts.items():
            getattr(model, part).load_state_dict(values)
    except RuntimeError as error:
        raise BadInput(f"grow_from: {path} does not fit the networks of '{wanted}'; choose another file.") from error
    judge = module_state(tensors, "discriminator") if extra else _part(state, DISCRIMINATOR)
    continue_discriminator(judge, discriminator)
    if _scale_is_free(model.generator):
        conditions = _real_conditions(model, store, device, driving)
        if conditions is not None:
            level_residual_stream(model.generator, *conditions)


@torch.no_grad()
def continue_discriminator(state: dict[str, torch.Tensor], discriminator: Discriminator) -> bool:
    """Load the state dict of a trained discriminator if it has the same size; whether it had.

    Where it knew another number of videos, their embeddings begin anew.
    """
    own = discriminator.state_dict()
    labels = {key for key in own if key.startswith("label_embedding.")}
    fits = {key for key in own if key in state and state[key].shape == own[key].shape}
    if set(own) - labels - fits:
        return False
    kept = set(own) if labels <= fits else set(own) - labels
    discriminator.load_state_dict(own | {key: state[key] for key in kept})
    return True


def _part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _scale_is_free(generator: Generator) -> bool:
    """Whether nothing normalises the weights of the blocks, so that the stream between them may drift."""
    plain = (isinstance(m, nn.Conv2d) and not parametrize.is_parametrized(m) for m in generator.blocks.modules())
    return not generator.configuration.spectral_norm and any(plain)


@torch.no_grad()
def _real_conditions(
    model: ReenactmentModel, store: Heads, device: torch.device, driving: Driving
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Embeddings (B, identity_size) and descriptors (B, pose_size) of frames spread over the store; None where what drives
    sees no face in any."""
    clips = [clips[0] for clips in store.by_person().values()][:LEVELLING_PICTURES]
    rows = np.array([store.clips[clip].start for clip in clips])
    pose = driving(store, rows)
    seen = drives(pose)
    if not seen.any():
        return None
    pictures = store.pictures(rows)[0][seen].to(device)
    return model.identity_encoder(pictures[:, None]), model.pose_encoder(pose[seen].to(device))


@torch.no_grad()
def grow_generator(state: dict[str, torch.Tensor], grown: Generator) -> None:
    """Load the state dict of a smaller generator into a larger one of the same widths.

    Blocks, constant and projector rows are copied; the rows of the old last norm go to the first norm of
    the first new block, which meets the same activations. What has no predecessor keeps its initial value.
    Source of the idea: Karras et al. 2018, progressive growing.
    Raises RuntimeError for a state that holds what the larger one does not have.
    """
    own, state = grown.state_dict(), without_weight_norm(state)
    unknown = sorted(set(state) - set(own))
    if unknown:  # a key passed over in silence would leave noise where weights should be
        raise RuntimeError(f"the larger generator has no {unknown[0]}")
    for key, value in state.items():
        if key.startswith("to_image") and own[key].shape != value.shape:
            continue
        if own[key].shape == value.shape:
            own[key] = value
        else:  # the projector's last layer: rows in the order in which norms are met
            rows = min(len(value), len(own[key]))
            own[key][:rows] = value[:rows]
    grown.load_state_dict(own)


@torch.no_grad()
def level_residual_stream(generator: Generator, identity: torch.Tensor, pose: torch.Tensor) -> list[float]:
    """Rescale the upsampling blocks so that what leaves each has standard deviation 1; returns what it was.

    Every reader of the stream normalises it, so its scale is free and drifts upwards in training without
    spectral norm (measured: 1 at 4 px, 266 at 64 px); then the last blocks' detail is a few percent of what
    it is added to and hardly learns. The pictures stay the same up to rounding and the norms' epsilon.
    identity (B, identity_size), pose (B, pose_size): embeddings and descriptors of real pictures.
    Raises ValueError for a spectrally normalised generator, whose weights cannot be rescaled.
    """
    if not _scale_is_free(generator):
        raise ValueError("a spectrally normalised generator keeps its own scale")
    scales: list[float] = []
    hooks = [b.register_forward_hook(lambda _, __, out: scales.append(float(out.std((2, 3)).mean()))) for b in generator.blocks]
    try:
        generator.render(generator.affine_parameters(identity, pose))  # together, however a CPU draws heads
    finally:
        for hook in hooks:
            hook.remove()
    before = 1.0
    for block, scale in zip(generator.blocks, scales):
        if block.skip is None:  # an identity skip cannot change the scale
            continue
        block.convolution2.weight.div_(scale)
        block.skip.weight.mul_(before / scale)
        block.skip.bias.div_(scale)
        before = scale
    return scales
