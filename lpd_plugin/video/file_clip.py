"""A video file, or a part of one, as a clip."""

from __future__ import annotations

import bisect
import hashlib
import os
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property

import av

from ..errors import BadInput
from .clip import AudioSource, Clip, ClipInfo, Frame
from .container import media_file
from .pixel_formats import to_planar, turned
from .timing import as_seconds, nested_window, window


class FileClip(Clip):
    """Frames with in_point <= seconds from the file's first frame < out_point, decoded when asked for.

    Raises BadInput when the file is missing, is no video or has nothing that can be decoded, when the points
    are no times, or when no frame lies between them. What was found damaged is said in `notes`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        in_point: Fraction | float | str | None = None,
        out_point: Fraction | float | str | None = None,
    ):
        self._media = media_file(path)
        self.path = self._media.path
        self._status = os.stat(self.path)
        self._window = window(as_seconds(in_point, "in point"), as_seconds(out_point, "out point"), self.describe())
        self._repeated = 0
        if in_point is not None or out_point is not None:
            self._require_frames()

    def _require_frames(self) -> None:
        first, last = self._span
        if first >= last:
            raise BadInput(
                f"{self.describe()} has no frame between its in point {float(self._window[0]):g} s and its out point: "
                f"it is {float(self._media.timeline.end):g} s long."
            )

    @cached_property
    def _span(self) -> tuple[int, int]:
        """First frame and the one after the last, counted from the file's first."""
        times, (start, end) = self._media.timeline.times, self._window
        return bisect.bisect_left(times, start), len(times) if end is None else bisect.bisect_left(times, end)

    @cached_property
    def info(self) -> ClipInfo:
        media, timeline = self._media, self._media.timeline
        start, end = self._window
        first, last = self._span
        return ClipInfo(
            width=media.width,
            height=media.height,
            rate=timeline.rate,
            frame_count=last - first,
            duration=min(timeline.end, timeline.end if end is None else end) - start,
            time_base=media.time_base,
            pixel_format=media.pixel_format,
            colour=media.colour,
            sample_aspect_ratio=media.sample_aspect_ratio,
            variable_rate=timeline.variable,
            premultiplied=media.premultiplied,
            metadata=media.metadata.later(self._frames_before(first)),
        )

    def _frames_before(self, position: int) -> int:
        """By how many frames of its timecode the file's frame `position` is after the first."""
        timeline = self._media.timeline
        if not timeline.variable or self._media.metadata.timecode is None or position >= len(timeline.times):
            return position
        return round(timeline.times[position] * self._media.metadata.timecode.nominal)

    @property
    def audio(self) -> AudioSource | None:
        """The file's audio; the points are on the file's own clock, in_point being this clip's time 0."""
        if not self._media.has_audio:
            return None
        start, end = self._window
        zero = self._media.timeline.ticks[0] * self._media.time_base
        return AudioSource(self.path, zero + start, None if end is None else zero + end)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is wrong with the file, as far as known by now."""
        notes = self._media.timeline.notes
        if self._repeated:
            notes += (f"{self.describe()} is damaged: {self._repeated} frames inside it repeat their neighbour.",)
        return notes

    def timestamps(self) -> list[Fraction]:
        first, last = self._span
        return [time - self._window[0] for time in self._media.timeline.times[first:last]]

    def frames(self, start: int = 0) -> Iterator[Frame]:
        timeline, (first, last) = self._media.timeline, self._span
        position = first + start
        if position >= last:
            return
        repeated = 0
        held = None  # the last picture decoded before the wanted moment, for holes in damaged files
        for tick, stored in self._pictures_around(timeline.ticks[position]):
            while position < last and timeline.ticks[position] < tick:
                picture = held if held is not None else self._prepared(stored)
                repeated += 1
                yield self._frame(position, picture)
                position += 1
            if position == last:
                break
            if tick == timeline.ticks[position]:
                held = self._prepared(stored)
                yield self._frame(position, held)
                position += 1
            if position == last:
                break
        self._repeated = max(self._repeated, repeated)

    def _pictures_around(self, tick: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Pictures in order, from `tick` or earlier on, starting at the key frame before it."""
        keys = self._media.timeline.keys
        index = bisect.bisect_right(keys, (tick, 1 << 62)) - 1
        if index > 0:
            pictures = self._media.pictures(keys[index])
            first = next(pictures, None)
            if first is not None and first[0] <= tick:
                yield first
                yield from pictures
                return
            pictures.close()  # the seek landed too late; decoding from the start is always right
        yield from self._media.pictures()

    def _prepared(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Upright and planar, of the size and format that `info` promises."""
        media = self._media
        stored = (picture.width, picture.height, picture.format.name)
        if stored != media.stored:  # streams may change size or format on the way
            picture = picture.reformat(*media.stored)
        return turned(to_planar(picture), media.orientation)

    def _frame(self, position: int, picture: av.VideoFrame) -> Frame:
        return Frame(position - self._span[0], self._media.timeline.times[position] - self._window[0], picture)

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> FileClip:
        start, end = nested_window(self._window, in_point, out_point, self.describe())
        return FileClip(self.path, start, end)

    def fingerprint(self) -> str:
        state = (self.path, self._status.st_size, self._status.st_mtime_ns, *self._window)
        return hashlib.sha256(repr(state).encode()).hexdigest()

    def describe(self) -> str:
        return os.path.basename(self.path)
