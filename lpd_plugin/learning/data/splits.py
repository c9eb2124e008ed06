"""Who may be trained on: a person belongs to one split, and the index of the data proves it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import BadInput


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
