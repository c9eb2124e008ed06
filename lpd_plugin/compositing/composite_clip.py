"""Footage with its head replaced: a lazy clip."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice

import cv2
import numpy as np

from ..errors import BadInput
from ..reenactment.heads import END_POLICIES, Head, Heads
from ..video.clip import AudioSource, Clip, ClipInfo, Frame
from ..video.timing import nested_window
from ..video.track import CropBox, Track
from .head.colour_match import ColourMatch, measure_match
from .layer import Layer, lay_over
from .matte.edge import EdgeOptions
from .picture.look import frames_at, look_at, person_mattes
from .plate.still_camera import Plate
from .picture.region import blend_region
from .views.report import CompositeReport, Outcome
from .picture.square import MATTE_SIDE, HeadMatte
from .matte.spool import AlphaSpool, to_codes
from .scene import Scene, scene_of
from .timeline import END_TOLERANCE, Timeline

COLOUR_PROBES = 6  # moments at which the colours of the generated and the original face are compared


@dataclass(frozen=True)
class CompositeOptions:
    """edge: see EdgeOptions. end_policy: what happens where the performance is shorter than the footage, one
    of END_POLICIES; "trim" ends the clip with the performance. colour_match: bring the generated face's colours
    to the footage's. micro_batch: frames held and matted at once."""

    edge: EdgeOptions = field(default_factory=EdgeOptions)
    end_policy: str = "trim"
    colour_match: bool = False
    micro_batch: int = 4

    def __post_init__(self):
        if self.end_policy not in END_POLICIES:
            policies = ", ".join(END_POLICIES)
            raise BadInput(f'the end policy "{self.end_policy}" does not exist; choose one of {policies}.')
        if not 1 <= self.micro_batch <= 64:
            raise BadInput(f"micro_batch is {self.micro_batch}; it has to lie between 1 and 64.")


