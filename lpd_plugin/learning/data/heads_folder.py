"""A folder of head clips: index.csv with columns split, person, clip, pad_fraction; SPLIT/PERSON/CLIP.mp4 and
CLIP.mask.mp4 of the same frame count and size."""

from __future__ import annotations

from pathlib import Path

from ...errors import BadInput
from .splits import read_index, require_apart
from .store import HeadClip, HeadStore, in_memory
from .video_files import read_clip

COLUMNS = ("split", "person", "clip", "pad_fraction")


def heads_rows(folder: str | Path, split: str | None = None, max_pad_fraction: float = 1.0) -> list[dict[str, str]]:
    """Rows of a heads folder's index, of one split or of all.

    Raises `BadInput` if the folder has no index, lists no clip of the split, or a person stands in two splits.
    """
    path = Path(folder) / "index.csv"
    if not path.is_file():
        raise BadInput(f"{folder} is not a heads folder: it has no index.csv.")
    rows = read_index(path, COLUMNS)
    require_apart(rows, path)
    rows = [r for r in rows if split in (None, r["split"]) and float(r["pad_fraction"]) <= max_pad_fraction]
    if not rows:
        raise BadInput(f"{path} lists no clip of split '{split or 'any'}'.")
    return rows


def clip_files(folder: str | Path, row: dict[str, str]) -> tuple[Path, Path]:
    """The picture and the mask file of one row of the index."""
    stem = Path(folder) / row["split"] / row["person"] / row["clip"]
    return stem.with_name(stem.name + ".mp4"), stem.with_name(stem.name + ".mask.mp4")


def read_heads(folder: str | Path, split: str | None, side: int | None, max_pad_fraction: float = 1.0) -> HeadStore:
    """Decode every clip of one split, or of all, at `side` pixels, in the order of persons and clips as in every form.

    Raises `BadInput` like `heads_rows` and `read_clip`.
    """
    rows = sorted(heads_rows(folder, split, max_pad_fraction), key=lambda r: (r["split"], r["person"], r["clip"]))
    return in_memory([(_clip(r), *read_clip(*clip_files(folder, r), side)) for r in rows])


def _clip(row: dict[str, str]) -> HeadClip:
    return HeadClip(row["person"], row["clip"], 0, 0, row["split"], float(row["pad_fraction"]))
