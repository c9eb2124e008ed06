"""What is done to a generated head before it is laid over the footage: its place, colours, sharpness, detail and grain.

Measured once a clip at moments spread over all of it, so that a frame is the same wherever rendering starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from ...allocator import give_back_freed
from ...errors import BadInput
from ...reenactment.heads import Head, Heads
from ...video.clip import Frame
from ...video.regions.components import Components
from ...video.regions.region import Rect, rect_common
from ...video.track import CropBox, Track
from ..matte.edge import smoothstep
from ..matte.stable_heads import StableHeads
from ..matte.steady_track import steadied
from ..picture.look import frames_at, look_at, person_mattes
from ..picture.own_grid import Noise, OwnCodes, alike, by_number, places_of, to_codes
from ..picture.square import HeadMatte
from ..plate.fill import push_pull
from ..timeline import Timeline
from .colour_match import ColourTransfer, measure_transfer, probe_frames
from .detail import DetailBank
from .detail_heads import DetailedHead, DetailHeads
from .enlarge import Enlarged, EnlargedPicture, Span, enlarged_matte, enlarges, fitted
from .placement import Fit, PlacementOptions, measure_placement, placed
from .texture import Probe, Texture, TextureOptions, around_head, code_step, measure_texture, region_for_grain

AROUND = 24  # pixels beyond the matte for which colours are drawn: elements and filters look there
STRIP = 128  # rows that are drawn together, so that they stay in the processor's cache
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
    """One moment at which is measured. number: of the frame in the footage; crop (256, 256, 3): its square; person: the
    original's matte (256, 256); head: as generated."""

    number: int
    time: float
    crop: np.ndarray
    person: np.ndarray
    head: Head


@dataclass(frozen=True)
class _Measured:
    fit: Fit
    transfer: ColourTransfer | None
    texture: Texture | None


