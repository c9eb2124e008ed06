"""What says the pose of a frame, and what each way of saying it makes of a person's frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...learning.pose_sources import described as pose_descriptor
from ...learning.pose_sources import given_file, pose_source
from ...weights.files import file_digest, load_model, weights_info
from ..choice import spread
from ..judges.base import MOVEMENTS, Face, Judges
from ..measures.stability import OVAL
from ..people import Person
from ..subjects import filmed, read_in_parts
from .unit import Unit

DESCRIPTORS = "descriptors"
JUDGE = "judge"


@dataclass(frozen=True)
class Source:
    """What says poses. kind: JUDGE (the landmarker, who also makes the pose classes), "weights" (a name or a path) or
    "descriptor" (a registered one, see learning/pose_sources, with its file); digest (hex): changes with what it says."""

    name: str
    kind: str
    what: str
    digest: str
    file: str = ""


def weights_source(name: str, weights: str) -> Source:
    """The descriptor that some weights are driven by. Raises `BadInput` where there are none."""
    return Source(name, "weights", weights, weights_info(weights).digest)


def descriptor_source(name: str, file: str = "") -> Source:
    """A registered pose descriptor. Raises `BadInput` for one that is unknown or cannot be opened."""
    file = given_file(name, file)
    pose_descriptor(name, file)
    digest = file_digest(Path(file).expanduser()) if file else ""
    return Source(f"descriptor {name}", "descriptor", name, f"{pose_source(name).size} {digest}", file)


def described(person: Person, source: Source, count: int, judges: Judges, device: str = "cpu") -> Unit:
    """Descriptors of up to `count` frames of a person, evenly over each clip, by name: arrays (N, D).

    A weights' descriptor is also taken in its parts. Rows of frames in which no face is seen are NaN.
    """
    shares = np.diff(np.linspace(0, count, len(person.clips) + 1).round().astype(int))
    rows = [spread(0, len(clip), share) for clip, share in zip(person.clips, shares)]
    frames = np.concatenate([clip.frames[r] for clip, r in zip(person.clips, rows)])
    if source.kind == "weights":
        return Unit(arrays=_of_weights(source.what, frames, device))
    if source.kind == "descriptor":
        numbers = pose_descriptor(source.what, source.file)(frames)
        return Unit(arrays={f"{source.what} ({numbers.shape[1]})": numbers})
    masks = np.concatenate([clip.masks[r] for clip, r in zip(person.clips, rows)])
    return Unit(arrays=_of_faces(judges.faces([filmed(*both).picture for both in zip(frames, masks)])))


def _of_weights(weights: str, frames: np.ndarray, device: str) -> dict[str, np.ndarray]:
    model = load_model(weights, device)
    whole, pose = read_in_parts(model, frames), model.configuration.pose_size
    if whole.shape[1] == pose:
        return {f"{model.configuration.pose_source} ({pose})": whole}
    parts = {f"latent ({pose})": whole[:, :pose], f"face numbers ({whole.shape[1] - pose})": whole[:, pose:]}
    return {**parts, f"latent and face numbers ({whole.shape[1]})": whole}


def _of_faces(faces: list[Face | None]) -> dict[str, np.ndarray]:
    nothing = Face(np.full((478, 2), np.nan), np.full(len(MOVEMENTS), np.nan), np.full(52, np.nan))
    seen = [face or nothing for face in faces]
    return {
        "movements": np.array([face.movements for face in seen]),
        "landmarks (956)": np.array([_centred(face.landmarks).ravel() for face in seen]),
        "blendshapes and pose (55)": np.array([np.concatenate([face.blendshapes, face.movements[:3]]) for face in seen]),
    }


def _centred(landmarks: np.ndarray) -> np.ndarray:
    """Place and size taken out: about the outline's middle, over the outer-eye distance."""
    return (landmarks - landmarks[list(OVAL)].mean(0)) / np.linalg.norm(landmarks[33] - landmarks[263])
