"""Which videos of which persons lie in a folder, and who of them is held out."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import BadInput
from ..learning.data.clip_files import LONGEST_NAME
from ..learning.data.heads_folder import clip_files, heads_rows
from ..learning.data.splits import require_apart

SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mxf", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"}
SPLITS = {"train": "train", "dev": "train", "val": "val", "test": "val"}  # folder -> split; dev and test are VoxCeleb2's


@dataclass(frozen=True)
class Recording:
    """One video of one person. `path` and `masks` are relative to the source; with `masks` it holds head crops already."""

    path: str
    person: str
    clip: str
    split: str
    masks: str = ""
    pad_fraction: float = 0.0

    @property
    def part(self) -> str:
        """The name of the file in which its clip waits for a shard: as good as random, always the same for the same path."""
        return f"{_digest(self.path):016x}.tar"


def find_recordings(source: str | Path, held_out: float = 0.05) -> list[Recording]:
    """Every video below `source`, in an order that mixes persons and is always the same.

    A folder of head clips (heads_folder.py) is taken as its index says. Else the first folder below `source` names the
    person, after folders called train, val, dev or test (which then name the split) and mp4: so VoxCeleb2's
    dev/mp4/PERSON/VIDEO/UTTERANCE.mp4 and any PERSON/.../VIDEO.mp4 are read alike. A video in no folder is a person of
    its own. Where no folder says the split, a share `held_out` of the persons is held out, by their names alone: who
    is added later changes nobody's split. Hidden files and folders are left out.

    Raises `BadInput` for a missing folder, one without videos, and a person in two splits.
    """
    source = Path(source)
    if not source.is_dir():
        raise BadInput(f"The folder {source} does not exist: give one that holds PERSON/VIDEO files.")
    if "person" in (columns := _index_columns(source)):
        if "shard" in columns:
            raise BadInput(f"{source} is prepared already: lpd train --heads and lpd pack take it as it is.")
        found = _told_apart([_head_clip(source, row) for row in heads_rows(source)])
    else:
        paths = (p.relative_to(source) for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        names = (p.as_posix() for p in paths if not any(part.startswith(".") for part in p.parts))
        found = _told_apart([_recording(_as_text(name), held_out) for name in sorted(names)])
    if not found:
        raise BadInput(f"{source} holds no video: give a folder of PERSON/VIDEO files.")
    require_apart(({"split": one.split, "person": one.person} for one in found), source)
    return sorted(found, key=lambda one: one.part)


def _index_columns(source: Path) -> list[str]:
    """The first row of a folder's index; a footage folder may have one that knows nothing of persons."""
    try:
        with open(source / "index.csv", newline="", encoding="utf-8") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _head_clip(source: Path, row: dict[str, str]) -> Recording:
    picture, masks = (p.relative_to(source).as_posix() for p in clip_files(source, row))
    return Recording(picture, _plain(row["person"]), _plain(row["clip"]), row["split"], masks, float(row["pad_fraction"]))


def _recording(path: str, held_out: float) -> Recording:
    *folders, file = PurePosixPath(path).parts
    split = SPLITS.get(folders[0].lower()) if folders else None
    folders = folders[1:] if split else folders
    if folders and folders[0].lower() == "mp4":
        folders = folders[1:]
    stem = file.rsplit(".", 1)[0]
    person = _plain(folders[0] if folders else stem)
    split = split or ("val" if _digest(person) % 10_000 < held_out * 10_000 else "train")
    return Recording(path, person, _plain("_".join([*folders[1:], stem])), split)


def _told_apart(found: list[Recording]) -> list[Recording]:
    """Where one person has two clips of one name (a.mp4 and a.mov), a part of their paths' digests is added."""
    counts = Counter((one.person, one.clip) for one in found)
    return [replace(one, clip=_marked(one.clip, one.path)) if counts[one.person, one.clip] > 1 else one for one in found]


def _plain(name: str) -> str:
    """A name as it may stand in a tar archive's keys, in which a dot begins the suffix. Different names stay different."""
    plain = re.sub(r"[^A-Za-z0-9_\-]", "_", name)
    return name if plain == name and len(name) <= LONGEST_NAME else _marked(plain, name)


def _marked(plain: str, text: str) -> str:
    return f"{plain[: LONGEST_NAME - 9]}_{_digest(text) >> 32:08x}"


def _as_text(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"The file name {name!r} is not in UTF-8: rename it.") from error
    return name


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
