"""Files that appear under their name only when complete, wherever they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import BadInput

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


COUNT = "%count%"


def numbered(path: str) -> str:
    """A path with the first number from 00001 on, in place of %count% in its last part, that no file there has."""
    folder, name = os.path.split(os.fspath(path))
    if COUNT not in name:
        return path
    before, _, after = name.partition(COUNT)
    taken = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    place = os.path.expanduser(folder or ".")
    names = os.listdir(place) if os.path.isdir(place) else []
    numbers = [int(match[1]) for match in map(taken.fullmatch, names) if match]
    return os.path.join(folder, f"{before}{max(numbers, default=0) + 1:05d}{after}")


def checked_target(path: str | os.PathLike, overwrite: bool = False) -> Path:
    """The absolute path of a file that may be written, `~` expanded; ask before the work that fills it.

    Raises BadInput if it is a folder, its folder is missing or cannot be written to, or it exists (unless
    `overwrite`).
    """
    target = Path(os.path.abspath(os.path.expanduser(os.fspath(path))))
    if os.path.isdir(target):
        raise BadInput(f"{target} is a folder: give the name of a file in it.")
    checked_folder(target.parent)
    if os.path.exists(target) and not overwrite:
        raise BadInput(f"{target} exists already: choose another name or allow it to be overwritten.")
    return target


def checked_folder(path: str | os.PathLike) -> Path:
    """The absolute path of a folder to write into, `~` expanded; ask before the work. Raises BadInput if it is missing or cannot
    be written to."""
    folder = Path(os.path.abspath(os.path.expanduser(os.fspath(path))))
    if not folder.is_dir():
        raise BadInput(f"The folder {folder} does not exist: make it first or choose another.")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"The folder {folder} cannot be written to: change its permissions or choose another.")
    return folder


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`, with its suffix, to write to; it takes the name when the block ends well.

    After an error nothing stays and what had the name before is untouched. Raises BadInput if the folder is missing
    or cannot be written to, or if its disk is full; other errors of the block pass.
    """
    target = checked_target(path, overwrite=True)
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        with _named(target, every=True):
            part.touch()
            mode = part.stat().st_mode
        with _named(target, every=False):
            yield part
        with _named(target, every=True):
            os.chmod(part, mode)  # some writers put a private file of their own in its place
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def written_first(path: Path, content: bytes) -> bytes:
    """Write a file that several processes may be about to write, each with its own content: the first one's stays, whole.
    Returns what is there. Raises OSError where the folder cannot be made or written to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError:  # a disk without links: the last one's stays
            os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)
    return path.read_bytes()


def write_tensors(path: str | os.PathLike, tensors: Mapping, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name to one safetensors file, whole or not at all; raises like `written_whole`."""
    from safetensors.torch import save_file

    with written_whole(path) as part:
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, part, metadata)


def write_png(path: str | os.PathLike, picture) -> None:
    """Write a uint8 RGB array (H, W, 3) as PNG, whole or not at all; raises like `written_whole`."""
    import cv2

    with written_whole(path) as part:
        part.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1])


@contextlib.contextmanager
def _named(target: Path, every: bool) -> Iterator[None]:
    """Turn a full disk, or with `every` any error of the operating system, into a sentence about `target`."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        if disk_is_full(error):
            raise BadInput(
                f"the disk of {target.parent} is full, so {target.name} was not written: make room or choose "
                "another folder."
            ) from error
        if every and isinstance(error, OSError):
            raise BadInput(f"{target} cannot be written ({error.strerror}): choose another name or folder.") from error
        raise


def disk_is_full(error: Exception) -> bool:
    """Whether an error says that a file could not grow: no room, no quota, or larger than files may be."""
    said = re.search(r"\(os error (\d+)\)", str(error))  # safetensors has the number in its text only
    return (getattr(error, "errno", None) or (int(said[1]) if said else None)) in _FULL
