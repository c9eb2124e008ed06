"""One clip of heads as a piece of a shard: consecutive files of an uncompressed tar archive, all of one WebDataset key.

    PERSON/CLIP.json             who, from where, which frames, and how long the pictures are
    PERSON/CLIP.0000.jpg         a head crop
    PERSON/CLIP.0000.mask.png    its mask
    PERSON/CLIP.0001.jpg         ...

A shard is such pieces one after the other and the end of an archive; a piece can be read alone.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np

from ...errors import BadInput
from .encoded import encoded_picture

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)  # of an archive
FORMAT = 1
LONGEST_NAME = 80  # of a person or a clip: an archive's plain headers hold 155 bytes of folder and 100 of file


@dataclass(frozen=True)
class ClipAbout:
    """What stands in a clip's JSON file. `source`: where it came from, relative to what was prepared; `side`: pixels;
    `numbers`: the frames' places in the source; `sizes`: bytes of every picture and mask."""

    split: str
    person: str
    clip: str
    source: str
    side: int
    pad_fraction: float
    numbers: list[int]
    sizes: list[list[int]] = field(default_factory=list)
    format: int = FORMAT


def clip_piece(about: ClipAbout, frames: np.ndarray, masks: np.ndarray, quality: int) -> bytes:
    """The piece of a shard that holds frames (N, S, S, 3) RGB and masks (N, S, S), uint8; `about.sizes` is found here.

    `quality`: JPEG's, 1 to 100. The same input gives the same bytes.
    """
    pictures = [encoded_picture(frame, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality) for frame in frames]
    mattes = [encoded_picture(mask, ".png", cv2.IMWRITE_PNG_COMPRESSION, 6) for mask in masks]
    sizes = [[len(p), len(m)] for p, m in zip(pictures, mattes)]
    piece, key = io.BytesIO(), f"{about.person}/{about.clip}"
    _add(piece, f"{key}.json", json.dumps({**asdict(about), "sizes": sizes}).encode())
    for index, (picture, mask) in enumerate(zip(pictures, mattes)):
        _add(piece, f"{key}.{index:04d}.jpg", picture)
        _add(piece, f"{key}.{index:04d}.mask.png", mask)
    return piece.getvalue()


def read_about(file, where: str) -> tuple[ClipAbout, np.ndarray]:
    """From an open file that stands at a piece's beginning: its JSON, and where pictures and masks lie, (N, 2, 2) int64:
    [frame, picture or mask] -> (offset from the piece's beginning, bytes).

    Raises `BadInput`, which begins with `where`, if no whole piece of a known format begins there.
    """
    try:
        header = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
        values = json.loads(file.read(header.size))
        if values["format"] != FORMAT:
            raise BadInput(f"{where} is of format {values['format']}, this version reads {FORMAT}; prepare it again.")
        about = ClipAbout(**values)
        sizes = np.array(about.sizes, np.int64).reshape(-1, 2)
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{where} is damaged: no clip begins where one should; copy or prepare it again.") from error
    taken = BLOCK + _padded(sizes.ravel())
    starts = BLOCK + _padded(header.size) + np.concatenate([[0], np.cumsum(taken)[:-1]]) + BLOCK
    return about, np.stack([starts.reshape(-1, 2), sizes], axis=-1)


def piece_size(places: np.ndarray) -> int:
    """Bytes of a whole piece whose pictures lie at `places` (of `read_about`)."""
    offset, size = places[-1, -1]
    return int(offset + _padded(size))


def _add(piece: io.BytesIO, name: str, data: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(data), 0o644
    piece.write(header.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
    piece.write(data)
    piece.write(bytes(_padded(len(data)) - len(data)))


def _padded(size):
    return (size + BLOCK - 1) // BLOCK * BLOCK
