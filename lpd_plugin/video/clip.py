"""What a piece of footage is to the rest of the engine: a re-openable, lazily decoded handle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from .metadata import Metadata


@dataclass(frozen=True)
class ColourTags:
    """Colour description as the stream carries it (FFmpeg's integer codes; 2 = unspecified)."""

    range: int = 0  # 0 unspecified, 1 limited ("tv"), 2 full ("pc")
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True)
class AudioSource:
    """Audio to copy, packet by packet, from `path` between two points in seconds (None = open end)."""

    path: str
    in_point: Fraction = Fraction(0)
    out_point: Fraction | None = None


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip before decoding it. Sizes are as displayed (rotation applied)."""

    width: int
    height: int
    rate: Fraction  # average frames a second
    frame_count: int | None  # None where only decoding would tell
    duration: Fraction | None  # seconds
    time_base: Fraction  # unit of the source's timestamps, seconds
    pixel_format: str  # of the pictures that `frames()` yields; planar
    colour: ColourTags = ColourTags()
    sample_aspect_ratio: Fraction = Fraction(1)
    is_still: bool = False  # one picture without a time of its own; holds as long as asked
    variable_rate: bool = False
    premultiplied: bool = False  # of pictures with alpha: colours are multiplied by it already
    metadata: Metadata = Metadata()


@dataclass
class Frame:
    """One picture. `time` is seconds from the clip's in point, exact.

    `picture` is upright (rotation already applied) and planar: YUV or YUVA of any subsampling,
    GBR or GBRA, or grey, 8 to 16 bits. It may be shared: never write into it.
    """

    index: int
    time: Fraction
    picture: av.VideoFrame

    def rgb(self) -> np.ndarray:
        """The picture as uint8 RGB, shape (height, width, 3), by its own colour tags."""
        from .colour import picture_to_rgb  # colour.py needs this module's types

        return picture_to_rgb(self.picture)


class Clip(ABC):
    """Footage. Immutable, hashable by identity, cheap to keep; decoding starts with `frames()`."""

    info: ClipInfo
    audio: AudioSource | None = None
    notes: tuple[str, ...] = ()  # sentences the user should see: what is damaged, missing, approximated
    needs_alpha = False  # whether the pictures mean nothing without their alpha, as an element's

    @abstractmethod
    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Decode from frame `start` on, in presentation order; may be called any number of times.

        Holds a bounded number of frames. Closes the file when the iterator ends or is closed.
        """

    @abstractmethod
    def timestamps(self) -> list[Fraction]:
        """Seconds from the in point of every frame, ascending; read without decoding where possible."""

    @abstractmethod
    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "Clip":
        """The part with in_point <= time < out_point (seconds from this clip's own in point)."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hex digest that changes when the pictures would: the cache key of everything derived."""

    def describe(self) -> str:
        """A short name for messages: a file name, or what the clip was made from."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe()} {self.info.width}x{self.info.height}>"
