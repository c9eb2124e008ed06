"""What a training run is, as read from YAML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from ..errors import BadInput
from ..networks.configurations import configuration

# Weights of the paper. Without VGG weights the content losses are left out, and content_laplacian and ssim
# stand in for them.
PAPER_WEIGHTS = {
    "content": 3e-2, "face_content": 6e-3, "adversarial": 1.0, "feature_matching": 10.0, "embedding_match": 1e-2, "dice": 1.0,
}  # fmt: skip


@dataclass
class TrainingConfig:
    """One run. Sides in pixels, learning rates per step, minutes of wall time."""

    configuration: str = "compact"
    heads: str = ""  # folder of head clips (see heads_data.py)
    side: int = 128  # rendered size; a smaller one trains the lower part of the generator
    grow_from: str = ""  # checkpoint of a smaller side to start from
    videos: int = 6  # per step
    targets: int = 2  # per video
    identity_pictures: int = 2  # per video (8 in the paper)
    steps: int = 10_000
    generator_rate: float = 7e-4
    encoder_rate: float = 0.0  # 0 = the generator's
    discriminator_rate: float = 2e-4
    warm_up: int = 100  # steps
    beta1: float = 0.0
    beta2: float = 0.999
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
    checkpoint_minutes: float = 4.0
    sheet_steps: int = 250

    def loss_weights(self) -> dict[str, float]:
        stand_ins = 0.0 if self.vgg19 else 1.0
        defaults = {"content_laplacian": 10 * stand_ins, "ssim": stand_ins, "face_features": 0.0, **PAPER_WEIGHTS}
        unknown = set(self.weights) - set(defaults)
        if unknown:
            raise BadInput(f"Unknown loss '{sorted(unknown)[0]}' in weights; known: {', '.join(defaults)}.")
        return {**defaults, **self.weights}

    def as_dict(self) -> dict:
        return asdict(self)


def load_training_config(path: str | Path, **overrides) -> TrainingConfig:
    """Read a YAML file; `overrides` win. Relative paths in it are relative to the working folder.

    Raises `BadInput` for a missing file, broken YAML or an unknown key.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadInput(f"Cannot read training configuration {path}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not valid YAML: {error}.") from error
    values.update({k: v for k, v in overrides.items() if v is not None})
    known = {f.name for f in fields(TrainingConfig)}
    unknown = set(values) - known
    if unknown:
        raise BadInput(f"{path}: unknown key '{sorted(unknown)[0]}'; known: {', '.join(sorted(known))}.")
    config = TrainingConfig(**values)
    configuration(config.configuration)  # raises for an unknown one
    return config
