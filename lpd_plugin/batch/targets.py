"""Where a job's outputs go: asked for before the work, given their names at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import BadInput
from ..video.sequence_target import SequenceTarget, is_numbered
from ..video.writer import check_output
from ..whole_files import checked_target, written_whole
from .remote_files import is_remote, remote_exists, send
from .segment_files import remove, sync_folder


def check_targets(targets: Iterable[str], overwrite: bool) -> None:
    """Refuse what could not be written in the end; folders that are missing are made. Raises `BadInput`."""
    for target in targets:
        if is_remote(target):
            if remote_exists(target) and not overwrite:
                raise BadInput(f"{target} exists already: choose another name or allow it to be overwritten.")
            continue
        path = Path(target)
        folder = path.parent.parent if is_numbered(target) else path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.stat(path)  # says whether the name is too long, which nothing else does before it is written
        except OSError as error:
            raise BadInput(f"{_short(target)} cannot be written ({error.strerror}): choose another name or folder.") from error
        check_output(target, overwrite)


Identity = list[list[int]]


def identity_of(target: str) -> Identity | None:
    """What tells the files of an output from others of the same names: sizes and times of change. None where there are none."""
    try:
        return [[status.st_size, status.st_mtime_ns] for status in map(os.stat, _files(target))] or None
    except OSError:
        return None


def place(staged: Mapping[str, str], overwrite: bool, ours: Mapping[str, list[Identity]]) -> None:
    """Give finished outputs their names. What exists is replaced only where that is allowed, or where it is `ours`: of a run
    that ended between this and its note of it. Raises `BadInput` else; nothing is placed then."""
    for target in staged:
        if not is_remote(target):
            check_output(target, overwrite or is_ours(target, ours))
    for target, path in staged.items():
        if is_remote(target):
            send(Path(path), target)
        elif is_numbered(target):
            _place_images(Path(path), target)
        else:
            _place_file(Path(path), Path(target))


def on_same_disk(staged: Mapping[str, str]) -> dict[str, str]:
    """Outputs copied beside their targets where a name alone cannot take them there: the long part of placing, done before."""
    result = {}
    for count, (target, path) in enumerate(staged.items()):
        if is_remote(target) or is_numbered(target) or _same_disk(path, os.path.dirname(target)):
            result[target] = path
            continue
        # Named after the job's folder, so that another try finds and replaces what a killed one left.
        beside = checked_target(target, overwrite=True).with_name(f".lpd-{Path(path).parents[2].name}-{count}{Path(target).suffix}")
        with written_whole(beside) as part:
            shutil.copyfile(path, part)
        result[target] = os.fspath(beside)
    return result


def identities(staged: Mapping[str, str]) -> dict[str, Identity]:
    """What `identity_of` will say of the targets when they are placed."""
    return {target: _identity_of_staged(Path(path)) for target, path in staged.items() if not is_remote(target)}


def is_ours(target: str, ours: Mapping[str, list[Identity]]) -> bool:
    """Whether what lies at a target is what was noted before it was placed there."""
    return bool(ours.get(target)) and identity_of(target) in ours[target]


def _identity_of_staged(path: Path) -> Identity:
    files = sorted(path.iterdir(), key=lambda file: (len(file.name), file.name)) if path.is_dir() else [path]
    return [[status.st_size, status.st_mtime_ns] for status in map(os.stat, files)]


def _files(target: str) -> Sequence[os.PathLike | str]:
    return SequenceTarget.checked(target, overwrite=True).present() if is_numbered(target) else [target]


def _place_file(path: Path, target: Path) -> None:
    try:
        os.replace(path, target)
    except OSError as error:
        raise BadInput(f"{target} cannot be written ({error.strerror}): choose another name or folder.") from error
    sync_folder(target.parent)


def _place_images(folder: Path, target: str) -> None:
    """Names of the same files where the disk allows, so that their times stay; then the staged ones go."""
    with SequenceTarget.checked(target, overwrite=True).written_whole() as part:
        for file in folder.iterdir():
            try:
                os.link(file, part / file.name)
            except OSError:
                shutil.copy2(file, part / file.name)
    remove(folder)


def _same_disk(path: str, folder: str) -> bool:
    try:
        return os.stat(path).st_dev == os.stat(folder).st_dev
    except OSError:
        return True  # placing says what is wrong


def _short(target: str) -> str:
    """A path that fits into a sentence."""
    return target if len(target) <= 120 else f"{target[:60]}...{target[-50:]}"
