"""Pose descriptors by name: how many numbers each has, and how they come from a head crop.

A descriptor is registered by one function, here or in somebody's own package:

    @pose_descriptor("smile", size=2)
    def open_smile(file):
        network = ...  # loaded once
        return lambda crops: network(crops)

A package that is not imported by itself names the module of that function in the entry-point group
`lpd.pose_descriptors`, under the descriptor's name.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...networks.configurations import LATENT
from ...weights.files import PoseDescriptor, file_digest

ENTRY_POINTS = "lpd.pose_descriptors"
VARIABLE = "LPD_POSE_FILE_"  # and the descriptor's name in capitals: where its file lies

# Head crops (N, S, S, 3) uint8 RGB, of any S, to descriptors (N, size); NaN in the rows where no face is seen.
Describe = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PoseSource:
    """A registered descriptor. open: prepares what computes it from the file that it needs (a path, or None);
    file: what file that is, in words; "" = none."""

    name: str
    size: int
    open: Callable[[Path | None], Describe]
    file: str = ""


_SOURCES: dict[str, PoseSource] = {}


def pose_descriptor(name: str, size: int, file: str = "") -> Callable:
    """Register the decorated function as what opens the descriptor `name` of `size` numbers; see `PoseSource`.

    Raises ValueError for a name that is taken.
    """

    def register(opening: Callable[[Path | None], Describe]) -> Callable[[Path | None], Describe]:
        if name == LATENT or name in _SOURCES:
            raise ValueError(f"there is a pose descriptor '{name}' already")
        _SOURCES[name] = PoseSource(name, size, opening, file)
        return opening

    return register


def known_descriptors() -> list[str]:
    """The names there are: the model's own, those registered, those that installed packages announce."""
    announced = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return [LATENT, *sorted(announced | set(_SOURCES))]


def pose_source(name: str) -> PoseSource:
    """The descriptor of that name, but for the latent one, which the model itself computes.

    Raises `BadInput` for an unknown name, or a package that announces it and cannot be loaded.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=name) if name not in _SOURCES else ():
        try:
            entry.load()
        except Exception as error:  # whatever a foreign package does
            raise BadInput(f"The pose descriptor '{name}' could not be loaded from {entry.value} ({error}); mend it.") from error
    if name not in _SOURCES:
        raise BadInput(f"Unknown pose descriptor '{name}'; choose one of: {', '.join(known_descriptors())}.")
    return _SOURCES[name]


def described(name: str, file: str | os.PathLike | None = None) -> Describe:
    """What computes a descriptor: crops (N, S, S, 3) uint8 RGB to (N, size) float32, a row all NaN where no face is seen.

    Opened once for the same file. Raises `BadInput` for an unknown name, a missing package, a file that is missing or
    is not what it should be, and, when called, for a descriptor that is not as registered.
    """
    source = pose_source(name)
    if not source.file:
        return _opened(name, None, "")
    if not file:
        raise BadInput(f"The pose descriptor '{name}' needs {source.file}: give its path as pose_file or in {variable(name)}.")
    path = Path(file).expanduser()
    if not path.is_file():
        raise BadInput(f"There is no file {path}, which the pose descriptor '{name}' needs ({source.file}): check the path.")
    return _opened(name, path, file_digest(path))


@functools.lru_cache(maxsize=4)
def _opened(name: str, path: Path | None, _digest: str) -> Describe:
    source = pose_source(name)
    compute = source.open(path)

    def describe(crops: np.ndarray) -> np.ndarray:
        values = np.array(compute(np.ascontiguousarray(crops)), np.float32)
        if values.shape != (len(crops), source.size):
            wanted = (len(crops), source.size)
            raise BadInput(f"The pose descriptor '{name}' gave numbers of shape {values.shape}, not {wanted}: mend its package.")
        values[~np.isfinite(values).all(1)] = np.nan
        return values

    return describe


def variable(name: str) -> str:
    """The environment variable that says where a descriptor's file lies."""
    return VARIABLE + "".join(c if c.isalnum() else "_" for c in name.upper())


def given_file(name: str, file: str = "") -> str:
    """`file`, or what the environment says of where the descriptor's lies; "" = nothing is said."""
    return file or os.environ.get(variable(name), "")


def descriptor_file(descriptor: PoseDescriptor, folder: Path) -> Path | None:
    """The file that weights in `folder` are driven with: where the environment says, else beside them.

    None for a descriptor that needs none. Raises `BadInput` where it is missing or is not the one of the training.
    """
    if not descriptor.file:
        return None
    name = variable(descriptor.name)
    path = Path(given_file(descriptor.name) or folder / descriptor.file).expanduser()
    if not path.is_file():
        raise BadInput(
            f"There is no file {path}: these weights are driven by '{descriptor.name}', which needs {descriptor.file}; "
            f"put it beside them or say where it is in {name}."
        )
    if file_digest(path) != descriptor.digest:
        raise BadInput(
            f"{path} is not the {descriptor.file} that these weights were trained with (SHA-256 {descriptor.digest[:16]}...); "
            f"put that one beside them or say where it is in {name}."
        )
    return path
