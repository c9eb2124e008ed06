"""The head's sharpness, detail and grain brought to the footage's, as one step of the composite.

Measured once a clip, at moments spread over all of it, so that a frame is the same wherever rendering starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np

from ...errors import BadInput
from ...reenactment.heads import Head
from ...video.regions.components import components_of
from ...video.regions.region import Rect, box_rect, read_region
from ...video.track import CropBox, Track
from ..picture.look import Look
from .detail import Agreement, moved_detail
from .enlarge import enlarged, enlarged_matte
from .grain import Grain, measure_grain
from .sharpness import edge_spread, match_before, match_sharpness, sharpness_reach

CHIN = 0.8  # share of the square's side from the top: below are clothes, which the head does not replace
INSET = 0.02  # of the square's side inside the mattes' edge: inner edges only, outlines are the matte's business
AROUND, MOST_AROUND = 1.4, 800  # what is looked at for grain: times the square's side, and at most so many pixels
MARGIN = 12  # pixels around the matte that are worked on, too, for the filters' reach
STRIP = 32  # rows
UNSEEN = 1 / 512  # alpha that changes no code of 8 bits
ENLARGED = 1.5  # times that a head is enlarged from which on it is sharpened before, on its own few pixels
FAINTEST = 0.1  # alpha below which grain is not strengthened any more


@dataclass(frozen=True)
class TextureOptions:
    """sharpness: 0 leaves the head as it was enlarged, 1 gives its edges the footage's spread. grain: share of the
    footage's grain that is put on what is generated. seed: of the grain. detail: share of the footage's own fine detail
    that is added where it fits (see `detail`); slower, and 0 by default."""

    sharpness: float = 1.0
    grain: float = 1.0
    seed: int = 0
    detail: float = 0.0

    def __post_init__(self):
        for name in ("sharpness", "grain", "detail"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise BadInput(f"{name} is {value}; it has to lie between 0 and 1.")
        if self.seed < 0:
            raise BadInput(f"the grain's seed is {self.seed}; it has to be 0 or more.")


@dataclass(frozen=True)
class Probe:
    """One moment of the clip at which texture is measured. look: of the head in the footage; person: its matte
    (256, 256); head: the generated one; around: rgb float32 (h, w, 3) of `region_for_grain`, the same in all probes."""

    look: Look
    person: np.ndarray
    head: Head
    around: np.ndarray


@dataclass(frozen=True)
class Texture:
    """own: edge spread of the generated heads, in shares of the square's side; wanted: of the footage, in pixels; both
    None where too few edges were seen. held: in shares of the side, what 256 pixels hold of the footage's edges: what
    its detail goes on top of; None where that is not known."""

    options: TextureOptions
    own: float | None
    wanted: float | None
    grain: Grain
    held: float | None = None

    def apply(
        self,
        rgb: np.ndarray,
        matte: np.ndarray,
        frame_number: int,
        box: CropBox,
        rect: Rect,
        window: Sequence[Sequence[Agreement]] = (),
    ) -> np.ndarray:
        """`sharpened`, then `grained` wherever the matte is: for a head that is all that is laid over the footage."""
        return self.grained(self.sharpened(rgb, matte, box, rect, window), matte, frame_number, rect)

    def sharpened(
        self,
        rgb: np.ndarray,
        matte: np.ndarray,
        box: CropBox,
        rect: Rect,
        window: Sequence[Sequence[Agreement]] = (),
    ) -> np.ndarray:
        """rgb float32 (h, w, 3) of a head enlarged onto `rect`, matte (h, w): as sharp as the footage, with its detail.

        window: agreements of the frames around (see `detail.inject`), needed for detail. What is not matte stays.
        """
        place = _where(matte)
        if place is None:
            return rgb
        part = rgb[place]
        made = part if self.wanted is None else self._as_sharp(part, box, self.wanted, self.options.sharpness)
        if self.options.detail and len(window):
            rows, columns = place
            part_rect = Rect(
                rect.left + columns.start, rect.top + rows.start, rect.left + columns.stop, rect.top + rows.stop
            )
            base = part if self.held is None else self._as_sharp(part, box, self.held * box.side, 1.0, softer=False)
            made = _with_detail(base, made, window, box, part_rect, self.options.detail)
        if made is part:
            return rgb
        result = rgb.copy()
        result[place] = made
        return result

    def grained(
        self, rgb: np.ndarray, alpha: np.ndarray, frame_number: int, rect: Rect, made: np.ndarray | None = None
    ) -> np.ndarray:
        """rgb float32 (h, w, 3) on `rect`, to be laid over the footage by alpha (h, w), with grain where it is new.

        made (h, w): how much of the result is new rather than footage; alpha where None, less where the layer itself
        shows the footage. Where both mix, grain is stronger, since mixing two patterns weakens both: the sum of
        footage and layer has the footage's grain throughout.
        """
        result = rgb.copy()
        self.add_grain(result, alpha, frame_number, rect, alpha if made is None else made)
        return result

    def add_grain(self, rgb: np.ndarray, alpha: np.ndarray, frame_number: int, rect: Rect, made: np.ndarray) -> None:
        """As `grained`, in place."""
        place = _where(alpha) if self.options.grain and not self.grain.none else None
        if place is None:
            return
        rows, columns = place
        missing = _missing_grain() * np.float32(self.options.grain)
        for top in range(rows.start, rows.stop, STRIP):  # what is worked on stays in the processor's cache
            part = slice(top, min(top + STRIP, rows.stop)), columns
            origin = rect.left + columns.start, rect.top + top
            noise = self.grain.synthesise(rgb[part], self.options.seed, frame_number, origin)
            gain = cv2.LUT(cv2.convertScaleAbs(made[part], alpha=255), missing)
            cv2.divide(gain, cv2.max(alpha[part], FAINTEST), dst=gain)
            cv2.multiply(noise, cv2.merge([gain] * 3), dst=noise)
            rgb[part] += noise

    @property
    def grainless(self) -> bool:
        return not self.options.grain or self.grain.none

    def own_noise(self, codes: np.ndarray, alpha: np.ndarray, made: np.ndarray, frame_number: int, origin: tuple[int, int]) -> np.ndarray:
        """What `add_grain` adds in the end, by alpha, to footage and layer together: (h, w, 3). codes (h, w) uint8: their luma."""
        noise = self.grain.on_luma(codes, self.options.seed, frame_number, origin)
        gain = cv2.LUT(cv2.convertScaleAbs(made, alpha=255), _missing_grain() * np.float32(self.options.grain))
        cv2.multiply(gain, alpha / cv2.max(alpha, FAINTEST), dst=gain)
        return cv2.multiply(noise, cv2.merge([gain] * 3), dst=noise)

    def as_sharp(self, rgb: np.ndarray, box: CropBox) -> np.ndarray:
        """rgb (h, w, 3) of a head on `box` as sharp as the footage, without its detail; meaningful `reach` pixels inside."""
        return rgb if self.wanted is None else self._as_sharp(rgb, box, self.wanted, self.options.sharpness)

    def sharp_before(self, rgb: np.ndarray, box: CropBox) -> np.ndarray | None:
        """A head (S, S, 3) as it has to be for it to be `as_sharp` when it is enlarged onto `box`; None where it is hardly
        enlarged, and has to be sharpened afterwards."""
        scale = box.side / rgb.shape[0]
        if scale < ENLARGED:
            return None
        if self.own is None or self.wanted is None or not self.options.sharpness:
            return rgb
        own = self.own * box.side
        return match_before(rgb, own, own + self.options.sharpness * (self.wanted - own), scale)

    def reach(self, box: CropBox) -> int:
        """Pixels around a part of a picture that `as_sharp` looks at for it."""
        if self.own is None or self.wanted is None or not self.options.sharpness:
            return 0
        own = self.own * box.side
        return sharpness_reach(own, own + self.options.sharpness * (self.wanted - own))

    def _as_sharp(self, rgb: np.ndarray, box: CropBox, wanted: float, amount: float, softer: bool = True) -> np.ndarray:
        own = None if self.own is None else self.own * box.side
        if own is None or not amount or (wanted > own and not softer):
            return rgb
        return match_sharpness(rgb, own, own + amount * (wanted - own))


def measure_texture(probes: Iterable[Probe], options: TextureOptions, step: float = 1 / 255) -> Texture:
    """step: one code of the footage's luma, see `code_step`. Without a probe nothing is matched."""
    spreads, around = [], []
    for probe in probes:
        box, rect = probe.look.box, probe.look.rect
        inside = _inner_head(probe, box, rect)
        pictures = enlarged(probe.head.rgb, box, rect), probe.look.rgb, enlarged(probe.look.crop(), box, rect)
        found = [edge_spread(picture, inside) for picture in pictures]
        if None not in found:
            spreads.append((found[0] / box.side, found[1], found[2] / box.side))
        around.append(probe.around)
    own, wanted, held = np.median(spreads, axis=0).tolist() if spreads else (None, None, None)
    return Texture(options, own, wanted, measure_grain(around, step), held)


