"""A clip written in segments: each complete or absent, joined to one file without encoding anything again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import av

from ..errors import WorkFailed
from ..progress import Progress
from .clip import Clip, Frame
from .encoding import Encoding
from .metadata import ALPHA_TAG
from .sequence_target import SequenceTarget, is_numbered
from .sequence_writer import ImageEncoder, first_file_number, sequence_notes, write_files
from .timing import exact_time_base
from .writer import checked_format, checked_name, named_errors, required_times, tags_of_clip

# An encoder's bits may depend on how many threads it has: with a fixed number, every machine gives the same.
ENCODER_THREADS = 4
# Matroska names every file at random unless it is told not to: joined again, it is then the same file to the last bit.
_SAME_AGAIN = {"matroska": {"fflags": "+bitexact"}, "webm": {"fflags": "+bitexact"}}


@dataclass(frozen=True)
class Segment:
    """Frames `first` to `stop` of a clip, the last excluded, number `number` of its segments."""

    number: int
    first: int
    stop: int


def cut(count: int, length: int) -> list[Segment]:
    """A clip of `count` frames in segments of `length`; a last one shorter than a quarter joins the one before it."""
    firsts = list(range(0, count, length))
    if len(firsts) > 1 and count - firsts[-1] < length / 4:
        firsts.pop()
    return [Segment(n, a, b) for n, (a, b) in enumerate(zip(firsts, [*firsts[1:], count], strict=True))]


class SegmentWriter:
    """How one clip is written in segments and joined; see `write_clip` for the arguments and what is raised."""

    def __init__(
        self, clip: Clip, path: str | os.PathLike, format: str | os.PathLike, metadata: Mapping[str, object] | None = None,
        first_number: int | str = 1,
    ):  # fmt: skip
        self.clip, self.format = clip, checked_format(clip, format)
        self.target = checked_name(path, self.format)
        self.times = required_times(clip)
        self.tags = tags_of_clip(clip, metadata)
        self.first_number = first_number
        self.single = self.format.is_sequence and len(self.times) == 1 and not is_numbered(self.target)
        if self.format.is_sequence:
            self.tags.pop(ALPHA_TAG, None)  # the encoder says it where the format does not settle it
            self._names = None if self.single else SequenceTarget.checked(self.target, overwrite=True)
        self._time_base = exact_time_base(self.times, clip.info.rate)

    @property
    def suffix(self) -> str:
        """Of a segment's name; of a sequence's segments, which are folders, empty."""
        return "" if self.format.is_sequence else f".{self._container}"

    @property
    def _container(self) -> str:
        """One that keeps packets as the encoder gave them. NUT does, in any unit of time; but what lies beside the packets,
        as VP9's alpha does, only Matroska keeps, and some codecs are for one container."""
        if self.format.codec.startswith("libvpx"):
            return "matroska"
        return "nut" if self.format.codec in _codecs_of_nut() else self.format.container

    def end_of(self, number: int) -> Fraction:
        """When frame `number` ends, seconds from the clip's start."""
        if number + 1 < len(self.times):
            return self.times[number + 1]
        last, end = self.times[number], self.clip.info.duration or Fraction(0)
        return end if end > last else last + 1 / self.clip.info.rate

    def write(self, segment: Segment, frames: Iterator[Frame], path: Path, progress: Progress, label: str = "") -> int:
        """Encode a segment's frames, the next of `frames`, to `path`: a file, or of a sequence a folder, synced to the disk.

        Whoever calls gives it its name when this returns: the bytes written. Raises WorkFailed where frames are missing.
        """
        own = islice(frames, segment.stop - segment.first)
        own = progress.track(own, label or f"writing segment {segment.number + 1}", segment.stop - segment.first)
        with named_errors(self.target):
            written = self._write_images(segment, own, path) if self.format.is_sequence else self._write_video(segment, own, path)
        if written != segment.stop - segment.first:
            raise WorkFailed(f"{self.clip.describe()} ended at its frame {segment.first + written}, before its last: check the footage.")
        return sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))

    def _write_video(self, segment: Segment, frames: Iterable[Frame], path: Path) -> int:
        encoding = Encoding(
            self.clip, os.fspath(path), self.format, self.tags, self._time_base, self._container, ENCODER_THREADS
        )
        with _on_the_disk(encoding, path):
            for frame in frames:
                encoding.add(frame)
            encoding.finish(self.end_of(segment.stop - 1))
        return encoding.frames

    def _write_images(self, segment: Segment, frames: Iterator[Frame], folder: Path) -> int:
        folder.mkdir()
        encoder = ImageEncoder(self.clip.info, self.format, self.tags)
        names = (folder / self._image_name(number) for number in range(segment.first, segment.stop))
        written, _, _ = write_files(encoder, iter(frames), names)
        return written

    def _image_name(self, index: int) -> str:
        if self.single:
            return Path(self.target).name
        return self._names.name(first_file_number(self.clip.info, self.first_number) + index)

    def join(self, segments: Sequence[Path], path: Path, progress: Progress) -> list[str]:
        """All segments in their order as one file with the clip's sound, or as a folder of images, at `path`, which is
        new. Returns what the user should know. Raises WorkFailed where a segment does not hold what it should."""
        with named_errors(self.target):
            notes = self._join_images(segments, path) if self.format.is_sequence else self._join_video(segments, path, progress)
        return list(dict.fromkeys((*self.clip.notes, *notes)))

    def _join_video(self, segments: Sequence[Path], path: Path, progress: Progress) -> list[str]:
        order = _presentation(segments)
        if len(order) != len(self.times):
            raise WorkFailed(f"the segments of {self.target} hold {len(order)} frames of {len(self.times)}: render it again.")
        decode = decode_times(order, self.times)
        more = _SAME_AGAIN.get(self.format.container, {})
        fmt = replace(self.format, container_options={**self.format.container_options, **more})
        encoding = Encoding(self.clip, os.fspath(path), fmt, self.tags, self._time_base, threads=ENCODER_THREADS)
        with _on_the_disk(encoding, path):
            packets = (packet for segment in segments for packet in _packets(segment))
            for position, packet in enumerate(progress.track(packets, "joining", len(order))):
                number = order[position]
                end = self.end_of(number)
                encoding.add_packet(packet, self.times[number], decode[position], end - self.times[number], self.end_of(position))
            encoding.finish_packets()
        return encoding.notes

    def _join_images(self, segments: Sequence[Path], path: Path) -> list[str]:
        encoder = ImageEncoder(self.clip.info, self.format, self.tags)
        files = [file for segment in segments for file in sorted(segment.iterdir())]
        if len(files) != len(self.times):
            raise WorkFailed(f"the segments of {self.target} hold {len(files)} images of {len(self.times)}: render it again.")
        if self.single:
            _linked(files[0], path)
            return encoder.notes
        path.mkdir()
        for file in files:
            _linked(file, path / file.name)
        return [*encoder.notes, *sequence_notes(self.clip, self.first_number)]


