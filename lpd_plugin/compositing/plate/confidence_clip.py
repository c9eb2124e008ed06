"""How sure a clean plate is, as a clip of its own."""

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
from ..composite_clip import CompositeClip
from ..matte.original import OriginalMattes
from ..scene import Scene, scenes_of

GREY = ColourTags(range=FULL)


class ConfidenceClip(Clip):
    """Grey pictures (8 bits, full range) of the footage's size, for a composite that only removes the head.

    255 where the picture is the footage's own or its background was seen at all samples, down to 0 where it is
    invented.
    """

    def __init__(self, removed: CompositeClip):
        self.removed = removed

    @property
    def info(self) -> ClipInfo:
        return replace(self.removed.info, pixel_format="gray", colour=GREY)

    def timestamps(self) -> list[Fraction]:
        return self.removed.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "ConfidenceClip":
        return ConfidenceClip(self.removed.trimmed(in_point, out_point))

    def fingerprint(self) -> str:
        return hashlib.sha256(f"confidence {self.removed.fingerprint()}".encode()).hexdigest()

    def describe(self) -> str:
        return f"confidence of {self.removed.describe()}"

    def frames(self, start: int = 0) -> Iterator[Frame]:
        removed = self.removed
        timeline, track = removed.timeline, removed.track
        mattes = OriginalMattes(removed.footage, track, removed.head_matte)
        for frame, _ in timeline.frames(start, None):
            number = 0 if timeline.holds_still else timeline.first + frame.index
            box = track.box(number) if number < len(track) else None
            scene = scenes_of([(number, frame.picture, box)], removed.plate, mattes, removed.options.edge)[0]
            yield Frame(frame.index, frame.time, self._picture(scene))

    def _picture(self, scene: Scene | None) -> av.VideoFrame:
        whole = np.full((self.info.height, self.info.width), 255, np.uint8)
        if scene is not None:
            sure = 1 - scene.removal * (1 - scene.confidence)
            whole[scene.rect.slices()] = np.rint(np.clip(sure, 0, 1) * 255)
        return picture_from_planes([whole], "gray", GREY)
