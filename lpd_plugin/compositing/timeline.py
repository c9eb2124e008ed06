"""Which frames a composite has, when, and which moment of the performance each shows."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice

import numpy as np

from ..reenactment.heads import Head, Heads
from ..video.clip import AudioSource, Clip, ClipInfo, Frame
from ..video.indexed_clip import as_rate

END_TOLERANCE = 1e-6  # seconds by which float times of a performance may miss the footage's exact ones


@dataclass(frozen=True)
class Timeline:
    """Frames `first` to `end` of the whole composite; seconds count from `origin`.

    whole: seconds of every frame of the whole composite; where: the footage's frame number is the composite's,
    except for a still footage, which is frame 0 throughout. What every frame asks for is worked out once: exact times of a long
    clip take longer to compare than a frame takes to composite.
    """

    footage: Clip
    heads: Heads | None
    end_policy: str
    whole: tuple[Fraction, ...]
    rate: Fraction
    window: tuple[Fraction, Fraction | None] = (Fraction(0), None)

    @classmethod
    def of(cls, footage: Clip, heads: Heads | None, end_policy: str) -> "Timeline":
        """A still lasts as long as the performance; the policy "trim" ends other footage with it."""
        if footage.info.is_still and heads is not None:
            return cls(footage, heads, end_policy, *_own_times(heads))
        times = footage.timestamps()
        if heads is not None and end_policy == "trim":
            last = float(heads.times[-1]) + END_TOLERANCE if len(heads) else -1.0
            times = [time for time in times if time <= last]
        return cls(footage, heads, end_policy, tuple(times), footage.info.rate)

    @property
    def holds_still(self) -> bool:
        """The same picture under every head."""
        return self.footage.info.is_still

    @cached_property
    def first(self) -> int:
        return bisect.bisect_left(self.whole, self.window[0])

    @cached_property
    def end(self) -> int:
        out = self.window[1]
        return len(self.whole) if out is None else bisect.bisect_left(self.whole, out)

    @property
    def count(self) -> int:
        return max(0, self.end - self.first)

    def timestamps(self) -> list[Fraction]:
        return [time - self.window[0] for time in self.whole[self.first : self.end]]

    def trimmed(self, window: tuple[Fraction, Fraction | None]) -> "Timeline":
        """window: seconds from the whole composite's start."""
        return replace(self, window=window)

    @cached_property
    def _out(self) -> Fraction | None:
        """Where the composite ends, seconds from the whole one's start; None: where the footage ends."""
        ends = [] if self.window[1] is None else [self.window[1]]
        duration = self.footage.info.duration
        if self.holds_still and self.heads is not None:
            ends.append(len(self.whole) / self.rate)
        elif self.whole and len(self.whole) < len(self.footage.timestamps()):
            ends.append(self.footage.timestamps()[len(self.whole)])
        elif duration is not None:
            ends.append(duration)
        return min(ends, default=None)

    @cached_property
    def duration(self) -> Fraction | None:
        """Of the whole composite, seconds; None where the footage does not say."""
        return replace(self, window=(Fraction(0), None))._out

    def info(self) -> ClipInfo:
        info, out = self.footage.info, self._out
        still = info.is_still and self.heads is None
        duration = info.duration if still or out is None else max(Fraction(0), out - self.window[0])
        more = {} if still else {"frame_count": self.count, "duration": duration, "rate": self.rate}
        if self.holds_still and not still:
            more |= {"time_base": 1 / self.rate, "is_still": False}
        return replace(info, metadata=info.metadata.later(self.first), **more)

    def audio(self) -> AudioSource | None:
        """The footage's, as far as the composite goes."""
        source = self.footage.audio
        if source is None or (self.window == (0, None) and self.count == len(self.footage.timestamps())):
            return source
        start = source.in_point + self.window[0]
        ends = [point for point in (source.out_point, self._out and source.in_point + self._out) if point is not None]
        return AudioSource(source.path, start, min(ends, default=None))

    def frames(self, start: int, heads: Heads | None) -> Iterator[tuple[Frame, Head | None]]:
        """Frames from number `start` of the window on, pictures untouched, each with its moment's head.

        heads: those of the timeline, or what is made of them.
        """
        first = self.first + start
        pulled = self._heads(first, heads)
        try:
            for number, (frame, time) in enumerate(zip(self._pictures(first), self.whole[first : self.end])):
                head = next(pulled, None)
                yield Frame(start + number, time - self.window[0], frame.picture), head
        finally:
            pulled.close()

    def _heads(self, first: int, heads: Heads | None) -> Iterator[Head | None]:
        """From the whole composite's frame `first` on. Heads that look at their neighbours in time (`Heads.reach`) are
        asked for those too, and those that are drawn together are, so that a frame is the same wherever one starts or ends."""
        if heads is None or first >= self.end:
            return
        begin, end = max(0, first - heads.reach), self.end + heads.reach
        begin, end = begin - begin % heads.together, min(len(self.whole), end + -end % heads.together)
        wanted = iter(self._retimed(heads, begin, end))
        try:
            yield from islice(wanted, first - begin, self.end - begin)
        finally:
            if hasattr(wanted, "close"):
                wanted.close()

    def _retimed(self, heads: Heads, begin: int, end: int) -> Heads:
        if self.holds_still:
            own = np.asarray(heads.times, np.float64)
            return heads if len(own) == end - begin else heads.retimed(own[begin:end], "hold")
        return heads.retimed(np.array([float(time) for time in self.whole[begin:end]]), self.end_policy)

    def _pictures(self, first: int) -> Iterator[Frame]:
        frames = self.footage.frames(0 if self.holds_still else first)
        try:
            if not self.holds_still:
                yield from frames
            for frame in frames:
                while True:
                    yield frame
        finally:
            if hasattr(frames, "close"):
                frames.close()


def _own_times(heads: Heads) -> tuple[tuple[Fraction, ...], Fraction]:
    """A performance's times as exact fractions from its first moment on, and its rate."""
    times = np.asarray(heads.times, np.float64)
    if len(times) < 2:
        return tuple(Fraction(0) for _ in times), Fraction(25)
    rate = as_rate(float(1 / np.median(np.diff(times))))
    even = np.arange(len(times)) / float(rate)
    if np.abs(times - times[0] - even).max() < 0.25 / float(rate):
        return tuple(number / rate for number in range(len(times))), rate
    return tuple(Fraction(float(time - times[0])).limit_denominator(90_000) for time in times), rate
