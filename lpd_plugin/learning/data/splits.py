"""Who may be trained on: a person belongs to one split, and the index of the data proves it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import BadInput
from .store import HeadClip

TRAIN = "train"  # the split that is trained on; persons of any other are held out


def read_index(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV index. Raises `BadInput` if it is missing, damaged or lacks a column."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"Cannot read the index {path}: {error}.") from error
    for column in columns:
        if rows and not rows[0].get(column):
            raise BadInput(f"{path} has no column '{column}': it is not an index of heads, or an old one.")
    return rows


def require_apart(rows: Iterable[Mapping[str, str]], path: Path) -> None:
    """Raise `BadInput` if a person stands in two splits: training on a held-out person must not go unnoticed."""
    seen: dict[str, str] = {}
    for row in rows:
        split = seen.setdefault(row["person"], row["split"])
        if split != row["split"]:
            raise BadInput(
                f"{path}: {row['person']} is in split '{split}' and in another one ('{row['split']}'): "
                "a person may be in one split only."
            )


def require_trainable(clips: Iterable[HeadClip]) -> None:
    """Raise `BadInput` if a clip to train on is not of split 'train': whoever is held out is trained on by no way."""
    for clip in clips:
        if clip.split != TRAIN:
            raise BadInput(f"{clip.person} is of split '{clip.split}' and held out: train on persons of split '{TRAIN}' only.")


def person_mark(person: str) -> str:
    """What stands in weights for a person they were trained on: 12 hex digits made of the name, which they do not give away."""
    return hashlib.sha256(f"trained on {person}".encode()).hexdigest()[:12]


def person_marks(clips: Iterable[HeadClip]) -> list[str]:
    """Marks of everybody in some clips, sorted."""
    return sorted({person_mark(clip.person) for clip in clips})
