"""One video file being made of a clip's frames."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import av

from ..errors import WorkFailed
from .audio import AudioFeeder
from .clip import Clip, ColourTags, Frame
from .colour import LIMITED, converted, is_grey, is_rgb, sample_range, video_tags, yuv_matrix
from .container import ASPECT_TAG
from .formats import Format
from .metadata import hdr_options
from .ordinary_priority import ordinary_priority
from .pixel_choice import has_alpha
from .planes import bit_depth
from .threads import encoding_threads, picture_bytes

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder prints its settings to the terminal otherwise


LOOKAHEAD_BYTES = 190 << 20
IN_ORDER = 2  # frames that no encoder can reorder: one between others needs a third
USUAL_LOOKAHEAD, FEWEST_AHEAD = 30, 5  # pictures; of the presets in use, and what B-frames need


class Encoding:
    """A file that takes frames. One is encoded when the next is known, since that says how long it lasts.

    tags: of the container. time_base: of which every frame's time is a whole multiple. container: another than the
    format's, for a part of the pictures without the sound. threads: of the encoder, 0 as many as memory allows. `notes` are
    what the user should know, `frames` and `seconds` what was written.
    """

    def __init__(
        self, clip: Clip, partial: str, fmt: Format, tags: Mapping[str, str], time_base: Fraction,
        container: str | None = None, threads: int = 0,
    ):  # fmt: skip
        info = clip.info
        self.notes: list[str] = []
        self.frames, self.seconds = 0, Fraction(0)
        self._info, self._time_base = info, time_base
        self._pixel_format = fmt.pixel_format_for(info.pixel_format, info.width, info.height)
        self._colour = self._target_colour(fmt)
        self.notes += losses(fmt, info.pixel_format, self._pixel_format)
        if fmt.changes_for_odd_sizes(info.width, info.height):
            size = f"{info.width}x{info.height}"
            self.notes.append(f"{size} is an odd size, which was written as {self._pixel_format}: some players refuse that.")
        self._waiting: Frame | None = None
        self._durations: dict[int, int] = {}  # by timestamp, of frames inside the encoder
        self._audio: AudioFeeder | None = None
        options = {} if container else dict(fmt.container_options)
        if (container or fmt.container) in ("mp4", "mov"):  # their edit lists count in this unit, by default milliseconds
            options.setdefault("movie_timescale", str(time_base.denominator))
        self._container = av.open(partial, "w", format=container or fmt.container, options=options)
        self._container.metadata.update(tags)
        self._stream = self._video_stream(fmt, threads)
        if clip.audio is not None and container is None:
            self._audio = AudioFeeder(self._container, clip.audio, fmt, self.notes.append)
        self._held: av.Packet | None = None
        self._first_packet: tuple[int, int] | None = None  # timestamps: presentation, decoding
        with ordinary_priority():
            self._container.start_encoding()  # now rather than after seconds of work, should it fail

    def _target_colour(self, fmt: Format) -> ColourTags:
        """The clip's own tags, unless RGB or grey becomes YUV or the format cannot tag them."""
        own, tags = self._info.pixel_format, self._info.colour
        if is_rgb(self._pixel_format) or is_grey(self._pixel_format):
            return tags
        if is_rgb(own) or is_grey(own):
            tags = video_tags(tags, self._info.height)
        if fmt.limited_range and sample_range(tags, self._pixel_format) != LIMITED:
            tags = replace(tags, range=LIMITED)
        if fmt.matrices and (tags.matrix not in fmt.matrices and yuv_matrix(tags, self._info.height) not in fmt.matrices):
            tags = replace(tags, matrix=fmt.matrices[0])
        return tags

    def _video_stream(self, fmt: Format, threads: int) -> av.VideoStream:
        stream = self._container.add_stream(fmt.codec, rate=self._info.rate.limit_denominator(60_000))
        stream.width, stream.height = self._info.width, self._info.height
        stream.pix_fmt, stream.options = self._pixel_format, dict(fmt.options)
        if fmt.codec == "libx264" and "rc-lookahead" not in stream.options:
            stream.options |= lookahead(self._pixel_format, self._info.width, self._info.height)
        for option, value in hdr_options(fmt.codec, self._info.metadata).items():
            given = fmt.options.get(option)
            stream.options[option] = f"{given}:{value}" if given else value
        if threads and fmt.codec == "libx264":
            # A thread that looks ahead sees more or fewer pictures at the end of a segment, by who comes first: bits must not
            # depend on that where they are to be the same again.
            given = stream.options.get("x264-params")
            stream.options["x264-params"] = f"{given}:sync-lookahead=0" if given else "sync-lookahead=0"
        context = stream.codec_context
        context.time_base = stream.time_base = self._time_base
        context.sample_aspect_ratio = self._info.sample_aspect_ratio
        if self._info.sample_aspect_ratio != 1:  # PyAV cannot set it where Matroska looks; `container.py` reads this
            stream.metadata[ASPECT_TAG] = str(self._info.sample_aspect_ratio)
        context.color_range, context.colorspace = self._colour.range, self._colour.matrix
        context.color_primaries, context.color_trc = self._colour.primaries, self._colour.transfer
        if not threads and fmt.codec == "libx264":
            threads = encoding_threads(self._pixel_format, self._info.width, self._info.height)
        context.thread_type, context.thread_count = "AUTO", threads
        return stream

    def add(self, frame: Frame) -> None:
        if self._waiting is not None:
            self._encode(self._waiting, frame.time - self._waiting.time)
        self._waiting = frame

    def add_packet(self, packet: av.Packet, time: Fraction, decode_time: Fraction, duration: Fraction, until: Fraction) -> None:
        """Take a picture that was encoded before in the same way, in decoding order; all in seconds. until: the time up to
        which sound is due with it."""
        tick = round(time / self._time_base)
        packet.stream, packet.time_base = self._stream, self._time_base
        packet.pts, packet.dts = tick, round(decode_time / self._time_base)
        self._durations[tick] = max(1, round(duration / self._time_base))
        self._mux([packet])
        self.frames, self.seconds = self.frames + 1, max(self.seconds, time + duration)
        if self._audio is not None:
            self._audio.feed(until)

    def finish_packets(self) -> None:
        """Complete and close a file that took packets."""
        self._mux_last()
        if self._audio is not None:
            self._audio.finish()
        self.close()

    def finish(self, end: Fraction | None) -> None:
        """Encode the last frame, which lasts until `end` or one frame's time; complete and close the file."""
        if self._waiting is None:
            raise WorkFailed("the clip gave no frames although it promised some: check the footage.")
        left = (end or Fraction(0)) - self._waiting.time
        self._encode(self._waiting, left if left > 0 else 1 / self._info.rate)
        packets = self._stream.encode(None)
        if self.frames <= IN_ORDER:
            for packet in packets:
                packet.dts = packet.pts  # x265 leaves them unset, whatever the memory held (PatchWelcomeError, at times)
        self._mux(packets)
        self._mux_last()
        if self._audio is not None:
            self._audio.finish()
        self.close()

    def close(self) -> None:
        if self._audio is not None:
            self._audio.close()
        self._container.close()

    def _encode(self, frame: Frame, duration: Fraction) -> None:
        tick = round(frame.time / self._time_base)
        self._durations[tick] = max(1, round(duration / self._time_base))
        with lent(converted(frame.picture, self._pixel_format, self._colour), tick, self._time_base) as picture:
            self._mux(self._stream.encode(picture))
        self.frames += 1
        self.seconds = frame.time + duration
        if self._audio is not None:
            self._audio.feed(self.seconds)

    def _mux(self, packets: list[av.Packet]) -> None:
        """Hand packets to the muxer, the newest one later: of the last, more is known at the end."""
        for packet in packets:
            if self._stream.codec_context.name == "dnxhd":
                _name_matrix(packet, self._colour.matrix)
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._held is not None:
                self._container.mux(self._held)
            else:
                self._first_packet = packet.pts, packet.dts
            self._held = packet

    def _mux_last(self) -> None:
        # MP4 stores how long packets last in decoding order; only the sum says when the last frame shown ends.
        packet = self._held
        if packet is None:
            return
        first_pts, first_dts = self._first_packet
        rest = round(self.seconds / self._time_base) - first_pts - (packet.dts - first_dts)
        packet.duration = rest if rest > 0 else packet.duration
        self._container.mux(packet)


