"""Heads in whichever form they lie: a folder of clips, a folder of shards, a packed file."""

from __future__ import annotations

import csv
from pathlib import Path

from ...errors import BadInput
from .heads_folder import read_heads
from .packs import PackedHeads, pack_files
from .shards import INDEX, ShardHeads
from .store import Heads

UNFINISHED = ".unfinished"  # in a folder of shards: what `lpd prepare` still works on
IN_MEMORY = 4 << 30  # bytes


def open_heads(
    path: str | Path, split: str | None, side: int | None = None, max_pad_fraction: float = 1.0, in_memory: int = IN_MEMORY
) -> Heads:
    """The heads of one split (None: of all) at `side` pixels (None: as they are kept), without clips of which a larger
    share than `max_pad_fraction` lay outside the picture.

    path: a heads folder (heads_folder.py), a folder that `lpd prepare` wrote, or a packed file. Shards and packs are
    decoded at once where all of it takes at most `in_memory` bytes, else picture by picture when asked for.
    Raises `BadInput` if it is none of these, damaged or incomplete, lists no clip of the split, keeps heads smaller
    than `side`, or if a person is in two splits: a held-out person is trained on in no form.
    """
    path = Path(path)
    if pack_files(path):
        heads = PackedHeads(path, split, side, max_pad_fraction)
    elif _is_shards(path):
        heads = ShardHeads(path, split, side, max_pad_fraction)
    elif (path / INDEX).is_file():
        return read_heads(path, split, side, max_pad_fraction)
    elif (path / UNFINISHED).is_dir():
        raise BadInput(f"{path} is not finished yet: run the same lpd prepare again, which goes on where it stopped.")
    else:
        raise BadInput(f"{path} holds no heads: give a folder with an index.csv, as lpd prepare writes it, or a packed file.")
    return heads.loaded() if heads.decoded_size() <= in_memory else heads


def _is_shards(path: Path) -> bool:
    """Whether the index beside is one of shards; one that cannot be read is left to whoever reads it."""
    try:
        with open(path / INDEX, newline="", encoding="utf-8") as file:
            return "shard" in next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