@contextlib.contextmanager
def _on_the_disk(encoding: Encoding, path: Path) -> Iterator[None]:
    """What is finished in the block outlasts a loss of power after it; what fails is closed."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, av.FFmpegError):
            encoding.close()
        raise
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def decode_times(order: Sequence[int], times: Sequence[Fraction]) -> list[Fraction]:
    """When each packet is to be decoded, seconds, for packets that show the frames `order` of a clip with these times.

    The decoder runs as many frames ahead of the picture as the packets are out of order at most, so that nothing is shown
    before it is decoded, and the times ascend: those of the frames, that many later; before the first, spaced as at the start.
    """
    ahead = max((position - number for position, number in enumerate(order)), default=0)
    return [times[n - ahead] if n >= ahead else times[n] - (times[ahead] - times[0]) for n in range(len(order))]


@cache
def _codecs_of_nut() -> frozenset[str]:
    with av.open(os.devnull, "w", format="nut") as container:
        return frozenset(container.supported_codecs)


def _presentation(segments: Sequence[Path]) -> list[int]:
    """For every packet of the segments in their order, the number of the frame that it shows."""
    order: list[int] = []
    for segment in segments:
        ticks = [packet.pts for packet in _packets(segment)]
        places = {tick: len(order) + place for place, tick in enumerate(sorted(ticks))}
        order += [places[tick] for tick in ticks]
    return order


def _packets(path: Path) -> Iterator[av.Packet]:
    with av.open(os.fspath(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield packet


def _linked(source: Path, target: Path) -> None:
    """The same file under another name where the file system can do that, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
