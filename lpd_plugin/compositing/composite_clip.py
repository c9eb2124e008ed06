"""Footage with its head replaced: a lazy clip."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice

import numpy as np

from ..errors import BadInput
from ..reenactment.heads import END_POLICIES, Head, Heads
from ..video.clip import AudioSource, Clip, ClipInfo, Frame
from ..video.planes import bit_depth
from ..video.timing import nested_window
from ..video.track import CropBox, Track
from .fades import FadeOptions
from .head.dressing import Dressing, HeadOptions
from .layer import Layer, lay_over, removal_layer
from .matte.edge import EdgeOptions
from .matte.original import OriginalMattes
from .matte.spool import AlphaSpool, to_codes
from .picture.square import HeadMatte
from .plate.plate import Plate
from .scene import Scene, scenes_of
from .seamless import check_mode
from .timeline import END_TOLERANCE, Timeline
from .views.report import CompositeReport, Outcome

LARGEST_BATCH = 16 << 20  # bytes of luma that a batch holds


@dataclass(frozen=True)
class CompositeOptions:
    """edge, head, fade: see EdgeOptions, HeadOptions, FadeOptions. blend: how head and surroundings meet, see `seamless`.
    end_policy: what happens where the performance is shorter than the footage, one of END_POLICIES; "trim" ends the clip
    with the performance. micro_batch: frames held and matted at once, at most; fewer where pictures are large."""

    edge: EdgeOptions = field(default_factory=EdgeOptions)
    head: HeadOptions = field(default_factory=HeadOptions)
    fade: FadeOptions = field(default_factory=FadeOptions)
    blend: str = "straight"
    end_policy: str = "trim"
    micro_batch: int = 4

    def __post_init__(self):
        check_mode(self.blend)
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
    no head, and those outside the fades' points pass through. driver_track: for the placement "driver". `report` tells,
    after iteration, what happened to which frame.
    """

    def __init__(
        self,
        footage: Clip,
        track: Track,
        heads: Heads | None,
        plate: Plate | None = None,
        options: CompositeOptions = CompositeOptions(),
        head_matte: HeadMatte | None = None,
        driver_track: Track | None = None,
    ):
        self.footage, self.track, self.heads, self.plate = footage, track, heads, plate
        self.options, self.head_matte = options, head_matte
        self.timeline = Timeline.of(footage, heads, options.end_policy)
        self.dressing = None
        if heads is not None:
            self.dressing = Dressing(self.timeline, heads, track, options.head, head_matte, driver_track)
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
        made = hashlib.sha256(b"composite 4")
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
            if layer is not None and layer.part.alpha.any():
                part = layer.part
                picture = part.over(frame.picture)
                self.report.table.check_outside(frame.index, frame.picture, picture, part.rect)
                frame = Frame(frame.index, frame.time, picture)
            yield frame

    def layers(self, start: int = 0) -> Iterator[tuple[Frame, Layer | None]]:
        """The untouched frames, each with what belongs over it (None: nothing)."""
        still: Scene | None = None
        mattes = OriginalMattes(self.footage, self.track, self.head_matte)
        pulled = self.timeline.frames(start, None if self.dressing is None else self.dressing.heads)
        try:
            while batch := list(islice(pulled, self._at_once)):
                if self.timeline.holds_still:
                    # The same picture every time: its scene is made once.
                    still = still or self._scenes(batch[:1], mattes)[0]
                    scenes = [still if self._wanted(*both) else None for both in batch]
                else:
                    scenes = self._scenes(batch, mattes)
                for (frame, head), scene in zip(batch, scenes):
                    layer = None if scene is None else self._layer(frame, head, scene)
                    self._remember(frame, head, scene, layer)
                    yield frame, layer
        finally:
            pulled.close()

    def _layer(self, frame: Frame, head: Head | None, scene: Scene) -> Layer | None:
        number, time = self.timeline.first + frame.index, frame.time + self.timeline.window[0]
        if head is None:
            layer = removal_layer(scene)
        else:
            box = self.dressing.box(number) or scene.look.box
            head, options = self.dressing.coloured(head, float(time)), self.options
            layer = lay_over(scene, head, box, self.dressing, options.edge, options.blend, number)
        return layer.faded(self._weight(frame))

    def matte_clip(self) -> "MatteClip":
        """The final alpha as a grey clip of the footage's size.

        Ask for it before the composite is iterated: its alphas are then put aside (on disk, compressed) and
        not computed twice.
        """
        from .matte.matte_clip import MatteClip

        self.spool = self.spool or AlphaSpool()
        return MatteClip(self)

    def _weight(self, frame: Frame) -> float:
        """How much of the composite is shown of a frame, 0 to 1."""
        time = frame.time + self.timeline.window[0]
        return self.options.fade.weight(time, self.timeline.duration)

    def _wanted(self, frame: Frame, head: Head | None) -> bool:
        return (head is not None or self.heads is None) and self._weight(frame) > 0

    @property
    def _at_once(self) -> int:
        """Frames of a batch: fewer of large pictures, which would take much memory and win little."""
        info = self.footage.info
        own = info.width * info.height * (2 if bit_depth(info.pixel_format) > 8 else 1)
        return max(1, min(self.options.micro_batch, LARGEST_BATCH // own))

    def _number(self, index: int) -> int:
        return 0 if self.timeline.holds_still else self.timeline.first + index

    def _box(self, index: int) -> CropBox | None:
        number = self._number(index)
        return self.track.box(number) if number < len(self.track) else None

    def _scenes(self, batch: list[tuple[Frame, Head | None]], mattes: OriginalMattes) -> list[Scene | None]:
        """The frames made ready for their heads, None where one passes through; mattes are made together."""
        wanted = [(self._number(f.index), f.picture, self._box(f.index) if self._wanted(f, h) else None) for f, h in batch]
        return scenes_of(wanted, self.plate, mattes, self.options.edge)

    def _remember(self, frame: Frame, head: Head | None, scene: Scene | None, layer: Layer | None) -> None:
        self.report.note(frame.index, self._outcome(frame, head, layer))
        number = self._number(frame.index)
        confidence = float(self.track.confidence[number]) if number < len(self.track) else np.nan
        look, part = scene and scene.small_look(), layer and layer.part
        self.report.table.measure(frame.index, float(frame.time), look, part and part.coarse(), confidence)
        if self.spool is not None:
            self.spool.put(frame.index, part and part.rect, None if part is None else to_codes(part.alpha))

    def _outcome(self, frame: Frame, head: Head | None, layer: Layer | None) -> Outcome:
        if layer is not None:
            after = self.heads is not None and not self.timeline.holds_still and self._beyond(frame)
            return Outcome.HELD if after else Outcome.COMPOSITED
        if head is None and self.heads is not None:
            return Outcome.NO_HEAD_IN_PERFORMANCE
        return Outcome.NO_HEAD_IN_FOOTAGE if self._weight(frame) else Outcome.FADED_OUT

    def _beyond(self, frame: Frame) -> bool:
        return float(frame.time + self.timeline.window[0]) > float(self.heads.times[-1]) + END_TOLERANCE
