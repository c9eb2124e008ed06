"""What is done to a generated head before it is laid over the footage: its place, colours, sharpness, detail and grain.

Measured once a clip at moments spread over all of it, so that a frame is the same wherever rendering starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from ...errors import BadInput
from ...reenactment.heads import Head, Heads
from ...video.clip import Clip, Frame
from ...video.track import CropBox, Track
from ..matte.edge import smoothstep
from ..matte.stable_heads import StableHeads
from ..matte.steady_track import steadied
from ..picture.look import Look, frames_at, look_at, person_mattes
from ..picture.region import Rect
from ..picture.square import HeadMatte
from ..plate.fill import push_pull
from ..timeline import Timeline
from .colour_match import ColourTransfer, measure_transfer, probe_frames
from .detail import DetailBank
from .detail_heads import DetailedHead, DetailHeads
from .enlarge import enlarged, enlarged_matte
from .placement import Fit, PlacementOptions, measure_placement, placed
from .texture import Probe, Texture, TextureOptions, around_head, code_step, measure_texture, region_for_grain

AROUND = 24  # pixels beyond the matte for which colours are drawn: elements and filters look there
REFERENCES = 8  # frames of the footage that detail is taken from


@dataclass(frozen=True)
class HeadOptions:
    """steady: 0 to 1, how far mattes are averaged over the frames around, moved along with the head. steady_box: seconds
    over which the square is smoothed. fit: match the head's size and place to the original head's. colour: 0 to 1, how far the
    face's colours are brought to the footage's. texture: sharpness, grain and detail; None leaves the head as generated."""

    steady: float = 0.0
    steady_box: float = 0.0
    fit: bool = False
    placement: PlacementOptions = field(default_factory=PlacementOptions)
    colour: float = 0.0
    texture: TextureOptions | None = None

    def __post_init__(self):
        for name, most in (("steady", 1), ("colour", 1), ("steady_box", 10)):
            if not 0 <= getattr(self, name) <= most:
                raise BadInput(f"{name} is {getattr(self, name)}; it has to lie between 0 and {most}.")


@dataclass(frozen=True)
class _Moment:
    """One moment at which is measured. person: the original's matte (256, 256); head: as generated."""

    time: float
    frame: Frame
    look: Look
    person: np.ndarray
    head: Head


@dataclass(frozen=True)
class _Measured:
    fit: Fit
    transfer: ColourTransfer | None
    texture: Texture | None


