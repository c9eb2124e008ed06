"""The segments of a job on the disk: each there with all its files, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PART = ".part"


class SegmentFiles:
    """A folder of segments. A segment is there when its record is, which is written last and names its files.

    `worker` marks what is still being written, so that what a dead one left can be told from what a living one writes.
    """

    def __init__(self, folder: Path, worker: str):
        self.folder, self._worker = folder, worker

    def path(self, number: int, part: int, suffix: str) -> Path:
        return self.folder / f"{number:06}-{part}{suffix}"

    def part(self, path: Path) -> Path:
        """Where to write what is to become `path`."""
        return path.with_name(f"{path.name}.{self._worker}{PART}")

    def record(self, number: int) -> dict[str, Any] | None:
        """What was noted of a segment that is there; None where it is not, or one of its files is not as it was."""
        try:
            record = json.loads(self._record(number).read_text(encoding="utf-8"))
            whole = all(_size(self.folder / name) == size for name, size in record["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if whole else None

    def keep(self, number: int, files: Iterable[tuple[Path, Path]], more: dict[str, Any]) -> None:
        """Give the files of a segment, written and synced to the disk, their names: pairs of where one is and its path."""
        sizes = {}
        for written, path in files:
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(written, path)
            sizes[path.name] = _size(path)
        record = self._record(number)
        with open(self.part(record), "w", encoding="utf-8") as file:
            json.dump(more | {"files": sizes}, file)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)  # the files' names reach the disk before the record's
        os.replace(self.part(record), record)
        sync_folder(self.folder)

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"


def clean(folder: Path, living: Iterable[str]) -> None:
    """Remove what dead workers left half-written in a folder of segments."""
    living = set(living)
    for path in folder.glob(f"*{PART}") if folder.is_dir() else ():
        if path.name.removesuffix(PART).rpartition(".")[2] not in living:
            remove(path)


def remove(path: Path) -> None:
    """A file or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; systems that cannot do that for folders do it by themselves."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size
