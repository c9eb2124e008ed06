"""Judges by name, and which files they come from. A package adds its own through the entry point group `lpd.judges`:
a function that calls `register`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

from ...errors import BadInput
from .base import Judges, Landmarker, Recogniser

ROLES = ("landmarker", "recogniser")


@dataclass(frozen=True)
class PlugIn:
    """A judge that can be had. role: one of ROLES; in_folder: how its files are called (shell pattern, any case), to be
    found among others; suffix: what a file given as this judge ends with; open: from the file to the judge, raises
    `BadInput`, or `ImportError` for the package it needs."""

    name: str
    role: str
    in_folder: str
    suffix: str
    open: Callable[[Path], Landmarker | Recogniser]


@dataclass(frozen=True)
class JudgeFile:
    """A judge to be opened; `digest`: SHA-256 of its file and those that lie beside under its name (hex)."""

    plug_in: str
    role: str
    path: Path
    digest: str


_PLUG_INS: dict[str, PlugIn] = {}
_OPEN: list[Landmarker | Recogniser] = []


def register(plug_in: PlugIn) -> None:
    """Add a judge, or replace the one of that name; the last one added is asked first."""
    if plug_in.role not in ROLES:
        raise ValueError(f"a judge is one of {ROLES}, not {plug_in.role}")
    _PLUG_INS.pop(plug_in.name, None)
    _PLUG_INS[plug_in.name] = plug_in


def found_judges(
    folder: str | Path | None = None, landmarker: str | Path | None = None, recogniser: str | Path | None = None
) -> dict[str, JudgeFile]:
    """By role, the files of the judges to ask: those given, else the first in `folder` that is called like a judge's.

    Raises `BadInput` for a missing file or folder, one that no judge reads, or a folder without any judge's file.
    """
    given = {"landmarker": landmarker, "recogniser": recogniser}
    found = {role: _given(role, Path(path)) for role, path in given.items() if path is not None}
    if folder is not None:
        if not Path(folder).is_dir():
            raise BadInput(f"There is no folder {folder} to look for judges in.")
        there = {role: one for role in ROLES if (one := _in_folder(role, Path(folder))) is not None}
        if not there:
            patterns = ", ".join(sorted(plug_in.in_folder for plug_in in plug_ins()))
            raise BadInput(f"{folder} holds no judge's file ({patterns}): give --landmarker FILE and --recogniser FILE.")
        found = {**there, **found}
    return found


def open_judges(files: dict[str, JudgeFile]) -> Judges:
    """The judges of `found_judges`, opened; the same ones each time within a process.

    Raises `BadInput` where a file cannot be opened or the package that reads it is not installed.
    """
    return Judges(**{role: _opened(one) for role, one in files.items()})


def close_judges() -> None:
    """Let go of every judge that was opened in this process."""
    while _OPEN:
        _OPEN.pop().close()
    _opened.cache_clear()


def plug_ins() -> list[PlugIn]:
    """All that are known, the last one added first."""
    _load_plug_ins()
    return list(reversed(_PLUG_INS.values()))


@functools.cache
def _load_plug_ins() -> None:
    from . import mediapipe_landmarker, mobilefacenet

    for ours in (mediapipe_landmarker.PLUG_IN, mobilefacenet.PLUG_IN):
        _PLUG_INS.setdefault(ours.name, ours)
    for entry in entry_points(group="lpd.judges"):
        entry.load()()


@functools.lru_cache(maxsize=4)
def _opened(file: JudgeFile) -> Landmarker | Recogniser:
    plug_in = next(one for one in plug_ins() if one.name == file.plug_in)
    try:
        _OPEN.append(plug_in.open(file.path))
    except ImportError as error:
        raise BadInput(
            f"The {file.role} {file.path.name} needs the package {error.name}: pip install \"lpd[evaluate]\", in an "
            "environment of its own."
        ) from error
    return _OPEN[-1]


def _given(role: str, path: Path) -> JudgeFile:
    if not path.is_file():
        raise BadInput(f"There is no {role} at {path}.")
    for plug_in in plug_ins():
        if plug_in.role == role and path.name.lower().endswith(plug_in.suffix.lower()):
            return _file(plug_in, path)
    suffixes = ", ".join(sorted(plug_in.suffix for plug_in in plug_ins() if plug_in.role == role))
    raise BadInput(f"No {role} reads {path.name}; give a file that ends with {suffixes}.")


def _in_folder(role: str, folder: Path) -> JudgeFile | None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for plug_in in plug_ins():
        for path in files:
            if plug_in.role == role and fnmatch(path.name.lower(), plug_in.in_folder.lower()):
                return _file(plug_in, path)
    return None


def _file(plug_in: PlugIn, path: Path) -> JudgeFile:
    digest = hashlib.sha256()
    for one in sorted(path.parent.glob(f"{path.name}*")):  # an ONNX file keeps its numbers beside it
        digest.update(one.read_bytes())
    return JudgeFile(plug_in.name, plug_in.role, path, digest.hexdigest())
