"""Tensors by name from files of others: safetensors, or a .pth that holds nothing but tensors."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import BadInput
from .published_checkpoint import read_pickle


def read_tensors(path: str | os.PathLike, what: str) -> dict[str, torch.Tensor]:
    """Every tensor of a file, on the CPU. `what` names the content in messages ("VGG-19 weights").

    A .pth is read with torch's own restricted unpickler: nothing in it can run.
    Raises `BadInput` for a missing or damaged file, or one that holds other things than tensors by name.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise BadInput(f"There are no {what} at {path}; give the path of a .safetensors or .pth file.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except SafetensorError as error:
        raise BadInput(f"{path} is not a readable safetensors file ({error}); fetch the {what} again.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} holds no {what}: it is damaged, or it holds more than tensors ({_first_line(error)}); fetch it again."
        ) from None
    if not isinstance(tensors, dict) or not all(isinstance(v, torch.Tensor) for v in tensors.values()):
        raise BadInput(f"{path} holds no {what}: tensors by name are needed, as `torch.save(model.state_dict())` writes them.")
    return tensors


def read_checkpoint_tensors(path: str | os.PathLike, what: str, entries: Sequence[str]) -> dict[str, torch.Tensor]:
    """The tensors by name of somebody's training checkpoint: those under the first of `entries` that it has, else its own.

    `what` names them in messages. A .pth is read by the allow-list (published_checkpoint.py), since it may hold options
    and optimisers beside. Raises `BadInput` like `read_tensors`.
    """
    path = Path(path).expanduser()
    if path.suffix == ".safetensors" or not path.is_file():
        return read_tensors(path, what)
    content = read_pickle(path, f"checkpoint with {what}")
    for entry in entries:
        if isinstance(content, dict) and entry in content:
            content = content[entry]
            break
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise BadInput(f"{path} holds no {what}: tensors by name are needed, under {' or '.join(entries)} or by themselves.")
    return dict(content)


def _first_line(error: Exception) -> str:
    """What a refused global is called, else the error's first words."""
    text = str(error)
    if "GLOBAL " in text:
        return text.split("GLOBAL ")[1].split()[0] + " is not allowed"
    return (text.splitlines() or [type(error).__name__])[0][:120].rstrip(".")
