"""The people who are evaluated: read one at a time, from any form of heads."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np

from ..errors import BadInput
from ..learning.data.any_heads import open_heads
from ..learning.data.heads_folder import clip_files, heads_rows
from ..learning.data.packs import pack_files
from ..learning.data.shards import INDEX
from ..learning.data.splits import read_index
from ..learning.data.video_files import read_clip

SIDE = 256  # pixels of every picture that is judged


class FilmedClip:
    """One clip of a person: frames (N, 256, 256, 3) RGB and masks (N, 256, 256), uint8, decoded when first asked for."""

    def __init__(self, name: str, decode: Callable[[], tuple[np.ndarray, np.ndarray]]):
        self.name, self._decode = name, decode

    @cached_property
    def _both(self) -> tuple[np.ndarray, np.ndarray]:
        return self._decode()

    @property
    def frames(self) -> np.ndarray:
        return self._both[0]

    @property
    def masks(self) -> np.ndarray:
        return self._both[1]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Person:
    """Everything of one person, clips in the order of their names."""

    name: str
    clips: tuple[FilmedClip, ...]


class People(ABC):
    """Persons of one split by name, ascending; memory is that of one person. See `open_people`."""

    names: list[str]

    @abstractmethod
    def read(self, name: str) -> Person:
        """One person; raises `BadInput` when a damaged clip is decoded."""

    @abstractmethod
    def digest(self, name: str) -> str:
        """SHA-256 of a person's clips as they are kept (hex)."""


def open_people(path: str | Path, split: str) -> People:
    """The persons of a split of a heads folder, a folder of shards or a pack (docs/data.md), at 256 px.

    Raises `BadInput` if it is none of these, lists nobody of the split, keeps heads smaller than 256 px, or if a person
    is in two splits.
    """
    path = Path(path)
    index = path / INDEX
    if not pack_files(path) and index.is_file() and "shard" not in next(iter(read_index(index, ())), {"shard": ""}):
        return _FolderPeople(path, split)
    return _StoredPeople(path, split)


class _FolderPeople(People):
    def __init__(self, folder: Path, split: str):
        self.folder, self.rows = folder, defaultdict(list)
        for row in sorted(heads_rows(folder, split), key=lambda r: (r["person"], r["clip"])):
            self.rows[row["person"]].append(row)
        self.names = sorted(self.rows)

    def read(self, name: str) -> Person:
        clips = [(row["clip"], partial(read_clip, *clip_files(self.folder, row), SIDE)) for row in self.rows[name]]
        return Person(name, tuple(FilmedClip(*clip) for clip in clips))

    def digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for row in self.rows[name]:
            for file in clip_files(self.folder, row):
                if not file.is_file():
                    raise BadInput(f"{file}, which the index lists, is missing; copy it again.")
                digest.update(f"{row['clip']} {file.stat().st_size}".encode() + file.read_bytes())
        return digest.hexdigest()


class _StoredPeople(People):
    """Of shards or a pack: pictures are decoded when asked for."""

    def __init__(self, path: Path, split: str):
        self.store = open_heads(path, split, SIDE, in_memory=0)
        self.clips = self.store.by_person()
        self.names = sorted(self.clips)

    def read(self, name: str) -> Person:
        clips = [self.store.clips[k] for k in self.clips[name]]
        return Person(name, tuple(FilmedClip(c.clip, partial(self.store.raw, np.arange(c.start, c.stop))) for c in clips))

    def digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for index in self.clips[name]:
            clip = self.store.clips[index]
            digest.update(f"{clip.clip} {clip.stop - clip.start}".encode())
            for frame in range(clip.stop - clip.start):
                digest.update(b"".join(self.store.encoded(index, frame)))
        return digest.hexdigest()


@lru_cache(maxsize=1)
def people_here(path: str, split: str) -> People:
    """`open_people`, kept within a process that works on one person after the other."""
    return open_people(path, split)
