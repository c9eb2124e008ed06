"""From the authors' checkpoint to a weights file of ours."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePath

import torch
from torch import nn

from ..errors import BadInput
from ..networks.configurations import configuration
from ..networks.discriminator import Discriminator
from ..networks.model import ReenactmentModel
from ..whole_files import checked_target
from .files import DISCRIMINATOR, OWN_IDENTITY, save_state
from .published_checkpoint import OWN_IDENTITY as RELEASED_IDENTITY
from .published_checkpoint import ReleasedCheckpoint, read_released
from .published_names import DISCRIMINATOR as DISCRIMINATOR_NAMES
from .published_names import EMBEDDER, GENERATOR, Table, own_state

NOTE = "Imported from a checkpoint of the method's authors: the terms of its authors and of its training data apply."
ARGS = "released_args"  # metadata: the training's options, as JSON; a path is {"path": text}


@dataclass(frozen=True)
class Imported:
    """What an import made: variant "meta-learned" or "fine-tuned" (one person's own generator), the training's
    iteration (-1 = not told), which parts came from running averages, how many videos a kept discriminator knows."""

    path: Path
    variant: str
    iteration: int
    averaged: tuple[str, ...]
    videos: int
    megabytes: float


def import_released(
    checkpoint: str | os.PathLike, output: str | os.PathLike, *, averages: bool = True, half: bool = False,
    discriminator: bool = False, overwrite: bool = False,
) -> Imported:  # fmt: skip
    """Write a released checkpoint as a weights file of the configuration "published".

    averages: the running averages where the checkpoint has them, as the authors' own driving script does, else the
    weights of the last step; half: half precision; discriminator: keep it, so that training can go on. A fine-tuned
    checkpoint's file also holds its person's embedding. Optimiser states are left behind.

    Raises `BadInput` for a file that cannot be read (see `read_released`), a network of another shape, or an
    output that cannot be written.
    """
    output = checked_target(output, overwrite)
    path = Path(checkpoint).expanduser()
    released = read_released(path)
    averaged = tuple(released.averages) if averages else ()
    embedder, generator = (
        released.averages[part] if part in averaged else getattr(released, part) for part in ("embedder", "generator")
    )
    own_identity = generator.pop(RELEASED_IDENTITY, None)
    state = _renamed(embedder, EMBEDDER, path, released)
    state |= {f"generator.{k}": v for k, v in _renamed(generator, GENERATOR, path, released).items()}
    _check_shapes(state, _published(ReenactmentModel), path)
    if own_identity is not None:
        if own_identity.numel() != configuration("published").identity_size:
            raise BadInput(f"{path}: its identity embedding has {own_identity.numel()} numbers, 512 are needed.")
        state[OWN_IDENTITY] = own_identity.flatten()
    videos = 0
    if discriminator:
        kept = _discriminator_state(released, path)
        videos = len(kept["label_embedding.weight_orig"])
        state |= {DISCRIMINATOR + k: v for k, v in kept.items()}
    iteration = released.args.get("iteration", -1)
    variant = "meta-learned" if own_identity is None else "fine-tuned"
    training = {
        "source": "the authors' checkpoint", "variant": variant, "iteration": iteration,
        "running averages": ", ".join(averaged) or "none", "videos of the discriminator": videos,
    }  # fmt: skip
    more = {ARGS: json.dumps(released.args, default=_plain)}
    save_state(output, state, "reenactment", "published", training, NOTE, half, more)
    return Imported(output, variant, iteration, averaged, videos, output.stat().st_size / 1e6)


def _renamed(state: dict[str, torch.Tensor], table: Table, path: Path, released: ReleasedCheckpoint) -> dict[str, torch.Tensor]:
    try:
        return own_state(state, table)
    except KeyError as unknown:
        network = ", ".join(str(released.args.get(part, "?")) for part in ("embedder", "generator", "discriminator"))
        raise BadInput(
            f"{path} holds {unknown}, which the published model does not have: only checkpoints of the method "
            f"itself can be imported, not of its baselines (this one says: {network})."
        ) from None


@functools.cache
def _published(network: type[nn.Module], *arguments) -> dict[str, torch.Tensor]:
    """The parameters of a network of the published size, shapes only."""
    with torch.device("meta"):
        state = network(configuration("published"), *arguments).state_dict()
    return {k: v for k, v in state.items() if k != "pose_bank"}


def _check_shapes(state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], path: Path) -> None:
    for key, own in wanted.items():
        if key not in state or state[key].shape != own.shape:
            has = f"has shape {tuple(state[key].shape)}" if key in state else "is missing"
            raise BadInput(f"{path} is not of the published size: {key} {has}, {tuple(own.shape)} is needed.")


def _discriminator_state(released: ReleasedCheckpoint, path: Path) -> dict[str, torch.Tensor]:
    state = _renamed(released.discriminator, DISCRIMINATOR_NAMES, path, released)
    table = state.get("label_embedding.weight_orig")
    if table is None or table.ndim != 2:
        raise BadInput(f"{path} holds no discriminator; import it without --discriminator.")
    _check_shapes(state, _published(Discriminator, len(table)), path)
    return state


def _plain(value) -> object:
    """What JSON has no form for, as it goes into the metadata."""
    if isinstance(value, PurePath):
        return {"path": value.as_posix()}
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
