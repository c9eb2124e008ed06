"""A media file as PyAV sees it: opened with clear errors, its first picture, and when its frames are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache

import av

from ..errors import BadInput
from .metadata import ALPHA_TAG, PREMULTIPLIED, Metadata, read_metadata
from .pixel_formats import Orientation, orientation_of, to_planar, turned
from .planes import tags_of
from .threads import decoding_threads
from .timing import average_rate, constant_rate

# Packets of these may decode to nothing by design, so that only decoding tells the frames.
_CODECS_WITH_HIDDEN_FRAMES = {"vp8"}
# Where `writer.py` leaves the sample aspect ratio in containers that have no better place for it.
ASPECT_TAG = "SAMPLE_ASPECT_RATIO"


def checked_file(path: str | os.PathLike) -> str:
    """The absolute path of an existing, readable, non-empty file. Raises BadInput otherwise."""
    path = os.path.abspath(os.fspath(path))
    if os.path.isdir(path):
        raise BadInput(f"{path} is a folder, not a file: name the file in it.")
    if not os.path.exists(path):
        raise BadInput(f"{path} does not exist: check the spelling and the folder.")
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} cannot be read: check its permissions.")
    if os.path.getsize(path) == 0:
        raise BadInput(f"{path} is empty (0 bytes): copy or export it again.")
    return path


def opened(path: str) -> av.container.InputContainer:
    """The file as a container. Raises BadInput when FFmpeg does not recognise it."""
    try:
        # Only local files: a playlist must not make FFmpeg go to the network.
        return av.open(path, metadata_errors="replace", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path} is not a video that can be opened ({_reason(error)}): check or export it again.") from None


def video_stream(container: av.container.InputContainer, path: str) -> av.VideoStream:
    """The stream to use: the first that is no cover picture. Other streams are not read. Raises BadInput."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise BadInput(f"{path} has no video in it: choose a file with pictures.")
    stream = streams[0]
    if stream.codec_context is None:
        raise BadInput(f"{path} is coded in a way this FFmpeg cannot decode: convert it to H.264 or FFV1 first.")
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    stream.thread_type = "AUTO"
    context = stream.codec_context
    if context.pix_fmt and context.width and context.height:
        context.thread_count = decoding_threads(context.pix_fmt, context.width, context.height)
    return stream


def decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Every picture that can be decoded from here on; damaged packets are skipped, a torn file ends early."""
    decoder = _decoder(stream)
    packets = container.demux(stream)  # ends with an empty packet, which flushes the decoder
    torn = False
    while not torn:
        try:
            packet = next(packets, None)
            if packet is None:
                return
        except (av.FFmpegError, OSError):
            torn, packet = True, None
        try:
            pictures = decoder.decode(packet)
        except (av.FFmpegError, OSError):
            pictures = []
        yield from pictures


def _decoder(stream: av.VideoStream) -> av.CodecContext:
    """The stream's own, except for VP9 with alpha: FFmpeg's own decoder leaves alpha out, libvpx's does not."""
    own = stream.codec_context
    if own.name != "vp9" or stream.metadata.get("alpha_mode") != "1":
        return own
    try:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
    except ValueError:
        return own
    decoder.thread_type = "AUTO"
    # Primaries and transfer stand in the container only.
    decoder.color_primaries, decoder.color_trc = own.color_primaries, own.color_trc
    return decoder


@dataclass(frozen=True)
class Timeline:
    """When the frames of a whole file are.

    ticks: presentation timestamps in the stream's unit, ascending. times: exact seconds from the first.
    end: seconds at which the last frame ends. keys: (pts, dts) of packets to seek to, ascending; empty where
    only decoding from the start works.
    """

    ticks: list[int]
    times: list[Fraction]
    end: Fraction
    rate: Fraction
    variable: bool
    keys: list[tuple[int, int]]
    notes: tuple[str, ...] = ()


@dataclass
class _Scan:
    """What reading the packets without decoding them tells."""

    ticks: list[int] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)
    packets: int = 0
    last: tuple[int, int] = (-(1 << 62), 0)  # pts and duration of the last frame
    untimed: bool = False
    damaged: bool = False

    def add(self, packet: av.Packet) -> None:
        self.packets += 1
        self.damaged |= packet.is_corrupt
        if packet.pts is None:
            self.untimed = True
            return
        if packet.is_keyframe:
            self.keys.append((packet.pts, packet.dts if packet.dts is not None else packet.pts))
        elif not self.keys:
            self.damaged = True  # cut out of a longer stream: what comes before the first key frame is lost
        if not packet.is_discard:  # outside the edit list
            self.ticks.append(packet.pts)
            self.last = max(self.last, (packet.pts, packet.duration or 0))


