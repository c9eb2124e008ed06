"""Detail that a generated square cannot hold, taken from the person's own frames where they show the same thing.

What a frame of the footage has beyond its own 256 pixel version is moved by optical flow (DIS; Kroeger et al. 2016)
from that version onto the generated head, and added as far as both agree there. Where the pose differs, where somebody
else is seen, and where agreement or flow change from frame to frame, nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...video.clip import Clip
from ...video.crop import crop_square
from ...video.regions.region import Rect
from ...video.track import CropBox, Track
from ..matte.edge import smoothstep
from ..picture.look import Look, frames_at, look_at
from .enlarge import enlarged, enlarged_matte, enlarged_smoothly

SIDE = 256  # pixels of the squares that are compared
LARGEST = 1024  # side of a reference; larger squares are shrunk to it
NEIGHBOURHOOD = 4.0  # pixels, Gaussian, over which two squares are compared
FLAT = 3.0 / 255  # contrast up to which a place agrees with anything
LIKE = 0.8, 0.95  # local correlation from which on detail is taken, and taken wholly
THERE_AND_BACK = 1.0  # pixels by which the flow there and the flow back may miss each other
STRETCH = 0.12, 0.3  # change of the flow per pixel: above, the surface is seen from elsewhere
SAME_HEAD = 0.5, 0.75  # mean correlation, by contrast, from which on the reference shows this head in this pose
RIM = 6  # pixels inside the matte's edge that do not tell whether the heads are alike
JERK = 0.3  # pixels by which the flow may leave the mean of the frame's neighbours


@dataclass(frozen=True)
class Reference:
    """A frame of the person. grey: uint8 (256, 256) of its square; detail: float16 (N, N), the square's luma at N pixels,
    at most 1024, less what its 256 pixel version enlarges to."""

    grey: np.ndarray
    detail: np.ndarray

    @classmethod
    def of(cls, look: Look) -> "Reference":
        """look: a head's square in the footage."""
        square = _on_whole_pixels(look)
        if square.shape[0] > LARGEST:
            square = cv2.resize(square, (LARGEST, LARGEST), interpolation=cv2.INTER_AREA)
        luma = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        size = luma.shape[0]
        small = crop_square(luma, CropBox(0, 0, size), SIDE)
        coarse = enlarged(small[..., None], CropBox(0, 0, size), Rect(0, 0, size, size))[..., 0]
        return cls(_codes(small), (luma - coarse).astype(np.float16))


@dataclass(frozen=True)
class Agreement:
    """How one reference fits one generated head. flow: float32 (256, 256, 2), x and y, from the head's pixels to the
    reference's; weight: (256, 256) in [0, 1]; whole: the same for the head as one."""

    reference: Reference
    flow: np.ndarray
    weight: np.ndarray
    whole: float


class DetailBank:
    """A few frames of a person at the footage's resolution: at most 2.1 MB each."""

    def __init__(self, references: Sequence[Reference]):
        self.references = list(references)
        self._finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    @classmethod
    def of_footage(cls, clip: Clip, track: Track, numbers: Sequence[int]) -> "DetailBank":
        """numbers: the frames to remember, those without a head are left out."""
        wanted = sorted({n for n in numbers if n < len(track) and track.present[n]})
        looks = (look_at(frame.picture, track.box(frame.index)) for frame in frames_at(clip, wanted))
        return cls([Reference.of(look) for look in looks if look is not None])

    def agreements(self, generated: np.ndarray, matte: np.ndarray, own: Reference | None = None) -> list[Agreement]:
        """generated: rgb float32 (S, S, 3) of a head, matte (S, S). own: the footage at the same moment, in addition.

        The same for the same pictures, whatever frames came before.
        """
        grey = cv2.cvtColor(generated, cv2.COLOR_RGB2GRAY)
        grey, matte = (cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in (grey, matte))
        return [self._agreement(grey, matte, one) for one in [*self.references, *([own] if own else [])]]

    def _agreement(self, grey: np.ndarray, matte: np.ndarray, reference: Reference) -> Agreement:
        # Beyond the head the reference itself: what a generator draws there would only lead the flow astray.
        head = _codes(grey * matte + (1 - matte) * reference.grey.astype(np.float32) / 255)
        there = self._finder.calc(head, reference.grey, None)
        back = self._finder.calc(reference.grey, head, None)
        missed = there + _moved(back, there)
        consistent = np.exp(-np.square(missed).sum(-1) / THERE_AND_BACK**2)
        moved = _moved(reference.grey.astype(np.float32), there)
        likeness, contrast = _likeness(head.astype(np.float32) / 255, moved / 255)
        weight = consistent * _ramp(likeness, LIKE) * (1 - _ramp(_stretch(there), STRETCH)) * matte
        inside = cv2.erode(matte, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) ** 2
        whole = float((likeness * consistent * contrast * inside).sum() / max((contrast * inside).sum(), 1e-6))
        return Agreement(reference, there, cv2.GaussianBlur(weight, (0, 0), 2.0), float(_ramp(whole, SAME_HEAD)))


