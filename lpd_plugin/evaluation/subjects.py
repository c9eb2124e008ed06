"""What is evaluated: ways to make a person's head follow a driver, all given the same pictures of the person."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from .. import __version__
from ..errors import BadInput
from ..learning.adaptation.config import AdaptationConfig
from ..progress import Progress
from ..reenactment.adapted import adapt_identity
from ..reenactment.crops import encode_crops
from ..reenactment.generate import GeneratedHeads
from ..reenactment.heads import Head
from ..reenactment.identity import Identity, encode_identity
from ..reenactment.mattes import crop_mattes
from ..reenactment.pose import Pose
from ..reenactment.rest import rest_of
from ..weights.files import load_discriminator, load_matte, load_model, weights_info
from .people import SIDE

COPY, META_LEARNED, ADAPTED = "copy nearest", "meta-learned", "adapted"
MICRO_BATCH = 16
_RESTS: dict[tuple[str, bytes], np.ndarray] = {}  # a few hundred bytes each: of the clips of one evaluation
GREY = 0.5  # what stands behind every head that is judged


@dataclass(frozen=True)
class Shown:
    """A head as it is judged: picture (256, 256, 3) uint8 on grey; mask (256, 256) float32 in [0, 1]."""

    picture: np.ndarray
    mask: np.ndarray


class Performer(ABC):
    """A subject that has met a person."""

    about: dict  # what should stand beside its results

    @abstractmethod
    def read(self, frames: np.ndarray, around: np.ndarray) -> np.ndarray:
        """What it takes from driving frames (M, S, S, 3) uint8, M >= 1: (M, D) float32. around: (N, S, S, 3), from all over the
        clip that they are of."""

    @abstractmethod
    def heads(self, readings: np.ndarray) -> Iterator[Head | None]:
        """The person's head for each of some readings (M, D), one after the other; None where what drives saw no face."""


@dataclass(frozen=True)
class Subject:
    """name: as it stands in the tables; kind: COPY, META_LEARNED or ADAPTED, of some weights (a name or a path)."""

    name: str
    kind: str
    weights: str

    def digest(self) -> str:
        """Hex digest of what its pictures depend on, beside those that it is given."""
        parts = [self.kind, weights_info(self.weights).digest, weights_info("matte").digest]
        if self.kind == ADAPTED:
            parts += [repr(AdaptationConfig()), __version__]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def performer(self, given: np.ndarray, device: str = "cpu", progress: Progress | None = None) -> Performer:
        """Meet a person in pictures (K, 256, 256, 3) uint8. Deterministic on one machine."""
        model = load_model(self.weights, device)
        if self.kind == COPY:
            return _NearestPicture(given, model, device)
        identity = encode_identity(model, given, self.weights)
        if self.kind == META_LEARNED:
            return _Generated(identity, model)
        discriminator = load_discriminator(self.weights, device)
        adapted = adapt_identity(identity, model, load_matte(device=device), AdaptationConfig(), progress, discriminator)
        return _Generated(adapted, model)


def chosen_subjects(weights: str, also: dict[str, str], adapt: bool) -> list[Subject]:
    """The baseline, the weights as they are and (if asked for) adapted, and others by name.

    Raises `BadInput` for a name that is taken, weights that there are not.
    """
    subjects = [Subject(COPY, COPY, weights), Subject(META_LEARNED, META_LEARNED, weights)]
    subjects += [Subject(ADAPTED, ADAPTED, weights)] if adapt else []
    for name, other in also.items():
        if name in (COPY, META_LEARNED, ADAPTED):
            raise BadInput(f"--also {name}=...: '{name}' is what this report calls something else; choose another name.")
        subjects.append(Subject(name, META_LEARNED, other))
    for subject in subjects:
        if weights_info(subject.weights).kind != "reenactment":
            raise BadInput(f"{subject.weights} holds no weights of a reenactment model.")
    return subjects


