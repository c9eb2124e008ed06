"""Training checkpoints: safetensors, written whole or not at all, read back exactly."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..errors import BadInput
from ..whole_files import write_tensors, written_whole

CHECKPOINT = "checkpoint.safetensors"  # of a run, in its folder: where it goes on
BEST = "best.safetensors"  # the running average that did best on held-out persons


def save_checkpoint(path: str | Path, modules: dict, optimisers: dict, extra: dict) -> None:
    """Everything needed to go on. modules, optimisers: by name; extra: JSON values.

    Written whole or not at all.
    """
    tensors = {}
    for name, module in modules.items():
        tensors |= {f"module/{name}/{k}": v for k, v in module.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{name}/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors["random/torch"] = torch.get_rng_state()
    write_tensors(path, tensors, {"extra": json.dumps(extra)})


def read_checkpoint(path: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and extra values of a checkpoint; of a weights file, no extra values.

    Raises `BadInput` if it is missing or damaged.
    """
    try:
        with safe_open(str(path), "pt") as file:
            return {k: file.get_tensor(k) for k in file.keys()}, json.loads((file.metadata() or {}).get("extra", "{}"))
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not a readable training checkpoint: {error}.") from error


def read_description(path: str | Path) -> dict[str, str]:
    """What a safetensors file says of itself beside its tensors; raises like `read_checkpoint`."""
    try:
        with safe_open(str(path), "pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} is not a readable training checkpoint: {error}.") from error


def keep_numbered(path: Path, step: int, count: int) -> None:
    """Keep a checkpoint under its step's number too, and of such copies the `count` written last.

    A second name of the same file where the file system has such, so that a copy costs room only once the
    checkpoint moves on. Raises `BadInput` if it cannot be written.
    """
    numbered = path.with_name(f"{path.stem}-{step:08d}{path.suffix}")
    if count > 0:
        with written_whole(numbered) as part:
            part.unlink()
            try:
                os.link(path, part)
            except OSError:
                shutil.copy2(path, part)
    pattern = re.compile(re.escape(path.stem) + r"-\d{8,}" + re.escape(path.suffix))
    kept = [p for p in path.parent.iterdir() if pattern.fullmatch(p.name)]
    # By age, not number: a run that went back to an earlier step keeps what it writes now.
    kept.sort(key=lambda p: (p.stat().st_mtime_ns, p.name))
    for old in kept[: len(kept) - count]:
        old.unlink()


def module_state(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The state dict of one module of a checkpoint; empty if it was not saved."""
    prefix = f"module/{name}/"
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Put a saved optimiser state back (moments and step counts)."""
    prefix, state = f"optimiser/{name}/", {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            index, field = key[len(prefix) :].split("/")
            state.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
