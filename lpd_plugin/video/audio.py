"""Sound beside the pictures: packets copied as they are, re-encoded only where a container cannot take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from .clip import AudioSource
from .container import opened
from .formats import Format

# Decoders need the packets just before a cut to be right at it: AAC one, Opus 80 ms, HE-AAC's start about 120 ms.
_PREROLL = Fraction(1, 8)


class AudioFeeder:
    """Adds a source's audio streams to an output, then hands over their packets in step with the pictures.

    Create it before the output's first packet; `feed` it as time goes on, `finish` it, `close` it in any case.
    The source's in point becomes time 0. `note` is told what could not be copied.
    """

    def __init__(
        self, output: av.container.OutputContainer, source: AudioSource, fmt: Format, note: Callable[[str], None]
    ):
        self._output, self._source, self._format, self._note = output, source, fmt, note
        self._container = opened(source.path)
        self._targets: dict[int, tuple[av.AudioStream, bool]] = {}  # by input stream: output stream, copied
        try:
            for stream in self._container.streams.audio:
                self._add(stream)
        except BaseException:
            self.close()
            raise
        self._packets = self._cut_packets()
        self._waiting: av.Packet | None = None

    def _add(self, stream: av.AudioStream) -> None:
        if stream.codec_context is None:
            self._note("one audio stream is of an unknown kind and is left out.")
            return
        codec = stream.codec_context.codec.canonical_name
        if self._format.audio_copy is None or codec in self._format.audio_copy:
            try:
                self._targets[stream.index] = (self._output.add_stream_from_template(stream), True)
                return
            except ValueError:  # the container refuses it
                pass
        otherwise = self._format.audio_otherwise
        if otherwise is None:
            self._note(f"the audio is {codec}, which {self._format.container} cannot hold, and is left out.")
            return
        self._note(f"the audio is {codec}, which {self._format.container} cannot hold, and is re-encoded as {otherwise}.")
        target = self._output.add_stream(otherwise, rate=_taken_rate(otherwise, stream.codec_context.sample_rate))
        target.codec_context.layout = _named_layout(stream.codec_context.layout)
        self._targets[stream.index] = (target, False)

    def _cut_packets(self) -> Iterator[av.Packet]:
        """Packets between the points, in file order."""
        streams = [self._container.streams[index] for index in self._targets]
        start, end = self._source.in_point, self._source.out_point
        if not streams:
            return
        if start > 1:
            self._container.seek(int((start - 1) * av.time_base))
        earliest = start - _PREROLL if self._format.edit_lists else start
        done: set[int] = set()
        for packet in self._container.demux(streams):
            if packet.pts is None or not packet.size:
                continue
            time = packet.pts * packet.time_base
            if end is not None and time >= end:
                done.add(packet.stream_index)
                if len(done) == len(streams):
                    return
                continue
            kept = time + (packet.duration or 0) * packet.time_base > earliest
            if kept and (time >= start or self._format.edit_lists):
                yield packet

    def feed(self, until: Fraction) -> None:
        """Write everything that starts before `until`, seconds from time 0."""
        while True:
            packet = self._waiting or self._next()
            self._waiting = packet
            if packet is None or packet.pts * packet.time_base - self._source.in_point >= until:
                return
            self._waiting = None
            self._write(packet)

    def _next(self) -> av.Packet | None:
        try:
            return next(self._packets, None)
        except (av.FFmpegError, OSError):
            self._note("the audio is damaged and ends early.")
            self._packets = iter(())
            return None

    def _write(self, packet: av.Packet) -> None:
        target, copied = self._targets[packet.stream_index]
        shift = round(self._source.in_point / packet.time_base)
        if copied:
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = target
            self._output.mux(packet)
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(self._source.in_point / frame.time_base)
            self._output.mux(target.encode(frame))

    def finish(self) -> None:
        """Write what is left and drain the encoders."""
        while (packet := self._waiting or self._next()) is not None:
            self._waiting = None
            self._write(packet)
        for index, (target, copied) in self._targets.items():
            if not copied:
                for frame in self._container.streams[index].decode(None):
                    frame.pts -= round(self._source.in_point / frame.time_base)
                    self._output.mux(target.encode(frame))
                self._output.mux(target.encode(None))

    def close(self) -> None:
        self._container.close()


def _taken_rate(codec: str, rate: int) -> int:
    """The rate itself where the encoder takes it (Opus takes five only), else the next above, else its highest."""
    taken = sorted(av.Codec(codec, "w").audio_rates or [rate])
    return next((possible for possible in taken if possible >= rate), taken[-1])


def _named_layout(layout: av.AudioLayout) -> av.AudioLayout:
    """Encoders want to know which channel is which; files that only count them mean the usual order."""
    usual = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    if layout.name.endswith("channels"):
        return av.AudioLayout(usual.get(layout.nb_channels, "stereo"))
    return layout