class Dressing:
    """The heads of one composite made ready: `heads` to iterate, `box` to lay each on, then `coloured`, `drawn`.

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
        x, y, width, height = cv2.boundingRect((head.matte > 0).view(np.uint8))
        if transfer is None or not width or head.matte.shape != head.rgb.shape[:2]:
            return head if transfer is None else replace(head, rgb=transfer.apply(head.rgb, time, self.options.colour))
        rgb, part = head.rgb.copy(), np.s_[y : y + height, x : x + width]  # nothing shows what a head has beyond its matte
        rgb[part] = transfer.apply(np.ascontiguousarray(rgb[part]), time, self.options.colour)
        return replace(head, rgb=rgb)

    def drawn(self, head: Head, box: CropBox, rect: Rect) -> Drawn:
        """A head on the pixels of `rect`, as sharp as the footage."""
        return Drawn(head, box, rect, self._measured.texture)

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
        moments = list(self._moments())  # some 24 small squares at most
        fit = measure_placement((m.person, m.head.matte) for m in moments) if options.fit else Fit()
        colours = ((m.time, m.crop, m.person, m.head.rgb, m.head.matte) for m in moments)
        transfer = measure_transfer(colours) if options.colour else None
        texture = self._texture(moments) if options.texture is not None else None
        give_back_freed()
        return _Measured(fit, transfer, texture)

    def _texture(self, moments: list[_Moment]) -> Texture | None:
        info = self.timeline.footage.info
        region = region_for_grain(self.track, info.width, info.height)
        if region is None or not moments:
            return None
        some = moments[:: max(1, len(moments) // 6)]
        return measure_texture(self._probes(some, region), self.options.texture, code_step(next(self._frames([some[0].number])).picture))

    def _probes(self, moments: list[_Moment], region: Rect) -> Iterator[Probe]:
        """The moments' frames once more: kept since they were first seen, they would take as much memory as all else."""
        for moment, frame in zip(moments, self._frames([m.number for m in moments])):
            look = look_at(frame.picture, self.track.box(frame.index))
            yield Probe(look, moment.person, moment.head, around_head(frame.picture, region))

    def _frames(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """Of the footage, in ascending order; a still's only one as often as it is asked for."""
        if not self.timeline.holds_still:
            yield from frames_at(self.timeline.footage, numbers)
            return
        frame = next(iter(self.timeline.footage.frames()))
        yield from (frame for _ in numbers)

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
            heads = self.raw.retimed(np.asarray(self.raw.times)[chosen], "hold")
        else:
            heads = self.raw.retimed(times[chosen], self.timeline.end_policy)
        for time, frame, head in zip(times[chosen], self._frames(chosen.tolist()), heads):
            look = look_at(frame.picture, self.track.box(frame.index))
            if look is not None and head is not None:
                yield _Moment(frame.index, time, look.crop(), person_mattes([look], self.head_matte)[0], head)


class Drawn:
    """A head on the footage's pixels, as sharp as the footage, drawn part by part.

    matte (height, width): on all of `rect`.
    """

    def __init__(self, head: Head, box: CropBox, rect: Rect, texture: Texture | None):
        self.head, self.box, self.rect, self.texture = head, box, rect, texture
        self.matte = enlarged_matte(head.matte, box, rect)

    def on(self, part: Rect) -> np.ndarray:
        """Colours (height, width, 3) on a part of `rect`; they go on beyond the matte."""
        if self.texture is None:
            return self._enlarged.part(part)
        if self._detailed is not None:
            return self._detailed[part.slices(self.rect)]
        if self._sharp is not None:
            return self._sharp.part(part)
        reach = self.texture.reach(self.box)
        around = rect_common(Rect(part.left - reach, part.top - reach, part.right + reach, part.bottom + reach), self.rect)
        return self.texture.as_sharp(self._enlarged.part(around), self.box)[part.slices(around)]

    def own_codes(self, components: Components, size: tuple[int, int]) -> OwnCodes | None:
        """As `on`, for an `OwnLayer` of a picture of `size`; None where the head is hardly enlarged, or has detail."""
        texture = self.texture
        if not enlarges(self.head.rgb, self.box) or (texture is not None and self._detailed is not None):
            return None
        small = bled(self.head) if texture is None else texture.sharp_before(bled(self.head), self.box)
        if small is None:
            return None
        planes, places = cv2.split(cv2.transform(small, to_codes(components))), places_of(components, self.rect, size)
        drawn = []
        for samples, numbers in alike(components).items():
            span = Span(*samples.span(self.box))
            drawn.append((numbers, Enlarged(fitted([planes[n] for n in numbers], span), span, places[numbers[0]])))

        def codes(piece: Rect, cells: list[Rect]) -> list[np.ndarray]:
            return by_number((numbers, one.part(cells[numbers[0]])) for numbers, one in drawn)

        return codes

    def noise(self, number: int, rect: Rect, alpha: np.ndarray, head: np.ndarray) -> Noise | None:
        """What `add_grain` adds where alpha and head lie on `rect`, for `blend_layers`; None for nothing."""
        if self.texture is None or self.texture.grainless:
            return None

        def noise(part: Rect, codes: np.ndarray) -> np.ndarray:
            place = part.slices(rect)
            return self.texture.own_noise(codes, alpha[place], head[place], number, (part.left, part.top))

        return noise

    def add_grain(self, rgb: np.ndarray, alpha: np.ndarray, made: np.ndarray, number: int, rect: Rect) -> None:
        """The footage's grain on a layer's colours where the head is in it, in place; see `Texture.grained`."""
        if self.texture is not None:
            self.texture.add_grain(rgb, alpha, number, rect, made)

    @cached_property
    def _sharp(self) -> EnlargedPicture | None:
        """As sharp as the footage, where that can be had before it is enlarged."""
        sharp = self.texture.sharp_before(bled(self.head), self.box)
        return None if sharp is None else EnlargedPicture(sharp, self.box, self.rect)

    @cached_property
    def _enlarged(self) -> EnlargedPicture:
        return EnlargedPicture(bled(self.head), self.box, self.rect)

    @cached_property
    def _detailed(self) -> np.ndarray | None:
        """All of it with the footage's detail, which is worked out in one piece; None without."""
        if not self.texture.options.detail or not isinstance(self.head, DetailedHead):
            return None
        whole = self._enlarged.part(self.rect)
        return self.texture.sharpened(whole, self.matte, self.box, self.rect, self.head.window)


def shown_strips(matte: np.ndarray, rect: Rect, around: int = 0) -> Iterator[Rect]:
    """Parts of `rect`, in rows that stay in the processor's cache, that hold all that a matte (height, width) on it shows, and
    so many pixels more."""
    shown = np.flatnonzero(cv2.reduce(matte, 1, cv2.REDUCE_MAX)[:, 0] > 0)
    if not len(shown):
        return
    first, last = max(int(shown[0]) - around, 0), min(int(shown[-1]) + 1 + around, rect.height)
    for top in range(first, last, STRIP):
        bottom = min(top + STRIP, last)
        across = np.flatnonzero(cv2.reduce(matte[max(top - around, 0) : bottom + around], 0, cv2.REDUCE_MAX)[0] > 0)
        if len(across):
            left, right = max(int(across[0]) - around, 0), min(int(across[-1]) + 1 + around, rect.width)
            yield Rect(rect.left + left, rect.top + top, rect.left + right, rect.top + bottom)


def bled(head: Head) -> np.ndarray:
    """The head's colours carried on outwards over its edge: beyond the matte a generator draws anything, mostly
    black, and enlarging would mix that in."""
    certain = smoothstep((head.matte - 0.4) / 0.4)
    return head.rgb if certain.min() >= 1 else push_pull(head.rgb, certain)
