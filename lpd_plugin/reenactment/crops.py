"""Head crops of a tracked clip, streamed; and a few of them, chosen to differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadInput
from ..progress import Progress
from ..video.clip import Clip
from ..video.crop import crop_square
from ..video.track import Track

CROP_SIZE = 256


def head_crops(clip: Clip, track: Track, size: int = CROP_SIZE) -> Iterator[np.ndarray | None]:
    """One uint8 RGB crop (size, size, 3) per frame, None where the head is absent. Streaming."""
    for frame in clip.frames():
        box = track.box(frame.index) if frame.index < len(track) else None
        yield None if box is None else crop_square(frame.rgb(), box, size)


def chosen_crops(clip: Clip, track: Track, count: int, progress: Progress | None = None) -> np.ndarray:
    """Up to `count` head crops (K, 256, 256, 3) uint8, spread over the head's looks rather than over time.

    Every present frame's crop is looked at once at 32 px; farthest-point selection picks the ones that
    differ most from those picked before, starting with the most confident frame. Two decodes, memory for
    the thumbnails only. Raises `BadInput` if the head is never seen.
    """
    progress = progress or Progress()
    present = np.flatnonzero(track.present)
    if not len(present):
        raise BadInput(f"No head was found in {clip.describe()}; give a box by hand or another clip.")
    looked = present[:: max(1, len(present) // 600)]  # enough to choose from, bounded for any length
    thumbnails = {}
    for frame in progress.track(clip.frames(), "looking for different views", len(track)):
        if frame.index in set(looked[:1]) or frame.index in looked:
            thumbnails[frame.index] = _thumbnail(crop_square(frame.rgb(), track.box(frame.index), CROP_SIZE))
    picked = set(_farthest(thumbnails, track.confidence, count))
    crops = {}
    for frame in clip.frames():
        if frame.index in picked:
            crops[frame.index] = crop_square(frame.rgb(), track.box(frame.index), CROP_SIZE)
        if len(crops) == len(picked):
            break
    return np.stack([crops[i] for i in sorted(crops)])


def _thumbnail(crop: np.ndarray) -> np.ndarray:
    """The middle of the crop, 16 x 16 block means, without its mean brightness."""
    side = len(crop) // 2
    middle = crop[side // 2 : side // 2 + side, side // 2 : side // 2 + side].astype(np.float32)
    step = side // 16
    blocks = middle[: step * 16, : step * 16].reshape(16, step, 16, step, 3).mean((1, 3, 4))
    return (blocks - blocks.mean()).ravel()


def _farthest(thumbnails: dict[int, np.ndarray], confidence: np.ndarray, count: int) -> list[int]:
    """Indices by farthest-point selection (Gonzalez 1985); deterministic."""
    indices = sorted(thumbnails)
    looks = np.stack([thumbnails[i] for i in indices])
    first = int(np.argmax([confidence[i] for i in indices]))
    picked, distance = [first], np.linalg.norm(looks - looks[first], axis=1)
    while len(picked) < min(count, len(indices)):
        farthest = int(np.argmax(distance))
        picked.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(looks - looks[farthest], axis=1))
    return [indices[i] for i in picked]
