"""One door for everything a user can name as footage."""

from __future__ import annotations

import hashlib
import os
from fractions import Fraction

from ..errors import BadInput
from .clip import Clip
from .container import checked_file
from .file_clip import FileClip
from .images import SUFFIXES
from .still_clip import SequenceClip, StillClip, is_pattern, sequence_files


def open_clip(
    path: str | os.PathLike,
    in_point: Fraction | float | str | None = None,
    out_point: Fraction | float | str | None = None,
    rate: Fraction | float | None = None,
) -> Clip:
    """A video file, an image, a folder of images or a pattern (shot_%04d.png, shot_####.png, shot_*.png) as a clip.

    in_point, out_point: seconds ("2.5", "0:02.5") from the clip's start; stills have no time and ignore them.
    rate: frames a second of an image sequence (None: as its images say, else 25). Raises BadInput with one sentence
    for whatever cannot be used.
    """
    path = os.path.expanduser(os.fspath(path))
    if is_sequence(path):
        sequence = SequenceClip(path, rate)
        return sequence if in_point is None and out_point is None else sequence.trimmed(in_point, out_point)
    path = checked_file(path)
    if os.path.splitext(path)[1].lower() in SUFFIXES:
        return StillClip(path, 25 if rate is None else rate)
    return FileClip(path, in_point, out_point)


def is_sequence(path: str) -> bool:
    """Whether `open_clip` takes a path for many images."""
    return os.path.isdir(path) or is_pattern(path)


def state_of(path: str) -> str:
    """What changes when footage does: sizes and times of its files, digested; of a path that leads nowhere, empty."""
    path = os.path.expanduser(path)
    try:
        files = sequence_files(path) if is_sequence(path) else [path]
        states = [(os.path.basename(file), status.st_size, status.st_mtime_ns) for file in files for status in [os.stat(file)]]
    except (OSError, BadInput):
        return ""
    return hashlib.sha256(repr(states).encode()).hexdigest()
