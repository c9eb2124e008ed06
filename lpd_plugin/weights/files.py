"""Model files: safetensors in half precision with what they are written beside them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..errors import BadInput
from ..networks.configurations import configuration
from ..networks.layers import fold_spectral_norm
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..whole_files import write_tensors

FOLDER = Path(__file__).parent
EMBEDDED = {"compact": "compact.safetensors", "matte": "matte.safetensors"}
RESEARCH_NOTE = (
    "For research and evaluation: trained on recordings whose use is not cleared for anything else "
    "(see MODEL_CARD.md)."
)


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself. parameters by part; digest is the content's (hex)."""

    path: Path
    kind: str  # "reenactment" or "matte"
    configuration: str
    note: str
    training: dict
    parameters: dict[str, int]
    digest: str
    megabytes: float


def weights_path(name: str | os.PathLike) -> Path:
    """The file behind "compact" or "matte" (embedded) or a path. Raises `BadInput` if there is none."""
    path = FOLDER / EMBEDDED[str(name)] if str(name) in EMBEDDED else Path(name)
    if not path.is_file():
        raise BadInput(f"There are no weights at {path}; give the path of a .safetensors file or 'compact'.")
    return path


def save_weights(path: str | os.PathLike, module: torch.nn.Module, kind: str, configuration: str, training: dict) -> None:
    """Write a module's parameters in half precision, whole or not at all."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in module.state_dict().items()}
    metadata = {
        "kind": kind, "configuration": configuration, "note": RESEARCH_NOTE, "training": json.dumps(training),
    }  # fmt: skip
    write_tensors(path, state, metadata)


def weights_info(name: str | os.PathLike) -> WeightsInfo:
    """Read a file's own description without loading its tensors into a network."""
    path = weights_path(name)
    counts: dict[str, int] = {}
    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
            for key in file.keys():
                size = 1
                for length in file.get_slice(key).get_shape():
                    size *= length
                counts[key.split(".")[0]] = counts.get(key.split(".")[0], 0) + size
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is not a readable safetensors file ({error}); fetch or export it again.") from error
    if "kind" not in metadata:
        raise BadInput(f"{path} holds no LPD weights: its metadata does not say what they are.")
    return WeightsInfo(
        path, metadata["kind"], metadata.get("configuration", ""), metadata.get("note", ""),
        json.loads(metadata.get("training", "{}")), counts, file_digest(path), path.stat().st_size / 1e6,
    )  # fmt: skip


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, hex."""
    return _digest(str(path), path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=16)
def _digest(path: str, _mtime: int, _size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load_model(name: str | os.PathLike = "compact", device: str = "cpu") -> ReenactmentModel:
    """Encoders and generator, in float32, evaluation mode, spectral norm folded. Loaded once a device.

    The returned module is shared: whoever changes it works on a copy. It carries `digest` (hex).
    Raises `BadInput` for a missing or damaged file, or one of another kind.
    """
    path = weights_path(name)
    return _load_model(str(path), file_digest(path), device)


@functools.lru_cache(maxsize=2)
def _load_model(path: str, digest: str, device: str) -> ReenactmentModel:
    info = weights_info(path)
    if info.kind != "reenactment":
        raise BadInput(f"{path} holds weights of kind '{info.kind}', not of a reenactment model.")
    # Outside inference mode: a host runs nodes inside it, and tensors born there cannot be adapted.
    with torch.inference_mode(False):
        model = ReenactmentModel(configuration(info.configuration))
        if any(key.endswith("weight_orig") for key in _keys(path)) is False:
            fold_spectral_norm(model)
        _fill(model, path)
        model = fold_spectral_norm(model).to(device).eval().requires_grad_(False)
    model.digest = digest
    return model


def load_matte(name: str | os.PathLike = "matte", device: str = "cpu") -> HeadMatte:
    """The head matte network, float32, evaluation mode. Raises like `load_model`."""
    path = weights_path(name)
    return _load_matte(str(path), file_digest(path), device)


@functools.lru_cache(maxsize=2)
def _load_matte(path: str, digest: str, device: str) -> HeadMatte:
    info = weights_info(path)
    if info.kind != "matte":
        raise BadInput(f"{path} holds weights of kind '{info.kind}', not of a head matte network.")
    with torch.inference_mode(False):
        matte = HeadMatte()
        _fill(matte, path)
        matte = matte.to(device).eval().requires_grad_(False)
    matte.digest = digest
    return matte


def _keys(path: str) -> list[str]:
    with safe_open(path, "pt") as file:
        return list(file.keys())


def _fill(module: torch.nn.Module, path: str) -> None:
    with safe_open(path, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}
    try:
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit its own configuration: {str(error).splitlines()[1].strip()}") from error
