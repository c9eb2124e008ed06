"""What a training run is, as read from YAML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from ..errors import BadInput
from ..networks.configurations import LATENT, configuration
from .pose_sources import pose_source

# Weights of the paper. Without VGG weights the content losses are left out, and content_laplacian and ssim
# stand in for them.
PAPER_WEIGHTS = {
    "content": 3e-2, "face_content": 6e-3, "adversarial": 1.0, "feature_matching": 10.0, "embedding_match": 1e-2, "dice": 1.0,
}  # fmt: skip

CHOICES = {
    "sampling": ("person", "video"),
    "augmentation": ("strong", "colours", "published"),
    "optimiser": ("adam", "radam"),
    "precision": ("float32", "bfloat16"),
}


@dataclass
class TrainingConfig:
    """One run. Sides in pixels, learning rates per step, minutes of wall time.

    A step sees micro_batches * videos videos, however many processes share them: a run goes on unchanged
    with another number of processes. Batch norm and dice see one micro-batch at a time.
    """

    configuration: str = "compact"
    pose: str = LATENT  # what drives the generator; others: docs/pose-descriptors.md
    pose_file: str = ""  # the file that such a descriptor needs
    heads: str = ""  # a folder or packed file of heads (docs/data.md)
    held_out: str = "val"  # split that validation and contact sheets look at; "" = none
    side: int = 128  # rendered size; a smaller one trains the lower part of the generator
    grow_from: str = ""  # checkpoint of a smaller side, or a weights file, to start from
    sampling: str = "person"  # "video" as published: all frames of a sample from one video, every video as often
    videos: int = 6  # per micro-batch
    micro_batches: int = 1  # per step, shared evenly by the processes, one after the other within each
    targets: int = 1  # per video
    identity_pictures: int = 8  # per video
    # "published" leaves out new persons, new backgrounds and false colours; "colours": drivers keep their shape
    augmentation: str = "strong"
    steps: int = 10_000
    optimiser: str = "adam"
    generator_rate: float = 7e-4
    encoder_rate: float = 0.0  # 0 = the generator's
    discriminator_rate: float = 2e-4
    warm_up: int = 100  # steps
    beta1: float = 0.0
    beta2: float = 0.999
    adam_eps: float = 1e-5
    clip_gradients: float = 20.0  # largest norm per network; 0 = as they come
    average: float = 0.999
    adversarial_from: int = 1 << 30  # step; the generator settles on content first
    centre_ratio: float = 5.0
    weights: dict = field(default_factory=dict)  # loss name -> weight, over the defaults below
    vgg19: str = ""  # weights file of VGG-19 for the content loss
    vgg_face: str = ""  # weights file of the VGG-16 of VGGFace for the face content loss
    vgg_input: str = "released"  # how pictures enter both: "released", "caffe" or "torchvision" (losses/vgg.py)
    face_features: str = ""  # safetensors of a face recogniser, for training only
    max_pad_fraction: float = 1.0
    seed: int = 0
    threads: int = 0  # 0 = torch's choice
    precision: str = "float32"  # "bfloat16": networks in mixed precision, losses in float32
    weight_norm: bool = False  # the generator's convolutions as length and direction (weight_norm.py)
    channels_last: bool = False  # memory layout of encoders and discriminator
    compile: bool = False  # torch.compile: minutes at the start, faster steps on a GPU
    checkpoint_minutes: float = 4.0
    keep_last: int = 2  # checkpoints kept under their step's number
    log_steps: int = 25
    sheet_steps: int = 250
    validation_steps: int = 500
    tensorboard: bool = False

    def loss_weights(self) -> dict[str, float]:
        stand_ins = 0.0 if self.vgg19 else 1.0
        defaults = {"content_laplacian": 10 * stand_ins, "ssim": stand_ins, "face_features": 0.0, "mask_pyramid": 0.0, **PAPER_WEIGHTS}
        unknown = set(self.weights) - set(defaults)
        if unknown:
            raise BadInput(f"Unknown loss '{sorted(unknown)[0]}' in weights; known: {', '.join(defaults)}.")
        return {**defaults, **self.weights}

    def as_dict(self) -> dict:
        return asdict(self)


def load_training_config(path: str | Path, **overrides) -> TrainingConfig:
    """Read a YAML file; `overrides` win. Relative paths in it are relative to the working folder.

    Raises `BadInput` for a missing file, broken YAML, an unknown key or a value of the wrong kind.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadInput(f"Cannot read training configuration {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML: {error}.") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} is not a training configuration: it must be a list of 'key: value' lines.")
    values.update({k: v for k, v in overrides.items() if v is not None})
    known = {f.name: type(f.default) for f in fields(TrainingConfig) if f.name != "weights"} | {"weights": dict}
    unknown = {str(key) for key in values} - set(known)
    if unknown:
        raise BadInput(f"{path}: unknown key '{sorted(unknown)[0]}'; known: {', '.join(sorted(known))}.")
    config = TrainingConfig(**{key: _as(known[key], value, f"{path}: {key}") for key, value in values.items()})
    configuration(config.configuration)  # raises for an unknown one
    _check(config, path)
    return config


def _as(kind: type, value, where: str):
    """The value as `kind`. YAML reads 5e-5, without a point, as text."""
    try:
        if kind is float and not isinstance(value, bool):
            return float(value)
        if kind is int and not isinstance(value, bool) and int(value) == float(value):
            return int(value)
    except (TypeError, ValueError):
        pass
    if kind in (bool, str, dict) and isinstance(value, kind):
        return value
    word = {float: "a number", int: "a whole number", bool: "true or false", str: "text", dict: "a map"}[kind]
    raise BadInput(f"{where} is {value!r}; it must be {word}.")


def _check(config: TrainingConfig, path: Path) -> None:
    for key, allowed in CHOICES.items():
        if getattr(config, key) not in allowed:
            raise BadInput(f"{path}: {key} is '{getattr(config, key)}'; choose {' or '.join(allowed)}.")
    for key in ("videos", "micro_batches", "targets", "identity_pictures", "log_steps", "sheet_steps", "validation_steps"):
        if getattr(config, key) < 1:
            raise BadInput(f"{path}: {key} is {getattr(config, key)}; it must be 1 or more.")
    if config.pose != LATENT:
        pose_source(config.pose)  # raises for an unknown one
    if config.pose_file and (config.pose == LATENT or not pose_source(config.pose).file):
        raise BadInput(f"{path}: pose_file is set, but the pose descriptor '{config.pose}' needs no file; leave it out.")
    full = configuration(config.configuration)
    if config.weight_norm and full.spectral_norm:
        raise BadInput(f"{path}: weight_norm is set, but {config.configuration} is spectrally normalised; leave it out.")
    if config.side not in full.resolutions or config.side < 32:
        allowed = ", ".join(str(side) for side in full.resolutions if side >= 32)
        raise BadInput(f"{path}: side is {config.side}; {config.configuration} renders {allowed}.")