class MediaFile:
    """One state of one file: what its header and first picture say, and, when asked, its timeline."""

    def __init__(self, path: str):
        self.path, self.name = path, os.path.basename(path)
        with opened(path) as container:
            stream = video_stream(container, path)
            self.time_base = stream.time_base
            self.header_frames = stream.frames
            self.header_duration = _tagged_duration(stream)
            self.stream_duration = stream.duration or 0  # in time_base units
            self.header_rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
            self.codec = stream.codec_context.name
            self.has_audio = any(s.codec_context is not None for s in container.streams.audio)
            first = next(decoded(container, stream), None)
            if first is None:
                raise BadInput(f"no frame of {path} can be decoded: it is damaged or not a video; export it again.")
            self.orientation: Orientation = orientation_of(first)
            self.metadata: Metadata = read_metadata(container, stream, first)
            alpha = container.metadata.get(ALPHA_TAG) or container.metadata.get(ALPHA_TAG.upper())  # Matroska's way
            self.premultiplied = alpha == PREMULTIPLIED
            ratio = stream.sample_aspect_ratio or _fraction(stream.metadata.get(ASPECT_TAG))
        picture = turned(to_planar(first), self.orientation)
        self.stored = (first.width, first.height, first.format.name)
        self.width, self.height, self.pixel_format = picture.width, picture.height, picture.format.name
        self.colour = tags_of(picture)
        ratio = ratio if ratio and ratio > 0 else Fraction(1)
        self.sample_aspect_ratio = 1 / ratio if self.orientation.transpose else ratio

    @cached_property
    def timeline(self) -> Timeline:
        scan = self._scan()
        first_key = scan.keys[0][0] if scan.keys else None
        leading = first_key is not None and any(tick < first_key for tick in scan.ticks)
        if scan.untimed or scan.damaged or leading or not scan.ticks or self.codec in _CODECS_WITH_HIDDEN_FRAMES:
            return self._decoded_timeline(scan)
        ticks = sorted(set(scan.ticks))
        return self._timeline(ticks, scan.last[1] if scan.last[0] == ticks[-1] else 0, sorted(scan.keys), ())

    def _scan(self) -> _Scan:
        scan = _Scan()
        with opened(self.path) as container:
            stream = video_stream(container, self.path)
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        scan.add(packet)
            except (av.FFmpegError, OSError):
                scan.damaged = True
        scan.damaged |= scan.packets < self.header_frames
        if self.header_duration and scan.ticks:
            reached = (scan.last[0] - min(scan.ticks) + scan.last[1]) * self.time_base
            frame = 1 / (next(filter(None, self.header_rates), None) or Fraction(25))
            scan.damaged |= reached < self.header_duration - 2 * frame
        return scan

    def _decoded_timeline(self, scan: _Scan) -> Timeline:
        """Where packets do not tell, one pass of decoding does."""
        ticks: list[int] = []
        duration = 0
        for tick, picture in self.pictures():
            ticks.append(tick)
            duration = picture.duration or 0
        notes = ()
        if scan.damaged:
            expected = max(self.header_frames, scan.packets, len(ticks))
            of = f"{len(ticks)} of {expected} frames" if expected > len(ticks) else f"only {len(ticks)} frames"
            notes = (f"{self.name} is damaged or cut short: {of} could be decoded and are used.",)
        return self._timeline(ticks, duration, [] if scan.untimed else sorted(scan.keys), notes)

    def _timeline(self, ticks: list[int], duration: int, keys: list[tuple[int, int]], notes: tuple) -> Timeline:
        rate = constant_rate(ticks, self.time_base, self.header_rates)
        if rate is not None:
            times = [index / rate for index in range(len(ticks))]
            return Timeline(ticks, times, len(ticks) / rate, rate, False, keys, notes)
        times = [(tick - ticks[0]) * self.time_base for tick in ticks]
        average = average_rate(times) or Fraction(25)
        # Packets of MP4 say how long they last in decoding order, so the whole stream's length knows better.
        rest = self.stream_duration - (ticks[-1] - ticks[0])
        duration = rest if rest > 0 else duration
        last = duration * self.time_base if duration > 0 else 1 / average
        return Timeline(ticks, times, times[-1] + last, average, True, keys, notes)

    def pictures(self, key: tuple[int, int] | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
        """(tick, picture as decoded) in strictly ascending order, from the start or from the key frame (pts, dts)."""
        with opened(self.path) as container:
            stream = video_stream(container, self.path)
            if key is not None:
                container.seek(key[1], stream=stream)
            step = max(1, round(1 / ((self.header_rates[0] or 25) * self.time_base)))
            last = None
            for picture in decoded(container, stream):
                tick = picture.pts if picture.pts is not None else picture.dts
                if tick is None:  # raw streams: frames follow each other at the header's rate
                    tick = 0 if last is None else last + step
                if last is None or tick > last:
                    yield tick, picture
                    last = tick


def _tagged_duration(stream: av.VideoStream) -> Fraction | None:
    """Seconds that Matroska's DURATION tag promises."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds.rstrip("\0 "))
    except ValueError:
        return None


def _fraction(text: str | None) -> Fraction | None:
    try:
        return Fraction(text) if text else None
    except (ValueError, ZeroDivisionError):
        return None


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip() or type(error).__name__


@lru_cache(maxsize=32)
def _media_file(path: str, size: int, modified: int) -> MediaFile:
    return MediaFile(path)


def media_file(path: str | os.PathLike) -> MediaFile:
    """The file's `MediaFile`, shared by every clip made of the same state of the file. Raises BadInput."""
    path = checked_file(path)
    status = os.stat(path)
    return _media_file(path, status.st_size, status.st_mtime_ns)