class _Generated(Performer):
    """By whatever the product draws this identity with."""

    def __init__(self, identity: Identity, model):
        self.identity, self.model = identity, model
        record = identity.about.get("adaptation", {})
        self.about = {"adaptation steps": record["steps"]} if "steps" in record else {}

    def read(self, frames: np.ndarray, around: np.ndarray) -> np.ndarray:
        return read_performance(self.model, frames, around)

    def heads(self, readings: np.ndarray) -> Iterator[Head | None]:
        times, seen = np.arange(len(readings)) / 25, np.isfinite(readings).all(1)
        pose = Pose(times, np.where(seen[:, None], readings, 0), seen, len(readings) / 25, self.model.digest)
        yield from GeneratedHeads(self.identity, pose, self.model)


class _NearestPicture(Performer):
    """The given picture whose descriptor lies nearest to the driver's: always the person, and no motion between."""

    def __init__(self, given: np.ndarray, model, device: str):
        self.model, self.given = model, given
        self.mattes = crop_mattes(load_matte(device=device), given)
        self.descriptors = self._numbers(read_in_parts(model, given))
        self.about = {}

    def read(self, frames: np.ndarray, around: np.ndarray) -> np.ndarray:
        return read_performance(self.model, frames, around)

    def heads(self, readings: np.ndarray) -> Iterator[Head | None]:
        for numbers in self._numbers(readings):
            apart = np.square(self.descriptors - numbers).sum(1)
            row = int(np.argmin(np.where(np.isfinite(apart), apart, np.inf)))
            yield Head(np.float32(self.given[row]) / 255, np.float32(self.mattes[row]) / 255)

    def _numbers(self, readings: np.ndarray) -> np.ndarray:
        """In spreads of the weights' bank of poses; the face's own numbers where there are any, as the painter chooses."""
        bank = self.model.pose_bank.cpu().numpy()
        spread = bank.std(0) + 1e-3 if len(bank) > 1 else np.ones(readings.shape[1])
        first = self.model.configuration.pose_size if self.model.configuration.face_size else 0
        return (readings / spread)[:, first:]


def read_in_parts(model, frames: np.ndarray) -> np.ndarray:
    """`encode_crops` of any number of frames."""
    return np.concatenate([encode_crops(model, frames[k : k + MICRO_BATCH]) for k in range(0, len(frames), MICRO_BATCH)])


def read_performance(model, frames: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Frames (M, S, S, 3) of a clip as a performance is read; the frames `around` (N, S, S, 3) tell the driver's mouth at rest."""
    key = (model.digest, hashlib.sha256(around.tobytes()).digest())
    if key not in _RESTS:  # everybody is driven by the same clips
        _RESTS[key] = rest_of(model, read_in_parts(model, around))
    return read_in_parts(model, frames) - _RESTS[key]


def shown(head: Head | None) -> Shown:
    """A generated head on grey at 256 px, whatever size it was drawn at; grey alone where there is none."""
    if head is None:
        return Shown(np.full((SIDE, SIDE, 3), round(255 * GREY), np.uint8), np.zeros((SIDE, SIDE), np.float32))
    mask = head.matte.clip(0, 1)
    picture = head.rgb.clip(0, 1) * mask[..., None] + GREY * (1 - mask[..., None])
    if len(mask) != SIDE:
        method = cv2.INTER_CUBIC if len(mask) < SIDE else cv2.INTER_AREA
        picture, mask = (cv2.resize(one, (SIDE, SIDE), interpolation=method).clip(0, 1) for one in (picture, mask))
    return Shown((picture * 255).round().astype(np.uint8), mask.astype(np.float32))


def filmed(frame: np.ndarray, mask: np.ndarray) -> Shown:
    """A real frame (256, 256, 3) with its mask (256, 256), uint8, as it is judged: the background removed."""
    return shown(Head(np.float32(frame) / 255, np.float32(mask) / 255))


def as_tensor(one: Shown) -> torch.Tensor:
    """(3, 256, 256) float32 in [0, 1]."""
    return torch.from_numpy(one.picture).permute(2, 0, 1).float() / 255
