"""A folder of shards: what `lpd prepare` writes. Read in any order, a picture at a time, from wherever it lies."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import BadInput
from ...whole_files import written_whole
from .clip_files import END, read_about
from .encoded import EncodedHeads
from .splits import read_index, require_apart
from .store import HeadClip

INDEX = "index.csv"
COLUMNS = ("split", "person", "clip", "frames", "pad_fraction", "source", "shard", "offset", "bytes")


def read_shard_index(path: str | Path) -> list[dict[str, str]]:
    """Rows of a shards folder's index. Raises `BadInput` if it is missing or damaged, or a person is in two splits."""
    rows = read_index(path, COLUMNS)
    try:
        for row in rows:
            _ = int(row["frames"]), float(row["pad_fraction"]), int(row["offset"]), int(row["bytes"])
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path} is damaged: a row about {row['person']} has no numbers where they belong.") from error
    require_apart(rows, Path(path))
    return rows


def write_shard_index(path: Path, rows: Iterable[Mapping]) -> None:
    """Write the index, whole or not at all; raises like `written_whole`."""
    with written_whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def broken_shards(folder: Path, rows: Iterable[Mapping]) -> dict[str, str]:
    """Shards that are missing or shorter than the index says, each with a sentence about it."""
    needed: dict[str, int] = {}
    for row in rows:
        needed[row["shard"]] = max(needed.get(row["shard"], 0), int(row["offset"]) + int(row["bytes"]) + len(END))
    broken = {}
    for shard, size in needed.items():
        path = folder / shard
        if not path.is_file():
            broken[shard] = f"{path} is missing"
        elif path.stat().st_size < size:
            broken[shard] = f"{path} is cut short: {path.stat().st_size} of {size} bytes are there"
    return broken


class ShardHeads(EncodedHeads):
    """Heads of one split, read by byte ranges; memory is that of the index and of the tables of the clips looked at last.

    Clips stand in the order of persons and clips, whichever shard they lie in.
    Raises `BadInput` for a shard that is missing or cut short, and when a picture in it cannot be read.
    """

    def __init__(self, folder: str | Path, split: str | None, side: int | None, max_pad_fraction: float = 1.0):
        self.folder = Path(folder)
        rows = read_shard_index(self.folder / INDEX)
        self.rows = [r for r in rows if split in (None, r["split"]) and float(r["pad_fraction"]) <= max_pad_fraction]
        self.rows.sort(key=lambda r: (r["split"], r["person"], r["clip"]))
        if not self.rows:
            raise BadInput(f"{self.folder / INDEX} lists no clip of split '{split or 'any'}'.")
        for sentence in broken_shards(self.folder, self.rows).values():
            raise BadInput(f"{sentence}; copy it again, or run the same lpd prepare again.")
        clips, start = [], 0
        for row in self.rows:
            stop = start + int(row["frames"])
            clips.append(HeadClip(row["person"], row["clip"], start, stop, row["split"], float(row["pad_fraction"])))
            start = stop
        super().__init__(str(folder), clips, self._piece(0)[0], side)

    def encoded(self, clip: int, frame: int) -> tuple[bytes, bytes]:
        _, places = self._piece(clip)
        row, data = self.rows[clip], []
        with open(self.folder / row["shard"], "rb") as file:
            for offset, size in places[frame].tolist():
                file.seek(int(row["offset"]) + offset)
                data.append(file.read(size))
        return data[0], data[1]

    def _piece(self, clip: int):
        row = self.rows[clip]
        return _places(self.folder / row["shard"], int(row["offset"]), row["person"], row["clip"], int(row["frames"]))


@functools.lru_cache(maxsize=4096)
def _places(shard: Path, offset: int, person: str, clip: str, frames: int):
    """Stored side, and where the pictures of a clip lie in its piece of the shard, see `read_about`."""
    where = f"{shard}, {person}/{clip},"
    with open(shard, "rb") as file:
        file.seek(offset)
        about, places = read_about(file, where)
    if (about.person, about.clip, len(places)) != (person, clip, frames):
        raise BadInput(f"{where} is another clip than {INDEX} says; copy both from the same place.")
    return about.side, places
