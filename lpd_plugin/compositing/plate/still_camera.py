"""The clean plate of a standing camera: what is behind the head, from the moments when it is seen."""

from __future__ import annotations

import numpy as np

from ...progress import Progress
from ...video.clip import Clip
from ...video.regions.region import EMPTY, Rect, read_region
from ...video.track import Track
from ..picture.look import frames_at
from ..picture.square import HeadMatte
from .camera import CameraReference
from .plate import StillPlate, empty_plate, plate_digest
from .reach import reach_rect
from .samples import People, Samples


def still_plate(
    clip: Clip, track: Track, head_matte: HeadMatte | None, samples: int, progress: Progress
) -> StillPlate | None:
    """The temporal median of each pixel over the moments that show it; None where the head is seen from several views.

    At most `samples` frames spread over the clip are decoded and kept, fewer for large pictures: memory is
    bounded whatever the clip's length. Pixels that show the person's body where the background was never seen keep
    the body; pixels only ever behind the head get texture from around. Works on a still as on a clip of one frame.
    """
    digest = plate_digest("still plate 3", clip, track, samples, head_matte is None)
    rect = all_reaches(track, (clip.info.width, clip.info.height))
    if rect.empty:
        return empty_plate(digest)
    chosen = spread_frames(track, Samples.affordable(rect, samples))
    store = Samples(rect, len(chosen))
    reference: CameraReference | None = None
    looked: list[tuple[int, bool]] = []  # frame number, same view
    for frame in progress.track(frames_at(clip, chosen), "clean plate", len(chosen)):
        box = track.box(frame.index) if frame.index < len(track) else None
        whole = frame.rgb()
        if reference is None and box is not None:
            reference = CameraReference(whole, box)
        stands = reference is not None and reference.stands(whole, box)
        looked.append((frame.index, stands))
        if stands:
            people = People.of(frame.picture, track, frame.index, head_matte)
            store.add(read_region(frame.picture, rect), people.on(rect))
        elif box is not None:
            return None  # without the head it may well be another view: cuts lead there
    if not store.count:
        return empty_plate(digest)
    rgb, confidence = store.completed()
    if not confidence.any():
        return empty_plate(digest)
    numbers, same = (np.array(column) for column in zip(*looked))
    return StillPlate(rect, rgb.astype(np.float16), confidence, numbers, same.astype(bool), digest)


def all_reaches(track: Track, size: tuple[int, int]) -> Rect:
    """The rectangle around everything that removing the head may touch in any frame; may be empty."""
    rects = [reach_rect(track.box(i), *size) for i in np.flatnonzero(track.present)]
    rects = [r for r in rects if not r.empty] or [EMPTY]
    whole = rects[0]
    for rect in rects[1:]:
        whole = whole.union(rect)
    return whole


def spread_frames(track: Track, count: int) -> list[int]:
    """At most about `count` frame numbers: evenly over the head's presence, where it is outermost (that uncovers most),
    and some of its absence, which shows what it hides."""
    present, absent = np.flatnonzero(track.present), np.flatnonzero(~track.present)
    chosen: set[int] = set()
    if len(present):
        turn = np.arange(8) * np.pi / 4
        outward = track.centre[present] @ np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32)
        if count >= 24:
            chosen.update(present[outward.argmax(0)])
        chosen.update(_evenly(present, count - len(chosen)))
    chosen.update(_evenly(absent, max(1, count // 6)))
    return sorted(int(n) for n in chosen)


def _evenly(numbers: np.ndarray, count: int) -> np.ndarray:
    return numbers[np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)]
