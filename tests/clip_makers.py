"""What several tests of clips share."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lpd_plugin.video.indexed_clip import IndexedClip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.still_clip import info_of


class PictureClip(IndexedClip):
    """Pictures in memory, for formats that no test file has."""

    def __init__(self, pictures: list[av.VideoFrame], rate: Fraction = Fraction(25)):
        self.pictures = pictures
        count = len(pictures)
        super().__init__(info_of(pictures[0], rate, count), [i / rate for i in range(count)], count / rate)

    def _picture(self, position):
        return self.pictures[position]

    def _digest(self, window):
        return "pictures"


def files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def packet_positions(path: Path) -> list[tuple[int, int]]:
    """Where every video packet lies in a file: offset and size."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def same_picture(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return one.format.name == other.format.name and all(
        np.array_equal(a, b) for a, b in zip(plane_views(one), plane_views(other), strict=True)
    )


def living_pictures() -> int:
    """How many decoded or made pictures exist in this process."""
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
