"""Results kept for the next run: small values and handles in memory, identities, performances and tracks on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import types

MISSING = object()  # stands for an output that a cache does not hold

# A batch of pictures takes 24 MB a 1080p frame: such values live only as long as the run needs them.
HEAVY = {types.IMAGE, types.MASK, types.AUDIO}


@dataclass(frozen=True)
class Codec:
    """How values of one type are kept in a file. `load` raises whatever it likes on a damaged file."""

    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]
    suffix: str


_codecs: dict[str, Codec] = {}


def register_codec(type: str, save: Callable[[Any, Path], None], load: Callable[[Path], Any], suffix: str) -> None:
    """Let values of `type` be kept on disk: save(value, path), load(path) -> value; `suffix` with its dot."""
    _codecs[type] = Codec(save, load, suffix)


def has_codec(type: str) -> bool:
    """Whether values of `type` can be kept on disk."""
    return type in _codecs


class MemoryCache:
    """Outputs by content key, the least recently used forgotten first. Holds no picture batches."""

    def __init__(self, limit: int = 64):
        self.limit = limit
        self._entries: OrderedDict[str, list[Any]] = OrderedDict()

    def get(self, key: str) -> list[Any] | None:
        """The outputs kept under a key, `MISSING` where one is not, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: str, outputs: list[Any], output_types: list[str]) -> None:
        """Keep those outputs that are not heavy."""
        kept = [MISSING if kind in HEAVY else value for value, kind in zip(outputs, output_types, strict=True)]
        if any(value is not MISSING for value in kept):
            self._entries[key] = kept
            self._entries.move_to_end(key)
        while len(self._entries) > self.limit:
            self._entries.popitem(last=False)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop what is kept under these keys."""
        for key in keys:
            self._entries.pop(key, None)

    def clear(self) -> list[Any]:
        """Drop everything; the values that were held."""
        values = [value for entry in self._entries.values() for value in entry if value is not MISSING]
        self._entries.clear()
        return values


class DiskCache:
    """Outputs by content key and slot, one file each: `<key>-<slot>-<digest of the content><suffix>`.

    The digest in the name tells a damaged file from a whole one. When the folder grows beyond `limit`
    bytes, the files not used for longest go. Nothing here fails a run: a folder that cannot be written
    only means that nothing is kept.
    """

    def __init__(self, folder: Path, limit: int = 4 << 30):
        self.folder, self.limit = Path(folder), limit

    def get(self, key: str, slot: int, kind: str) -> Any:
        """The kept value, or `MISSING`. A damaged file is removed."""
        codec = _codecs.get(kind)
        for path in self._files(key, slot) if codec else ():
            try:
                if path.suffix == codec.suffix and path.stem.endswith(f"-{_file_digest(path)}"):
                    value = codec.load(path)
                    os.utime(path)  # used now: goes last
                    return value
            except Exception:  # whatever a codec stumbles over, the value can be computed again
                pass
            _remove(path)
        return MISSING

    def put(self, key: str, slot: int, kind: str, value: Any) -> None:
        """Keep a value whose type has a codec. Raises OSError where the folder cannot be written."""
        codec = _codecs.get(kind)
        if codec is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=codec.suffix)
        os.close(handle)
        part = Path(name)
        try:
            codec.save(value, part)
            for old in self._files(key, slot):
                _remove(old)
            os.replace(part, self.folder / f"{key}-{slot}-{_file_digest(part)}{codec.suffix}")
        finally:
            _remove(part)
        self._evict()

    def _files(self, key: str, slot: int) -> list[Path]:
        return list(self.folder.glob(f"{key}-{slot}-*"))

    def _evict(self) -> None:
        """Remove the files used longest ago until the rest fits; one value larger than the limit goes too."""
        files = []
        for path in self.folder.glob("*-*-*"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process evicts as well
                continue
            files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files, key=lambda entry: entry[0]):
            if total <= self.limit:
                break
            _remove(path)
            total -= size


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # a read-only cache is still a cache
        pass
