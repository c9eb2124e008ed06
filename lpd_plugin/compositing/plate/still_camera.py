"""The clean plate: what is behind the head, from the moments when it is seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from ...progress import Progress
from ...video.clip import Clip, Frame
from ...video.track import CropBox, Track
from .camera import CameraReference
from ..matte.edge import region_weight, shift_edge
from .fill import fill_smoothly
from ..picture.look import frames_at, look_at, person_around, person_mattes
from ..picture.region import Rect, box_rect, read_region
from ..picture.square import HeadMatte

MEMORY = 384 << 20  # bytes for samples of the background, whatever the clip's length and size
PERSON_MARGIN = 0.04  # of the square's side around the matte that may still hold hair or a blurred edge
HEAD, BODY, BACKGROUND = 0, 1, 2


@dataclass(frozen=True)
class Plate:
    """The footage without the head, where heads ever are.

    rect: the part of the frame it covers (empty: nothing is known, as for a moving camera or a still).
    rgb: float16 (height, width, 3); filled in smoothly where never seen. confidence: float32 (height, width),
    the share of the samples that saw what the plate shows; 0 where it was filled in.
    samples, valid: numbers of the frames looked at, and whether each shows the plate's view.
    """

    rect: Rect
    rgb: np.ndarray
    confidence: np.ndarray
    samples: np.ndarray
    valid: np.ndarray
    moving: bool
    digest: str

    def at(self, index: int, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        """Background at a frame and rectangle: rgb float32 (height, width, 3), confidence (height, width).

        Both are 0 outside the plate, and everywhere at frames that show another view than the plate.
        """
        rgb = np.zeros((rect.height, rect.width, 3), np.float32)
        confidence = np.zeros((rect.height, rect.width), np.float32)
        common = rect_common(rect, self.rect)
        if not common.empty and self.shows(index):
            rgb[common.slices(rect)] = self.rgb[common.slices(self.rect)]
            confidence[common.slices(rect)] = self.confidence[common.slices(self.rect)]
        return rgb, confidence

    def shows(self, index: int) -> bool:
        """Whether the frame shows the plate's view, by the nearest frame that was looked at."""
        if self.rect.empty or not len(self.samples):
            return False
        return bool(self.valid[np.abs(self.samples - index).argmin()])

    def fingerprint(self) -> str:
        return self.digest


def rect_common(one: Rect, other: Rect) -> Rect:
    return Rect(
        max(one.left, other.left), max(one.top, other.top),
        min(one.right, other.right), min(one.bottom, other.bottom),
    )  # fmt: skip


def empty_plate(digest: str = "", moving: bool = False) -> Plate:
    """A plate that knows nothing: the composite then fills in from the frame itself."""
    nothing = np.zeros((0, 0, 3), np.float16)
    return Plate(Rect(0, 0, 0, 0), nothing, nothing[..., 0], np.zeros(0, int), np.zeros(0, bool), moving, digest)


def plate_from_picture(rgb: np.ndarray, digest: str) -> Plate:
    """A user's own plate: float32 (H, W, 3), the footage's size; trusted everywhere and at every frame."""
    height, width = rgb.shape[:2]
    confidence = np.ones((height, width), np.float32)
    always = np.zeros(1, int), np.ones(1, bool)
    return Plate(Rect(0, 0, width, height), rgb.astype(np.float16), confidence, *always, False, digest)


