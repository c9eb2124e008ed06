"""The original person's matte in every frame of footage, without asking the network at each.

Where the head was is known to a few hundredths of its square, since what is replaced reaches that far around it; so between
two looks of the network its matte moves along with the picture, as long as the picture is the same but for motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import av
import cv2
import numpy as np
import torch

from ...video.clip import Clip
from ...video.regions.square import read_small_luma
from ...video.track import Track
from ..picture.look import Look, look_at
from ..picture.square import MATTE_SIDE, HeadMatte
from ..plate.reach import WIDE_SIDE, reaching_mattes, square_part
from .motion import Motion

EVERY = 4  # frames: the network looks at those whose number is a multiple of it, wherever iteration starts
SIDE = MATTE_SIDE // 2  # pixels of the grey squares that motion is measured in
DIFFERENT = 32.0  # codes of 255: over AROUND pixels, two pictures that differ by more, moved onto each other, show something else
AROUND = 7
NEAR_EDGE = 25  # pixels of the matte: the width of the band around its edge in which pictures are compared
LOWEST = 0.8  # of the square's height: shoulders below it are not replaced


class _Seen(NamedTuple):
    number: int
    grey: np.ndarray
    matte: np.ndarray


class OriginalMattes:
    """Mattes of the heads along a track, asked for in any order, quickest in that of the frames; remembers one frame."""

    def __init__(self, footage: Clip, track: Track, head_matte: HeadMatte | None):
        """head_matte None: a typical outline everywhere."""
        self.footage, self.track, self.head_matte = footage, track, head_matte
        if isinstance(head_matte, torch.nn.Module):
            # As its pictures are: the same sums, in three quarters of the time.
            head_matte.to(memory_format=torch.channels_last)
        self._seen: _Seen | None = None

    def of(self, frames: Sequence[tuple[int, av.VideoFrame, Look]]) -> list[np.ndarray]:
        """The person's matte (WIDE_SIDE, WIDE_SIDE) on the reach of every frame (number in the footage, picture, its look)."""
        if self.head_matte is None:
            return reaching_mattes([picture for _, picture, _ in frames], [look for *_, look in frames], None)
        seen = self._looked_at(frames)
        mattes = [seen[number].matte if number in seen else _moved(seen.get(_before(number)), look) for number, _, look in frames]
        unknown = [place for place, matte in enumerate(mattes) if matte is None]
        found = reaching_mattes([frames[p][1] for p in unknown], [frames[p][2] for p in unknown], self.head_matte)
        for place, matte in zip(unknown, found):
            mattes[place] = matte
        return mattes

    def _looked_at(self, frames: Sequence[tuple[int, av.VideoFrame, Look]]) -> dict[int, _Seen]:
        """The frames that the network looks at anyway and that these ones need, by number."""
        seen = {} if self._seen is None else {self._seen.number: self._seen}
        given = {number: (picture, look) for number, picture, look in frames}
        wanted = []
        for number in sorted({_before(number) for number in given} - set(seen)):
            picture, look = given.get(number) or self._fetched(number)
            if look is not None:
                wanted.append((number, picture, look))
        mattes = reaching_mattes([picture for _, picture, _ in wanted], [look for *_, look in wanted], self.head_matte)
        for (number, _, look), matte in zip(wanted, mattes):
            seen[number] = _Seen(number, _grey(look), matte)
        last = _before(max(given, default=0))
        self._seen = seen.get(last, self._seen)
        return seen

    def _fetched(self, number: int) -> tuple[av.VideoFrame | None, Look | None]:
        """A frame that is not among the given ones: iteration starts after it, or it is not composited."""
        frames = self.footage.frames(number)
        try:
            frame = next(frames, None)
        finally:
            if hasattr(frames, "close"):
                frames.close()
        if frame is None or number >= len(self.track):
            return None, None
        return frame.picture, look_at(frame.picture, self.track.box(number))


def _before(number: int) -> int:
    return number - number % EVERY


def _grey(look: Look) -> np.ndarray:
    luma = None if isinstance(look.shown, np.ndarray) else read_small_luma(look.shown, look.box, SIDE)
    if luma is not None:
        return luma
    small = cv2.resize(look.crop(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(cv2.max(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), 0), alpha=255)


def _moved(seen: _Seen | None, look: Look) -> np.ndarray | None:
    """An earlier frame's matte where that frame's content lies in this one; None where they show different things."""
    if seen is None:
        return None
    grey = _grey(look)
    motion = Motion.between(grey, seen.grey, finest=1)
    # Beyond the square the motion at its border goes on.
    beside = (WIDE_SIDE - MATTE_SIDE) // 2 * SIDE // MATTE_SIDE
    flow = cv2.copyMakeBorder(motion.flow, 2 * beside, 0, beside, beside, cv2.BORDER_REPLICATE)
    matte = Motion(cv2.resize(flow, (WIDE_SIDE, WIDE_SIDE), interpolation=cv2.INTER_LINEAR) * np.float32(WIDE_SIDE / flow.shape[0]))
    matte = matte.carried(seen.matte)
    difference = cv2.blur(cv2.absdiff(grey, motion.carried(seen.grey)), (AROUND, AROUND))
    rows = slice(0, round(LOWEST * SIDE))
    near = _near_edge(cv2.resize(square_part(matte), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return None if difference[rows][near[rows]].max(initial=0) > DIFFERENT else matte


def _near_edge(matte: np.ndarray) -> np.ndarray:
    """(h, w) bool: around where a matte is neither 0 nor 1."""
    edge = ((matte > 0.03) & (matte < 0.97)).astype(np.uint8)
    inside, square = (matte > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)
    edge |= cv2.dilate(inside, square) - inside
    width = NEAR_EDGE * SIDE // MATTE_SIDE
    return cv2.dilate(edge, np.ones((2 * width + 1,) * 2, np.uint8)) > 0