class CompositeClip(Clip):
    """`footage` with the head along `track` replaced by `heads`, or only removed where heads is None.

    Frames without a head in the footage or in the performance pass through as the same picture object. A still
    footage lasts as long as the heads. plate None: the background is filled in from each frame. Without
    `head_matte` a typical outline stands in for the original head's matte. Frames beyond the track's end have
    no head. `report` tells, after iteration, what happened to which frame.
    """

    def __init__(
        self,
        footage: Clip,
        track: Track,
        heads: Heads | None,
        plate: Plate | None = None,
        options: CompositeOptions = CompositeOptions(),
        head_matte: HeadMatte | None = None,
    ):
        self.footage, self.track, self.heads, self.plate = footage, track, heads, plate
        self.options, self.head_matte = options, head_matte
        self.timeline = Timeline.of(footage, heads, options.end_policy)
        self.report = CompositeReport(self.timeline.count)
        self.spool: AlphaSpool | None = None

    @property
    def info(self) -> ClipInfo:
        return self.timeline.info()

    @property
    def audio(self) -> AudioSource | None:
        return self.timeline.audio()

    def timestamps(self) -> list[Fraction]:
        return self.timeline.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "CompositeClip":
        part = copy.copy(self)
        part.timeline = self.timeline.trimmed(
            nested_window(self.timeline.window, in_point, out_point, self.describe())
        )
        part.report = CompositeReport(part.timeline.count)
        part.spool = None
        return part

    def fingerprint(self) -> str:
        made = hashlib.sha256(b"composite 1")
        parts = [self.footage, *(p for p in (self.heads, self.plate) if p is not None)]
        for part in parts:
            made.update(part.fingerprint().encode())
        for array in (self.track.centre, self.track.side, self.track.origin):
            made.update(np.ascontiguousarray(array).tobytes())
        made.update(repr((self.options, self.timeline.window, self.head_matte is None)).encode())
        return made.hexdigest()

    def describe(self) -> str:
        return f"composite over {self.footage.describe()}"

    def frames(self, start: int = 0) -> Iterator[Frame]:
        for frame, layer in self.layers(start):
            if layer is not None and layer.alpha.any():
                picture = blend_region(frame.picture, layer.rect, layer.rgb, layer.alpha)
                frame = Frame(frame.index, frame.time, picture)
            yield frame

    def layers(self, start: int = 0) -> Iterator[tuple[Frame, Layer | None]]:
        """The untouched frames, each with what belongs over it (None: nothing)."""
        still: Scene | None = None
        pulled = self.timeline.frames(start)
        try:
            while batch := list(islice(pulled, self.options.micro_batch)):
                if self.timeline.holds_still:
                    # The same picture every time: its scene is made once.
                    still = still or self._scenes(batch[:1])[0]
                    scenes = [still if self._wanted(head) else None for _, head in batch]
                else:
                    scenes = self._scenes(batch)
                for (frame, head), scene in zip(batch, scenes):
                    layer = None if scene is None else lay_over(scene, self._matched(head), self.options.edge)
                    self._remember(frame, head, layer)
                    yield frame, layer
        finally:
            pulled.close()

    def matte_clip(self) -> "MatteClip":
        """The final alpha as a grey clip of the footage's size.

        Ask for it before the composite is iterated: its alphas are then put aside (on disk, compressed) and
        not computed twice.
        """
        from .matte.matte_clip import MatteClip

        self.spool = self.spool or AlphaSpool()
        return MatteClip(self)

    def _wanted(self, head: Head | None) -> bool:
        return head is not None or self.heads is None

    def _box(self, index: int) -> CropBox | None:
        number = 0 if self.timeline.holds_still else self.timeline.first + index
        return self.track.box(number) if number < len(self.track) else None

    def _scenes(self, batch: list[tuple[Frame, Head | None]]) -> list[Scene | None]:
        """The frames made ready for their heads, None where one passes through; mattes are made together."""
        looks = [look_at(f.picture, self._box(f.index)) if self._wanted(head) else None for f, head in batch]
        mattes = iter(person_mattes([look for look in looks if look], self.head_matte))
        return [
            look and scene_of(look, next(mattes), self.plate, self.timeline.first + frame.index, self.options.edge)
            for (frame, _), look in zip(batch, looks)
        ]

    def _remember(self, frame: Frame, head: Head | None, layer: Layer | None) -> None:
        if layer is not None:
            after = self.heads is not None and not self.timeline.holds_still and self._beyond(frame)
            outcome = Outcome.HELD if after else Outcome.COMPOSITED
        else:
            outcome = Outcome.NO_HEAD_IN_FOOTAGE if self._wanted(head) else Outcome.NO_HEAD_IN_PERFORMANCE
        self.report.note(frame.index, outcome)
        if self.spool is not None:
            self.spool.put(frame.index, layer and layer.rect, None if layer is None else to_codes(layer.alpha))

    def _beyond(self, frame: Frame) -> bool:
        return float(frame.time + self.timeline.window[0]) > float(self.heads.times[-1]) + END_TOLERANCE

    def _matched(self, head: Head | None) -> Head | None:
        if head is None or not self.options.colour_match or self._match is None:
            return head
        return Head(self._match.apply(head.rgb), head.matte)

    @cached_property
    def _match(self) -> ColourMatch | None:
        """Measured at moments spread over the whole composite, so that it does not depend on where one starts."""
        whole = self.timeline.trimmed((Fraction(0), None))
        tracked = min(whole.count, len(self.track))
        present = range(whole.count) if whole.holds_still else np.flatnonzero(self.track.present[:tracked])
        if not len(present):
            return None
        chosen = [int(present[i]) for i in np.linspace(0, len(present) - 1, COLOUR_PROBES).round().astype(int)]
        chosen = sorted(set(chosen))
        if whole.holds_still:
            heads = self.heads.retimed(np.asarray(self.heads.times)[chosen], "hold")
            frames = list(self.footage.frames()) * len(chosen)
        else:
            heads = self.heads.retimed(np.array([float(whole.whole[n]) for n in chosen]), self.options.end_policy)
            frames = frames_at(self.footage, chosen)
        return measure_match(self._face_pairs(frames, heads))

    def _face_pairs(self, frames, heads: Heads) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame, head in zip(frames, heads):
            look = look_at(frame.picture, self.track.box(frame.index))
            if look is not None and head is not None:
                made = cv2.resize(head.rgb, (MATTE_SIDE, MATTE_SIDE), interpolation=cv2.INTER_AREA)
                yield look.crop(), made
