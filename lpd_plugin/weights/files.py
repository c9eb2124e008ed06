"""Model files: safetensors in half precision with what they are written beside them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..errors import BadInput
from ..networks.configurations import LATENT, Configuration, configuration, driven_by
from ..networks.discriminator import Discriminator
from ..networks.face_recogniser import FaceRecogniser
from ..networks.layers import fold_spectral_norm
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel, at_size
from ..whole_files import write_tensors

FOLDER = Path(__file__).parent
EMBEDDED = {name: f"{name}.safetensors" for name in ("compact", "matte", "likeness")}
# What a weights file may hold beside the model: kept for whoever trains or adapts on, and of one person.
DISCRIMINATOR, OWN_IDENTITY = "discriminator.", "own_identity"
KEPT_WHOLE = (
    "weight_u", "weight_v", "running_mean", "running_var", "pose_encoder.mean", "pose_encoder.spread", OWN_IDENTITY,
)  # fmt: skip
SIDE, DESCRIPTOR = "side", "descriptor"  # metadata of weights without a painter: what side they draw, what drives them
RESEARCH_NOTE = (
    "For research and evaluation: trained on recordings whose use is not cleared for anything else "
    "(see MODEL_CARD.md)."
)


@dataclass(frozen=True)
class PoseDescriptor:
    """What drives a model: a descriptor's name, how many numbers it has (0 = as configured), the name of the file it needs
    ("" = none) and that file's SHA-256."""

    name: str = LATENT
    size: int = 0
    file: str = ""
    digest: str = ""


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself. parameters by part; digest is the content's (hex); side: pixels that a generator
    without a painter draws, 0 = as configured."""

    path: Path
    kind: str  # "reenactment", "matte" or "likeness"
    configuration: str
    note: str
    training: dict
    parameters: dict[str, int]
    digest: str
    megabytes: float
    descriptor: PoseDescriptor = PoseDescriptor()
    side: int = 0

    def networks(self) -> Configuration:
        """The configuration of the model it holds; raises `BadInput` for an unknown one."""
        own = configuration(self.configuration)
        own = at_size(own, self.side) if self.side else own
        return own if self.descriptor.name == LATENT else driven_by(own, self.descriptor.name, self.descriptor.size)


def weights_path(name: str | os.PathLike) -> Path:
    """The file behind "compact", "matte" or "likeness" (embedded) or a path. Raises `BadInput` if there is none."""
    path = FOLDER / EMBEDDED[str(name)] if str(name) in EMBEDDED else Path(name)
    if not path.is_file():
        raise BadInput(f"There are no weights at {path}; give the path of a .safetensors file or 'compact'.")
    return path


def save_weights(
    path: str | os.PathLike, module: torch.nn.Module, kind: str, configuration: str, training: dict,
    descriptor: PoseDescriptor | None = None, side: int = 0,
) -> None:  # fmt: skip
    """Write a module's parameters in half precision, whole or not at all; descriptor, side: see `WeightsInfo`."""
    more = {SIDE: str(side)} if side else {}
    more |= {DESCRIPTOR: json.dumps(asdict(descriptor))} if descriptor else {}
    save_state(path, module.state_dict(), kind, configuration, training, RESEARCH_NOTE, more=more)