def region_for_grain(track: Track, width: int, height: int) -> Rect | None:
    """A still rectangle around where the head mostly is, of a picture of that size; None without a head."""
    if not track.present.any():
        return None
    x, y = np.median(track.centre[track.present], axis=0)
    side = min(AROUND * float(np.median(track.side[track.present])), MOST_AROUND)
    region = box_rect(CropBox(x - side / 2, y - side / 2, side), width, height)
    return None if region.empty else region


def around_head(picture: av.VideoFrame, region: Rect) -> np.ndarray:
    """What a `Probe` holds of its frame for the grain."""
    return read_region(picture, region)


def code_step(picture: av.VideoFrame) -> float:
    """One code of the picture's luma (of green in an RGB format), with 1 from black to white."""
    return 1 / components_of(picture).parts[0].scale


def _with_detail(base, sharp, window, box: CropBox, rect: Rect, amount: float) -> np.ndarray:
    """Detail belongs on what 256 pixels hold: where it is added, further sharpening goes."""
    detail, weight = moved_detail(window, box, rect)
    if detail is None:
        return sharp
    weight = cv2.merge([amount * weight] * 3)
    return sharp + weight * (base - sharp + detail[..., None])


def _inner_head(probe: Probe, box: CropBox, rect: Rect) -> np.ndarray:
    """(h, w): 1 inside both heads, above the neck."""
    size = probe.person.shape[0]
    head = cv2.resize(probe.head.matte, (size, size), interpolation=cv2.INTER_AREA)
    both = np.minimum(head, probe.person)
    inset = max(1, round(INSET * size))
    both = cv2.erode(both, np.ones((2 * inset + 1, 2 * inset + 1), np.uint8), borderType=cv2.BORDER_REPLICATE)
    both[round(CHIN * size) :] = 0
    return enlarged_matte(both, box, rect)


def _missing_grain() -> np.ndarray:
    """(1, 256) float32, by the new share m in 255ths: what added to the 1 - m of the footage's grain varies as all of it."""
    kept = 1 - np.arange(256) / 255
    return np.sqrt(1 - kept**2)[None].astype(np.float32)


def _where(matte: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of everything that the matte shows and a margin; None where nothing is."""
    x, y, width, height = cv2.boundingRect((matte > UNSEEN).astype(np.uint8))
    if not width:
        return None
    bottom, right = (min(end + MARGIN, size) for end, size in zip((y + height, x + width), matte.shape))
    return slice(max(y - MARGIN, 0), bottom), slice(max(x - MARGIN, 0), right)