def inject(
    rgb: np.ndarray, window: Sequence[Sequence[Agreement]], box: CropBox, rect: Rect, amount: float = 1.0
) -> np.ndarray:
    """rgb float32 (h, w, 3) of a head enlarged onto `rect` with the references' detail added.

    window: what `DetailBank.agreements` gave for the frames around, the frame itself in the middle: an odd number, as
    many before as after; the first and the last frame of a clip repeated. amount: 0..1. Returns rgb itself where
    nothing fits.
    """
    detail, weight = moved_detail(window, box, rect)
    if detail is None:
        return rgb
    return cv2.add(rgb, cv2.merge([amount * weight * detail] * 3))


def moved_detail(
    window: Sequence[Sequence[Agreement]], box: CropBox, rect: Rect
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(detail, weight), each float32 (h, w), of luma; (None, None) where no reference fits. See `inject`."""
    weights = steady_weights(window)
    used = [(one, weight) for one, weight in zip(window[len(window) // 2], weights) if weight.max() > 0.02]
    if not used:
        return None, None
    total = np.sum([weight for _, weight in used], axis=0)
    detail = np.zeros((rect.height, rect.width), np.float32)
    for one, weight in used:
        share = enlarged_matte((weight / np.maximum(total, 1e-6)).astype(np.float32), box, rect)
        detail += share * _on_rect(one, box, rect)
    return detail, enlarged_matte(np.minimum(total, 1).astype(np.float32), box, rect)


def steady_weights(window: Sequence[Sequence[Agreement]]) -> list[np.ndarray]:
    """The middle frame's weights, one (256, 256) a reference, steady in time: the least of the frames near each, averaged
    over the window, so that detail comes and goes over several frames; none where the flow jerks."""
    wholes = [_steady([frame[k].whole for frame in window]) for k in range(len(window[0]))]
    best, result = max(wholes, default=0), []
    for k, whole in enumerate(wholes):
        # Of several references the better ones, but without a switch from one to the next.
        share = whole * (whole / max(best, 1e-6)) ** 4
        here = [frame[k] for frame in window]
        if share < 0.01:
            result.append(np.zeros((SIDE, SIDE), np.float32))
            continue
        weights = [one.weight * smooth for one, smooth in zip(here, _smoothness(here))]
        result.append(_steady(weights) * np.float32(share))
    return result


def _smoothness(frames: Sequence[Agreement]) -> list:
    """For each frame 1 where its flow is the mean of its neighbours', towards 0 where not; the ends' as beside them."""
    if len(frames) < 3:
        return [1.0] * len(frames)
    flows = [one.flow for one in frames]
    jerks = [here - (before + after) / 2 for before, here, after in zip(flows, flows[1:], flows[2:])]
    inner = [np.exp(-np.square(jerk).sum(-1) / JERK**2) for jerk in jerks]
    return [inner[0], *inner, inner[-1]]


def _steady(values: Sequence):
    """The mean, over the middle half of an odd window, of the least value in the half around each."""
    radius = len(values) // 2
    near = radius // 2
    far = radius - near
    around = [np.min(values[max(k - far, 0) : k + far + 1], axis=0) for k in range(radius - near, radius + near + 1)]
    return np.mean(around, axis=0)


def _on_whole_pixels(look: Look) -> np.ndarray:
    """The look's square moved to whole pixels, so that none is interpolated; mirrored beyond the picture.

    The flow finds what it was moved by.
    """
    left, top, side = round(look.box.left), round(look.box.top), round(look.box.side)
    rect = look.rect
    seen = rect.clipped(left + side, top + side)
    seen = Rect(max(seen.left, left), max(seen.top, top), seen.right, seen.bottom)
    return cv2.copyMakeBorder(
        look.rgb[seen.slices(rect)], seen.top - top, top + side - seen.bottom,
        seen.left - left, left + side - seen.right, cv2.BORDER_REFLECT_101,
    )  # fmt: skip


def _on_rect(one: Agreement, box: CropBox, rect: Rect) -> np.ndarray:
    """The reference's detail moved onto the rectangle."""
    size = one.reference.detail.shape[0]
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    place = (np.dstack([x, y]) + one.flow + 0.5) * np.float32(size / SIDE) - 0.5
    place = enlarged_smoothly(place, box, rect)
    detail = one.reference.detail.astype(np.float32)
    return cv2.remap(detail, place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)


def _likeness(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local correlation of two grey pictures, near 1 where both are flat, and their contrast (standard deviation)."""

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (0, 0), NEIGHBOURHOOD)

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = np.sqrt(np.maximum(variance_a, 0) * np.maximum(variance_b, 0))
    # The mean of both variances below: other contrast is other content, too.
    correlation = (mean(a * b) - mean_a * mean_b + FLAT**2) / ((variance_a + variance_b) / 2 + FLAT**2)
    return correlation, np.sqrt(both) + 1e-6


def _stretch(flow: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(flow, (0, 0), NEIGHBOURHOOD)
    parts = [cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=1, scale=0.5) for order in ((1, 0), (0, 1))]
    return np.sqrt(sum(np.square(part).sum(-1) for part in parts))


def _moved(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _ramp(x, between: tuple[float, float]):
    return smoothstep((np.asarray(x, np.float32) - between[0]) / (between[1] - between[0]))


def _codes(grey: np.ndarray) -> np.ndarray:
    return (np.clip(grey, 0, 1) * 255 + 0.5).astype(np.uint8)
