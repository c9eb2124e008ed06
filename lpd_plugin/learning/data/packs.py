"""Heads packed small: safetensors files of WebP pictures, to carry to a machine that has torch, numpy and OpenCV only.

Tensors: `pictures` and `masks` (bytes, one file after the other), `picture_ends` and `mask_ends` (where each ends).
Metadata: kind, format, side, clips (JSON: split, person, clip, frames, pad_fraction), and which part of which pack it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from ...errors import BadInput
from ...progress import Progress
from ...whole_files import checked_target, write_tensors
from .encoded import EncodedHeads, encoded_picture
from .splits import require_apart
from .store import HeadClip, Heads

KIND, FORMAT, SUFFIX = "packed heads", "1", ".safetensors"
MASK_QUALITY = 80
PART = re.compile(r"(.+)-\d+-of-\d+")


@dataclass
class _Part:
    """What goes into one file."""

    clips: list[list] = field(default_factory=list)
    data: dict[str, list[bytes]] = field(default_factory=lambda: {"pictures": [], "masks": []})
    size: int = 0


def write_pack(
    heads: Heads, path: str | Path, frames: int = 0, quality: int = 80, part_bytes: int = 16 << 20,
    overwrite: bool = False, progress: Progress | None = None,
) -> list[Path]:  # fmt: skip
    """Pack every clip of `heads`, or `frames` of each, evenly, at its own side; returns the files written.

    quality: WebP's, 1 to 100. part_bytes: where one file would be larger there are NAME-1-of-N.safetensors and so on;
    a clip stays whole. Holds the packed heads in memory. Raises `BadInput` for a name without the suffix, or one that
    exists already, and like `write_tensors`.
    """
    target = checked_pack(path, overwrite)
    parts, whole = [_Part()], hashlib.sha256()
    for clip in (progress or Progress()).track(heads.clips, "packing", len(heads.clips)):
        data = _packed(heads, clip, frames, quality)
        size = sum(len(one) + 8 for many in data.values() for one in many)
        if parts[-1].clips and parts[-1].size + size > part_bytes * 0.995:  # the rest is the file's header
            parts.append(_Part())
        part = parts[-1]
        about = [clip.split, clip.person, clip.clip, len(data["masks"]), clip.pad_fraction]
        part.clips.append(about)
        part.size += size + len(json.dumps(json.dumps(about)))
        for name, many in data.items():
            part.data[name] += many
            whole.update(json.dumps(about).encode() + b"".join(many))
    files = [target] if len(parts) == 1 else [_part_name(target, k, len(parts)) for k in range(1, len(parts) + 1)]
    older = {target, *_parts_of(target)} - set(files)
    for file in (*files, *older):
        checked_target(file, overwrite)
    for number, (file, part) in enumerate(zip(files, parts), 1):
        metadata = {
            "kind": KIND, "format": FORMAT, "side": str(heads.side), "clips": json.dumps(part.clips),
            "pack": whole.hexdigest()[:16], "part": str(number), "parts": str(len(parts)),
        }  # fmt: skip
        write_tensors(file, _tensors(part), metadata)
    for file in older:  # of a larger or smaller pack of this name: the two must not be mixed up
        file.unlink(missing_ok=True)
    return files


def checked_pack(path: str | Path, overwrite: bool = False) -> Path:
    """The file to pack into; raises `BadInput` for a name without the suffix, and like `checked_target`."""
    if Path(path).suffix != SUFFIX:
        raise BadInput(f"{path} is no name for packed heads; give it the suffix {SUFFIX}.")
    return checked_target(path, overwrite)


def _packed(heads: Heads, clip: HeadClip, frames: int, quality: int) -> dict[str, list[bytes]]:
    count = clip.stop - clip.start
    rows = clip.start + np.linspace(0, count - 1, min(count, frames or count)).round().astype(int)
    pictures, masks = heads.raw(rows)
    return {
        "pictures": [encoded_picture(p, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality) for p in pictures],
        "masks": [encoded_picture(m, ".webp", cv2.IMWRITE_WEBP_QUALITY, MASK_QUALITY) for m in masks],
    }


def _tensors(part: _Part) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, many in part.data.items():
        tensors[name] = torch.frombuffer(bytearray(b"".join(many)), dtype=torch.uint8)
        tensors[f"{name[:-1]}_ends"] = torch.tensor([len(one) for one in many]).cumsum(0)
    return tensors


def _part_name(target: Path, number: int, count: int) -> Path:
    return target.with_name(f"{target.stem}-{number}-of-{count}{SUFFIX}")


def pack_files(path: str | Path) -> list[Path]:
    """The files of a pack, given one of them or the name it was packed under; none if it is none of these."""
    path = Path(path)
    if path.suffix != SUFFIX:
        return []
    stem = PART.fullmatch(path.stem)
    if path.is_file() and not stem:
        return [path]
    return _parts_of(path.with_name(stem[1] + SUFFIX) if stem else path)


def _parts_of(target: Path) -> list[Path]:
    found = (p for p in target.parent.glob(f"*{SUFFIX}") if (part := PART.fullmatch(p.stem)) and part[1] == target.stem)
    return sorted(found)


class PackedHeads(EncodedHeads):
    """Heads of one split of a pack; the packed pictures are held in memory, and decoded when asked for.

    Raises `BadInput` for files that are damaged, of another kind, missing or of different packs, and for a person in two
    splits.
    """

    def __init__(self, path: str | Path, split: str | None, side: int | None, max_pad_fraction: float = 1.0):
        files = pack_files(path)
        parts = [_read_part(file) for file in files]
        _require_complete(path, files, [metadata for metadata, _ in parts])
        require_apart(({"split": c[0], "person": c[1]} for metadata, _ in parts for c in metadata["clips"]), Path(path))
        clips, self.bytes, start = [], [], 0
        for one, data in _clips(parts):
            if split in (None, one[0]) and one[4] <= max_pad_fraction:
                clips.append(HeadClip(one[1], one[2], start, start + one[3], one[0], one[4]))
                self.bytes.append(data)
                start += one[3]
        if not clips:
            raise BadInput(f"{path} holds no clip of split '{split or 'any'}'.")
        super().__init__(str(path), clips, int(parts[0][0]["side"]), side)

    def encoded(self, clip: int, frame: int) -> tuple[bytes, bytes]:
        pictures, masks = self.bytes[clip]
        return pictures[frame], masks[frame]


def _read_part(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Metadata, `clips` read, and tensors of one file."""
    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != KIND:
                raise BadInput(f"{path} holds no packed heads (but {metadata.get('kind', 'something else')}).")
            if metadata["format"] != FORMAT:
                raise BadInput(f"{path} is of format {metadata['format']}, this version reads {FORMAT}; pack it again.")
            tensors = {key: file.get_tensor(key).numpy() for key in file.keys()}
        metadata["clips"] = json.loads(metadata["clips"])
        frames = sum(clip[3] for clip in metadata["clips"])
        for name in ("picture", "mask"):
            ends = tensors[f"{name}_ends"]
            if len(ends) != frames or ends[-1] != len(tensors[f"{name}s"]):
                raise ValueError(f"{frames} frames but {len(ends)} {name}s")
    except (OSError, SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        raise BadInput(f"{path} is damaged or cut short ({error}); copy or pack it again.") from error
    return metadata, tensors


def _require_complete(path: str | Path, files: list[Path], metadata: list[dict]) -> None:
    if not files:
        raise BadInput(f"There are no packed heads at {path}.")
    if len({one["pack"] for one in metadata}) > 1:
        raise BadInput(f"{path}: {files[0].name} and its neighbours are parts of different packs; delete the older ones.")
    missing = set(range(1, int(metadata[0]["parts"]) + 1)) - {int(one["part"]) for one in metadata}
    if missing:
        raise BadInput(f"{path}: part {min(missing)} of {metadata[0]['parts']} is missing; copy it beside {files[0].name}.")


def _clips(parts: Iterable[tuple[dict, dict]]) -> Iterator[tuple[list, tuple[list[bytes], list[bytes]]]]:
    """What each clip says of itself, with its pictures and masks, in the order they were packed in."""
    for metadata, tensors in sorted(parts, key=lambda part: int(part[0]["part"])):
        row = 0
        for clip in metadata["clips"]:
            yield clip, tuple(_cut(tensors, name, row, clip[3]) for name in ("picture", "mask"))
            row += clip[3]


def _cut(tensors: dict[str, np.ndarray], name: str, start: int, count: int) -> list[bytes]:
    edges = np.concatenate([[0], tensors[f"{name}_ends"]])[start : start + count + 1].tolist()
    data = tensors[f"{name}s"]
    return [data[a:b].tobytes() for a, b in zip(edges, edges[1:])]