class Dressing:
    """The heads of one composite made ready: `heads` to iterate, `box` to lay each on, then `coloured`, `drawn`, `grained`.

    Raises `BadInput` for options that need what is not there (the placement "driver" without a driver's track).
    """

    def __init__(
        self, timeline: Timeline, heads: Heads, track: Track, options: HeadOptions, head_matte: HeadMatte | None = None,
        driver_track: Track | None = None,
    ):  # fmt: skip
        self.timeline, self.raw, self.track, self.options = timeline, heads, track, options
        self.head_matte, self.driver_track = head_matte, driver_track
        placed(track, Fit(), options.placement, driver_track)

    @cached_property
    def heads(self) -> Heads:
        """With steady mattes and their detail, as far as asked for."""
        heads, options = self.raw, self.options
        if options.steady:
            heads = StableHeads(heads, options.steady)
        if options.texture is not None and options.texture.detail and not self.timeline.holds_still:
            chosen = self._spread(REFERENCES)
            heads = DetailHeads(heads, DetailBank.of_footage(self.timeline.footage, self.track, chosen.tolist()))
        return heads

    def box(self, number: int) -> CropBox | None:
        """Where the head of the whole composite's frame `number` is laid."""
        return self._laid.box(number) if number < len(self._laid) else None

    def coloured(self, head: Head, time: float) -> Head:
        """The head in the footage's colours; time: seconds from the whole composite's start."""
        transfer = self._measured.transfer
        return head if transfer is None else replace(head, rgb=transfer.apply(head.rgb, time, self.options.colour))

    def drawn(self, head: Head, box: CropBox, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        """Colours (h, w, 3) and matte (h, w) of a head on the pixels of `rect`, as sharp as the footage.

        Colours go on AROUND pixels beyond the matte, further out they are 0.
        """
        matte = enlarged_matte(head.matte, box, rect)
        rgb = np.zeros((*matte.shape, 3), np.float32)
        x, y, width, height = cv2.boundingRect((matte > 0).view(np.uint8))
        if not width:
            return rgb, matte
        part = Rect(x - AROUND, y - AROUND, x + width + AROUND, y + height + AROUND).clipped(rect.width, rect.height)
        there = Rect(part.left + rect.left, part.top + rect.top, part.right + rect.left, part.bottom + rect.top)
        rgb[part.slices()] = enlarged(bled(head), box, there)
        if self._measured.texture is not None:
            window = head.window if isinstance(head, DetailedHead) else ()
            rgb = self._measured.texture.sharpened(rgb, matte, box, rect, window)
        return rgb, matte

    def grained(self, rgb: np.ndarray, alpha: np.ndarray, made: np.ndarray, number: int, rect: Rect) -> np.ndarray:
        """A layer's colours with the footage's grain where the head is in it; see `Texture.grained`."""
        texture = self._measured.texture
        return rgb if texture is None else texture.grained(rgb, alpha, number, rect, made)

    @cached_property
    def _laid(self) -> Track:
        track, whole = self.track, np.array([float(time) for time in self.timeline.whole])
        if self.timeline.holds_still:
            track = track.at(np.zeros(len(whole)))
        track = steadied(track, self.options.steady_box)
        moments = None
        if self.options.placement.mode == "driver":
            shown = self.raw.retimed(whole, self.timeline.end_policy) if not self.timeline.holds_still else self.raw
            moments = np.resize(shown.moments, len(track)) if len(shown.moments) else None
        return placed(track, self._measured.fit, self.options.placement, self.driver_track, moments)

    @cached_property
    def _measured(self) -> _Measured:
        options = self.options
        if not (options.fit or options.colour or options.texture is not None):
            return _Measured(Fit(), None, None)
        moments = list(self._moments())  # some 24 squares at most
        fit = measure_placement((m.person, m.head.matte) for m in moments) if options.fit else Fit()
        colours = ((m.time, m.look.crop(), m.person, m.head.rgb, m.head.matte) for m in moments)
        transfer = measure_transfer(colours) if options.colour else None
        return _Measured(fit, transfer, self._texture(moments) if options.texture is not None else None)

    def _texture(self, moments: list[_Moment]) -> Texture | None:
        info = self.timeline.footage.info
        region = region_for_grain(self.track, info.width, info.height)
        if region is None or not moments:
            return None
        some = moments[:: max(1, len(moments) // 6)]
        probes = [Probe(m.look, m.person, m.head, around_head(m.frame.picture, region)) for m in some]
        return measure_texture(probes, self.options.texture, code_step(some[0].frame.picture))

    def _spread(self, most: int) -> np.ndarray:
        tracked = np.flatnonzero(self.track.present[: len(self.timeline.whole)])
        return np.unique(tracked[np.linspace(0, len(tracked) - 1, most).round().astype(int)]) if len(tracked) else tracked

    def _moments(self) -> Iterator[_Moment]:
        still, times = self.timeline.holds_still, np.array([float(time) for time in self.timeline.whole])
        present = np.ones(len(times), bool) if still else self.track.present[: len(times)]
        chosen = probe_frames(times[: len(present)], present)
        if not len(chosen):
            return
        if still:
            heads, frames = self.raw.retimed(np.asarray(self.raw.times)[chosen], "hold"), list(self.timeline.footage.frames()) * len(chosen)
        else:
            heads = self.raw.retimed(times[chosen], self.timeline.end_policy)
            frames = frames_at(self.timeline.footage, chosen.tolist())
        for time, frame, head in zip(times[chosen], frames, heads):
            look = look_at(frame.picture, self.track.box(frame.index))
            if look is not None and head is not None:
                yield _Moment(time, frame, look, person_mattes([look], self.head_matte)[0], head)


def bled(head: Head) -> np.ndarray:
    """The head's colours carried on outwards over its edge: beyond the matte a generator draws anything, mostly
    black, and enlarging would mix that in."""
    certain = smoothstep((head.matte - 0.4) / 0.4)
    return head.rgb if certain.min() >= 1 else push_pull(head.rgb, certain)
