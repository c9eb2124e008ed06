"""Clips to image sequences: one file a frame, the folder complete or not there at all."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import av

from .clip import Clip, ClipInfo, ColourTags, Frame
from .colour import FULL, RGB_MATRIX, converted, is_grey
from .encoding import lent, losses
from .formats import Format
from .image_tags import exr_attributes, with_tags
from .linear import float_picture, linear_rgba
from .metadata import ALPHA_TAG, PREMULTIPLIED
from .pixel_choice import has_alpha

FROM_TIMECODE = "timecode"


class ImageEncoder:
    """Pictures to the bytes of image files of one format, with texts in them. Frames go in and come out in order."""

    def __init__(self, info: ClipInfo, fmt: Format, tags: Mapping[str, str]):
        self._info, self._format = info, fmt
        self._pixel_format = fmt.pixel_format_for(info.pixel_format, info.width, info.height)
        self.notes = losses(fmt, info.pixel_format, self._pixel_format)
        self._tags = dict(tags) | {"framesPerSecond": str(info.rate), "lpd_colour": self._coded_by()}
        if info.premultiplied and not fmt.linear and has_alpha(self._pixel_format):
            self._tags[ALPHA_TAG] = PREMULTIPLIED
            self.notes.append(
                f"the colours are premultiplied, but programs expect straight ones in {fmt.name}: tell the one that "
                "opens them."
            )
        self._colour = self._target_colour()
        self._encoder = self._opened()
        self._inside: deque[int] = deque()

    def _coded_by(self) -> str:
        """Primaries and transfer in the numbers of H.273, which PNG and TIFF readers may not know otherwise."""
        return f"{self._info.colour.primaries} {self._info.colour.transfer}"

    def _target_colour(self) -> ColourTags:
        """Full-range RGB or grey of the clip's own primaries and transfer."""
        matrix = self._info.colour.matrix if is_grey(self._pixel_format) else RGB_MATRIX
        return replace(self._info.colour, range=FULL, matrix=matrix)

    def _opened(self) -> av.CodecContext:
        encoder = av.CodecContext.create(self._format.codec, "w")
        encoder.width, encoder.height = self._info.width, self._info.height
        encoder.pix_fmt, encoder.options = self._pixel_format, dict(self._format.options)
        rate = self._info.rate.limit_denominator(60_000)
        encoder.time_base, encoder.framerate = 1 / rate, rate
        encoder.sample_aspect_ratio = self._info.sample_aspect_ratio
        encoder.color_range, encoder.colorspace = FULL, self._colour.matrix
        encoder.color_primaries, encoder.color_trc = self._colour.primaries, self._colour.transfer
        encoder.thread_type = "AUTO"
        return encoder

    def add(self, frame: Frame) -> Iterator[bytes]:
        """Files that are ready by now: encoders work at several frames at once."""
        self._inside.append(frame.index)
        with lent(self._prepared(frame.picture), frame.index, self._encoder.time_base) as picture:
            packets = self._encoder.encode(picture)
        yield from map(self._file, packets)

    def finish(self) -> Iterator[bytes]:
        """The rest."""
        yield from map(self._file, self._encoder.encode(None))

    def _prepared(self, picture: av.VideoFrame) -> av.VideoFrame:
        if self._format.linear:
            return float_picture(linear_rgba(picture, self._info.premultiplied), self._info.colour)
        return converted(picture, self._pixel_format, self._colour)

    def _file(self, packet: av.Packet) -> bytes:
        index, tags = self._inside.popleft(), dict(self._tags)
        timecode = self._info.metadata.timecode
        if timecode is not None:
            timecode = timecode.later(index)
            tags["timecode"] = str(timecode)
        more = exr_attributes(self._info.colour.primaries, timecode) if self._format.codec == "exr" else None
        return with_tags(bytes(packet), tags, more)


def first_file_number(info: ClipInfo, wanted: int | str) -> int:
    """The number of the first file: as wanted, or, for "timecode", the frame's number since 00:00:00:00 (else 1)."""
    if wanted != FROM_TIMECODE:
        return int(wanted)
    timecode = info.metadata.timecode
    return 1 if timecode is None else timecode.frame


def sequence_notes(clip: Clip, wanted: int | str) -> list[str]:
    """What a sequence of files cannot say of this clip."""
    info, notes = clip.info, []
    if wanted == FROM_TIMECODE and info.metadata.timecode is None:
        notes.append(f"{clip.describe()} has no timecode: its images are numbered from 1.")
    if info.variable_rate:
        notes.append(
            f"{clip.describe()} has a variable rate, which an image sequence cannot keep: its images are numbered one "
            f"after the other, {float(info.rate):.5g} a second on average."
        )
    if clip.audio is not None:
        notes.append("an image sequence has no sound: write another format too if it is needed.")
    return notes


def write_files(encoder: ImageEncoder, frames: Iterator[Frame], names: Iterator[Path]) -> tuple[int, Frame | None, int]:
    """Every frame to the next name. Returns how many, the last frame, and the bytes written."""
    count, size, last = 0, 0, None

    def put(files: Iterator[bytes]) -> None:
        nonlocal count, size
        for data in files:
            path = next(names)
            with open(path, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            count, size = count + 1, size + len(data)

    for last in frames:
        put(encoder.add(last))
    put(encoder.finish())
    return count, last, size
