"""The composite's alpha as a clip of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from ...video.clip import Clip, ClipInfo, ColourTags, Frame
from ...video.colour import FULL
from ...video.planes import picture_from_planes
from ...video.regions.region import Rect
from ..composite_clip import CompositeClip
from .spool import to_codes

MATTE_TAGS = ColourTags(range=FULL)


class MatteClip(Clip):
    """Grey pictures (8 bits, full range) of the footage's size: 255 where nothing of the footage is left.

    Takes the alphas that the composite put aside when it was iterated; what is missing it computes.
    """

    def __init__(self, composite: CompositeClip):
        self.composite = composite

    @property
    def info(self) -> ClipInfo:
        return replace(self.composite.info, pixel_format="gray", colour=MATTE_TAGS)

    def timestamps(self) -> list[Fraction]:
        return self.composite.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "MatteClip":
        return self.composite.trimmed(in_point, out_point).matte_clip()

    def fingerprint(self) -> str:
        return hashlib.sha256(f"matte {self.composite.fingerprint()}".encode()).hexdigest()

    def describe(self) -> str:
        return f"matte of {self.composite.describe()}"

    def frames(self, start: int = 0) -> Iterator[Frame]:
        times, spool = self.timestamps(), self.composite.spool
        position = start
        while position < len(times) and position in spool:
            yield Frame(position, times[position], self._picture(*spool.get(position)))
            position += 1
        if position == len(times):
            return
        for frame, layer in self.composite.layers(position):
            part = layer and layer.part
            rect, codes = (None, None) if part is None else (part.rect, to_codes(part.alpha))
            yield Frame(frame.index, frame.time, self._picture(rect, codes))

    def _picture(self, rect: Rect | None, codes: np.ndarray | None) -> av.VideoFrame:
        whole = np.zeros((self.info.height, self.info.width), np.uint8)
        if codes is not None:
            whole[rect.slices()] = codes
        return picture_from_planes([whole], "gray", MATTE_TAGS)