def save_state(
    path: str | os.PathLike, state: Mapping[str, torch.Tensor], kind: str, configuration: str, training: dict, note: str,
    half: bool = True, more: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Write parameters by name, whole or not at all; `more` is further metadata of the file.

    Statistics and singular vectors stay in float32: they take no room, and a variance may overflow half precision.
    """
    tensors = {k: v.half() if half and v.is_floating_point() and not k.endswith(KEPT_WHOLE) else v for k, v in state.items()}
    metadata = {"kind": kind, "configuration": configuration, "note": note, "training": json.dumps(training)}
    write_tensors(path, tensors, metadata | dict(more or {}))


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
        kept_descriptor(metadata), int(metadata.get(SIDE, 0)),
    )  # fmt: skip


def kept_descriptor(metadata: Mapping[str, str]) -> PoseDescriptor:
    """What drives the model of a file with this metadata."""
    return PoseDescriptor(**json.loads(metadata.get(DESCRIPTOR, "{}")))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, hex."""
    return _digest(str(path), path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=16)
def _digest(path: str, _mtime: int, _size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load_model(name: str | os.PathLike = "compact", device: str = "cpu") -> ReenactmentModel:
    """Encoders and generator, in float32, evaluation mode, spectral norm folded. Loaded once a device.

    The returned module is shared: whoever changes it works on a copy. It carries `digest` (hex), what drives it
    (`descriptor`) and the `folder` it lies in, and, where the generator is one person's own, that person's `own_identity`.
    Raises `BadInput` for a missing or damaged file, or one of another kind.
    """
    path = weights_path(name)
    return _load_model(str(path), file_digest(path), device)


@functools.lru_cache(maxsize=2)
def _load_model(path: str, digest: str, device: str) -> ReenactmentModel:
    info = weights_info(path)
    if info.kind != "reenactment":
        raise BadInput(f"{path} holds weights of kind '{info.kind}', not of a reenactment model.")
    state = _state(path)
    # Outside inference mode: a host runs nodes inside it, and tensors born there cannot be adapted.
    with torch.inference_mode(False):
        own_identity = state.pop(OWN_IDENTITY, None)
        state = {k: v for k, v in state.items() if not k.startswith(DISCRIMINATOR)}
        model = ReenactmentModel(info.networks())
        if not any(key.endswith("weight_orig") for key in state):
            fold_spectral_norm(model)
        _fill(model, state, path)
        model = fold_spectral_norm(model).to(device).eval().requires_grad_(False)
        if torch.device(device).type == "cpu":  # a quarter faster there; on GPUs it was never measured
            model.generator.to(memory_format=torch.channels_last)
            if model.painter is not None:
                model.painter.channels_last()
    model.digest, model.own_identity = digest, own_identity
    model.descriptor, model.folder = info.descriptor, info.path.parent
    return model


def load_discriminator(name: str | os.PathLike = "compact", device: str = "cpu") -> Discriminator | None:
    """The discriminator kept with a model, float32, in training mode, a new copy each time; None if it holds none.

    Raises `BadInput` like `load_model`.
    """
    path = str(weights_path(name))
    info = weights_info(path)
    state = {k.removeprefix(DISCRIMINATOR): v for k, v in _state(path).items() if k.startswith(DISCRIMINATOR)}
    if not state:
        return None
    with torch.inference_mode(False):
        discriminator = Discriminator(configuration(info.configuration), len(state["label_embedding.weight_orig"]))
        _fill(discriminator, state, path)
    return discriminator.to(device)


def load_matte(name: str | os.PathLike = "matte", device: str = "cpu") -> HeadMatte:
    """The head matte network, float32, evaluation mode. Raises like `load_model`."""
    path = weights_path(name)
    return _load_part(str(path), file_digest(path), device, "matte", HeadMatte)


def load_likeness(name: str | os.PathLike = "likeness", device: str = "cpu") -> FaceRecogniser:
    """The likeness judge: whom a head crop shows; float32, evaluation mode. Raises like `load_model`."""
    path = weights_path(name)
    return _load_part(str(path), file_digest(path), device, "likeness", FaceRecogniser)


@functools.lru_cache(maxsize=4)
def _load_part(path: str, digest: str, device: str, kind: str, build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    info = weights_info(path)
    if info.kind != kind:
        raise BadInput(f"{path} holds weights of kind '{info.kind}', not of kind '{kind}'.")
    with torch.inference_mode(False):
        part = build()
        _fill(part, _state(path), path)
        part = part.to(device).eval().requires_grad_(False)
    part.digest = digest
    return part


def _state(path: str) -> dict[str, torch.Tensor]:
    """Every tensor of a file, floating ones in float32."""
    with torch.inference_mode(False), safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _fill(module: torch.nn.Module, state: dict[str, torch.Tensor], path: str) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit its own configuration: {str(error).splitlines()[1].strip()}") from error
