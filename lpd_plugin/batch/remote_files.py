"""Files of other places than this machine's disks: s3://, gs://, https:// and what else fsspec knows, fetched and sent."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..progress import Progress
from ..whole_files import written_whole

def is_remote(path: str) -> bool:
    """Whether a path names its file system: s3://bucket/file."""
    return bool(re.match(r"[a-z][a-z0-9+.-]+://", path))


def fetched(source: str, folder: Path, progress: Progress) -> Path:
    """A copy of a remote file in `folder`, made once as long as it does not change, whole or not at all.

    Raises BadInput for one that is missing or whose file system is unknown; what the network does is raised as it comes.
    """
    system, path = _system(source)
    with _named(source):
        state = system.ukey(path)
    name = hashlib.sha256(f"{source} {state}".encode()).hexdigest()[:16]
    local = folder / f"{name}{Path(path).suffix}"
    if not local.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(local) as part, progress.task(f"fetching {os.path.basename(path)}", None), _named(source):
            system.get_file(path, os.fspath(part))
    return local


def remote_exists(target: str) -> bool:
    """Whether there is such a file."""
    system, path = _system(target)
    return system.exists(path)


def send(path: Path, target: str) -> None:
    """A finished file to another place, under a passing name first where the place can rename."""
    system, remote = _system(target)
    if path.is_dir():
        raise BadInput(f"{target}: image sequences can only be written to a folder of this machine or its network disks.")
    system.makedirs(remote.rsplit("/", 1)[0], exist_ok=True)
    part = f"{remote}.part"
    system.put_file(os.fspath(path), part)
    system.mv(part, remote)


def state_of(source: str) -> Any:
    """What changes when a remote file does, for a job's name; None where it is not there now."""
    system, path = _system(source)
    try:
        return str(system.ukey(path))
    except FileNotFoundError:
        return None


class _named:
    """A missing remote file as a sentence."""

    def __init__(self, source: str):
        self.source = source

    def __enter__(self) -> None: ...

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, FileNotFoundError):
            raise BadInput(f"there is no file {self.source}: check the path.") from error
        if isinstance(error, PermissionError):
            raise BadInput(f"{self.source} may not be read: check the credentials that this machine has.") from error


def _system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise BadInput(f"{url} lies on another file system; to use those: pip install 'lpd[remote]'.") from None
    try:
        return fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise BadInput(f"{url}: {error}; install what fsspec needs for it, or check the name before '://'.") from error
