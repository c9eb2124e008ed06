"""What one frame of footage shows of the head: its square's pixels and who in them is the person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import av
import numpy as np
import torch

from ...reenactment.mattes import tidied
from ...video.clip import Clip, Frame
from ...video.crop import crop_square
from ...video.regions.region import Rect, box_rect, read_region
from ...video.regions.square import read_square
from ...video.track import CropBox
from .square import MATTE_SIDE, HeadMatte, square_to_rect, typical_person

SEEK_GAP = 150  # frames; a shorter way is decoded through


@dataclass(frozen=True)
class Look:
    """The head's square in one picture: `rect` is its visible part, `shown` the picture, or float32 RGB of that part."""

    box: CropBox
    rect: Rect
    shown: av.VideoFrame | np.ndarray

    @cached_property
    def rgb(self) -> np.ndarray:
        """(height, width, 3) float32 of the visible part; read when first asked for."""
        return self.shown if isinstance(self.shown, np.ndarray) else read_region(self.shown, self.rect)

    def crop(self, size: int = MATTE_SIDE) -> np.ndarray:
        """(size, size, 3) of the whole square, as `video.crop.crop_square` completes it beyond the picture."""
        return self._crop if size == MATTE_SIDE else self._cropped(size)

    @cached_property
    def _crop(self) -> np.ndarray:
        return self._cropped(MATTE_SIDE)

    def _cropped(self, size: int) -> np.ndarray:
        if not isinstance(self.shown, np.ndarray):
            return read_square(self.shown, self.box, size)
        box, rect = self.box, self.rect
        return crop_square(self.shown, CropBox(box.left - rect.left, box.top - rect.top, box.side), size)


def look_at(picture: av.VideoFrame, box: CropBox | None) -> Look | None:
    """The square of a head in a picture; None without one, or where it lies wholly outside."""
    if box is None:
        return None
    rect = box_rect(box, picture.width, picture.height)
    if rect.width < 2 or rect.height < 2:
        return None
    return Look(box, rect, picture)


def person_mattes(looks: Sequence[Look], head_matte: HeadMatte | None) -> list[np.ndarray]:
    """The person's matte (256, 256) in each square: the network's, or a typical outline without one."""
    if head_matte is None or not looks:
        return [typical_person()] * len(looks)
    crops = np.clip(np.stack([look.crop() for look in looks]), 0, 1)
    with torch.inference_mode():
        # Channels stay last in memory: convolutions on a processor are a quarter faster.
        mattes = head_matte(torch.from_numpy(crops).permute(0, 3, 1, 2))
    mattes = torch.as_tensor(mattes).float().cpu().numpy()
    return [tidied(np.clip(matte[0], 0, 1)) for matte in mattes]


def person_around(matte: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """A square's person matte (S, S) drawn on any rectangle: beyond the square, the sides and the bottom go on,
    since shoulders do, and above there is nobody."""
    top_free = np.pad(matte[1:], ((1, 0), (0, 0)))
    return np.clip(square_to_rect(top_free, box, rect), 0, 1)


def frames_at(clip: Clip, indices: Sequence[int]) -> Iterator[Frame]:
    """The frames of the given numbers, ascending order; decodes through short gaps and seeks over long ones."""
    frames: Iterable[Frame] | None = None
    position = 0
    try:
        for index in indices:
            if frames is None or index - position > SEEK_GAP:
                _close(frames)
                frames, position = clip.frames(index), index
            for frame in frames:
                position = frame.index + 1
                if frame.index >= index:
                    yield frame
                    break
            else:
                return
    finally:
        _close(frames)


def _close(frames) -> None:
    if frames is not None and hasattr(frames, "close"):
        frames.close()