def lookahead(pixel_format: str, width: int, height: int) -> dict[str, str]:
    """How many pictures x264 may hold to look ahead: its usual number up to 1080p, fewer of larger ones, so that 4K does not take
    a gigabyte. Its copy of a picture takes about twice the picture's own memory."""
    affordable = LOOKAHEAD_BYTES // max(1, 2 * picture_bytes(pixel_format, width, height))
    return {} if affordable >= USUAL_LOOKAHEAD else {"rc-lookahead": str(max(FEWEST_AHEAD, affordable))}


def losses(fmt: Format, own: str, chosen: str) -> list[str]:
    """Sentences about what pictures of format `own` lose as `chosen`."""
    notes = []
    if has_alpha(own) and not has_alpha(chosen):
        notes.append(f"the format {fmt.name} has no alpha: the pictures were written without it.")
    if bit_depth(chosen) < bit_depth(own):
        notes.append(f"the pictures have {bit_depth(own)} bits, of which the format {fmt.name} keeps {bit_depth(chosen)}.")
    return notes


def _name_matrix(packet: av.Packet, matrix: int) -> None:
    """Say in a DNxHR frame that its matrix is BT.2020, which FFmpeg's encoder does not: readers trust this first.

    Bits 1 and 2 of byte 0x2C, the colour volume: 0 BT.709, 1 BT.2020 (libavcodec/dnxhddec.c; SMPTE ST 2019-1).
    """
    if matrix == 9:
        data = bytearray(packet)
        data[0x2C] = data[0x2C] & ~0x06 | 0x02
        packet.update(bytes(data))


@contextlib.contextmanager
def lent(picture: av.VideoFrame, tick: int, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The picture with another timestamp and no wish for a frame type, given back as it was: it may be shared."""
    own = picture.pts, picture.time_base, picture.pict_type
    picture.pts, picture.time_base, picture.pict_type = tick, time_base, 0
    try:
        yield picture
    finally:
        picture.pts, picture.pict_type = own[0], own[2]
        if own[1]:
            picture.time_base = own[1]
