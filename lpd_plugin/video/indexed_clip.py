"""Clips whose pictures can be had one by one, in any order: image files, batches in memory."""

from __future__ import annotations

import bisect
import copy
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import av

from ..errors import BadInput
from .clip import Clip, ClipInfo, Frame
from .timing import as_seconds, nested_window


def as_rate(rate: Fraction | float | int | str) -> Fraction:
    """Frames a second, exact; 29.97, 23.976 and 59.94 mean their n/1001 rates. Raises BadInput unless positive."""
    try:
        exact = Fraction(rate) if not isinstance(rate, float) else Fraction(rate).limit_denominator(1_000_000)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise BadInput(f"the frame rate {rate!r} is no number: give frames a second, such as 25 or 30000/1001.") from None
    if not 0 < exact <= 10_000:
        raise BadInput(f"the frame rate {rate} is out of range: give frames a second between 0 and 10000.")
    for nominal in (24, 30, 48, 60, 120):
        broadcast = Fraction(nominal * 1000, 1001)
        if abs(exact - broadcast) < Fraction(1, 1500):
            return broadcast
    return exact


class IndexedClip(Clip):
    """A clip over a list of moments; subclasses give the picture of one. Pictures are made when pulled, one at a time."""

    def __init__(self, info: ClipInfo, times: Sequence[Fraction], end: Fraction):
        """times: seconds of every picture from the clip's start, ascending; end: where the last one ends."""
        self._whole_info, self._times, self._end = info, times, end
        self._window: tuple[Fraction, Fraction | None] = (Fraction(0), None)

    @abstractmethod
    def _picture(self, position: int) -> av.VideoFrame:
        """The picture at a position of the untrimmed list, planar and of the format in `info`."""

    @property
    def _span(self) -> range:
        start, end = self._window
        last = len(self._times) if end is None else bisect.bisect_left(self._times, end)
        return range(bisect.bisect_left(self._times, start), last)

    @property
    def info(self) -> ClipInfo:
        start, end = self._window
        stop = self._end if end is None else min(self._end, end)
        whole = self._whole_info
        passed = 0 if not self._span else round(self._times[self._span[0]] * whole.rate)
        return replace(
            whole, frame_count=len(self._span), duration=stop - start, metadata=whole.metadata.later(passed)
        )

    def timestamps(self) -> list[Fraction]:
        return [self._times[position] - self._window[0] for position in self._span]

    def frames(self, start: int = 0) -> Iterator[Frame]:
        for index, position in list(enumerate(self._span))[start:]:
            yield Frame(index, self._times[position] - self._window[0], self._picture(position))

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> IndexedClip:
        part = copy.copy(self)
        part._window = nested_window(self._window, in_point, out_point, self.describe())
        if not part._span:
            start = float(as_seconds(in_point, "in point") or 0)
            raise BadInput(
                f"{self.describe()} has no frame between its in point {start:g} s and its out point: "
                f"it is {float(self._end):g} s long."
            )
        return part

    def fingerprint(self) -> str:
        return self._digest((*self._window,))

    @abstractmethod
    def _digest(self, window: tuple) -> str:
        """The fingerprint of the pictures and the given window."""