def clean_plate(
    clip: Clip,
    track: Track,
    head_matte: HeadMatte | None = None,
    samples: int = 48,
    progress: Progress | None = None,
) -> Plate:
    """Find what is behind the head: the temporal median of each pixel over the moments that show it.

    At most `samples` frames spread over the clip are decoded and kept, fewer for large pictures: memory is
    bounded by MEMORY. Pixels that show the person's body where the background was never seen keep the body;
    pixels only ever behind the head are filled in from around. An empty plate for a still, and for a camera
    that moves (found by following background features).
    """
    digest = _digest(clip, track, samples, head_matte)
    if clip.info.is_still or not track.present.any():
        return empty_plate(digest)
    size = clip.info.width, clip.info.height
    rect = _all_squares(track, size)
    if rect.empty:
        return empty_plate(digest)
    per_sample = rect.width * rect.height * 7
    chosen = _spread(track, int(np.clip(MEMORY // per_sample, 5, samples)))
    store = _Samples(rect, len(chosen), head_matte)
    for frame in (progress or Progress()).track(frames_at(clip, chosen), "clean plate", len(chosen)):
        box = track.box(frame.index) if frame.index < len(track) else None
        store.add(frame, box)
    if store.moving:
        return empty_plate(digest, moving=True)
    rgb, confidence = store.median()
    known = (confidence > 0).astype(np.float32)
    if not known.any():
        return empty_plate(digest)
    rgb = fill_smoothly(rgb, known)
    return Plate(rect, rgb.astype(np.float16), confidence, *store.views(), False, digest)


def _digest(clip: Clip, track: Track, samples: int, head_matte: HeadMatte | None) -> str:
    made = hashlib.sha256(f"plate 1 {clip.fingerprint()} {samples} {head_matte is None}".encode())
    for array in (track.centre, track.side, track.origin):
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()


def _all_squares(track: Track, size: tuple[int, int]) -> Rect:
    rects = [box_rect(track.box(i), *size) for i in np.flatnonzero(track.present)]
    rects = [r for r in rects if not r.empty] or [Rect(0, 0, 0, 0)]
    whole = rects[0]
    for rect in rects[1:]:
        whole = whole.union(rect)
    return whole


def _spread(track: Track, count: int) -> list[int]:
    """Frame numbers evenly over the head's presence, and some of its absence, which shows what it hides."""
    chosen: set[int] = set()
    for where, share in ((track.present, count), (~track.present, max(1, count // 6))):
        numbers = np.flatnonzero(where)
        if len(numbers):
            chosen.update(numbers[np.linspace(0, len(numbers) - 1, min(share, len(numbers))).round().astype(int)])
    return sorted(int(n) for n in chosen)


class _Samples:
    """Pictures of one rectangle at several moments, and who is seen at each pixel."""

    def __init__(self, rect: Rect, count: int, head_matte: HeadMatte | None):
        self.rect, self.head_matte = rect, head_matte
        self.rgb = np.empty((count, rect.height, rect.width, 3), np.float16)
        self.seen = np.empty((count, rect.height, rect.width), np.uint8)
        self.count = 0
        self.looked: list[tuple[int, bool, bool]] = []  # frame number, head present, same view
        self.reference: CameraReference | None = None

    def add(self, frame: Frame, box: CropBox | None) -> None:
        whole = frame.rgb()
        if self.reference is None and box is not None:
            self.reference = CameraReference(whole, box)
        stands = self.reference is not None and self.reference.stands(whole, box)
        self.looked.append((frame.index, box is not None, stands))
        if stands:
            self.rgb[self.count] = read_region(frame.picture, self.rect)
            self.seen[self.count] = self._who(frame, box)
            self.count += 1

    def _who(self, frame: Frame, box: CropBox | None) -> np.ndarray:
        who = np.full((self.rect.height, self.rect.width), BACKGROUND, np.uint8)
        look = look_at(frame.picture, box)
        if look is None:
            return who
        matte = person_mattes([look], self.head_matte)[0]
        wide = shift_edge(matte, PERSON_MARGIN * matte.shape[0])
        person = person_around(wide, look.box, self.rect) > 0.1
        head = person & (region_weight("head", look.box, self.rect) > 0.05)
        who[person] = BODY
        who[head] = HEAD
        return who

    @property
    def moving(self) -> bool:
        present = [stands for _, here, stands in self.looked if here]
        return sum(present) < 0.6 * len(present)

    def views(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([n for n, _, _ in self.looked]), np.array([s for _, _, s in self.looked])

    def median(self) -> tuple[np.ndarray, np.ndarray]:
        """rgb float32 and the share of samples that saw it; where both were seen background goes before body."""
        count, height, width = self.count, self.rect.height, self.rect.width
        rgb = np.zeros((height, width, 3), np.float32)
        confidence = np.zeros((height, width), np.float32)
        # One stray sample is more often a matte's mistake than a view of the background.
        enough = 2 if count >= 12 else 1
        rows = max(1, (16 << 20) // (count * width * 12))
        for top in range(0, height, rows):
            part = slice(top, top + rows)
            values = torch.from_numpy(self.rgb[:count, part].astype(np.float32))
            who = torch.from_numpy(self.seen[:count, part])
            for kind in (BODY, BACKGROUND):
                here = who == kind
                times = here.sum(0).numpy()
                found = times >= enough
                if found.any():
                    middle = torch.where(here[..., None], values, torch.nan).nanmedian(0).values.numpy()
                    rgb[part][found] = middle[found]
                    confidence[part][found] = times[found] / count
        return rgb, confidence
