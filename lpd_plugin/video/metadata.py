"""What a file says about itself beside its pictures: tags, timecode, mastering of HDR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

from .timecode import Timecode

# Tags that describe one file's making and would be wrong or doubled in another.
_OWN_TO_A_FILE = frozenset(
    "lpd_alpha lpd_colour framespersecond encoder encoded_by major_brand minor_version compatible_brands timecode "
    "duration handler_name vendor_id language alpha_mode software writer sample_aspect_ratio number_of_frames "
    "number_of_bytes bps".split()
)
# Where a file says that its colours were multiplied by alpha already: containers have no place for it.
ALPHA_TAG, PREMULTIPLIED = "lpd_alpha", "premultiplied"


@dataclass(frozen=True)
class MasteringDisplay:
    """SMPTE ST 2086: CIE 1931 x and y of red, green, blue and white; luminance in cd/m^2."""

    primaries: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    luminance: tuple[float, float]  # lowest, highest


@dataclass(frozen=True)
class Metadata:
    """tags: name and value of each, as the container has them. timecode: of the first frame. mastering: the display an
    HDR master was made on. light: brightest pixel and brightest frame average, cd/m^2 (MaxCLL, MaxFALL)."""

    tags: tuple[tuple[str, str], ...] = ()
    timecode: Timecode | None = None
    mastering: MasteringDisplay | None = None
    light: tuple[int, int] | None = None

    def later(self, frames: int) -> Metadata:
        """As it is for a part that starts that many frames on."""
        return replace(self, timecode=self.timecode and self.timecode.later(frames))


def read_metadata(container: av.container.InputContainer, stream: av.VideoStream, first: av.VideoFrame) -> Metadata:
    """From an open file, the stream that is used and its first picture."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    found: dict[str, str] = {}
    for tags in (container.metadata, stream.metadata):
        found |= {key.lower(): value for key, value in tags.items()}
    timecode = Timecode.parse(found.get("timecode", ""), rate)
    own = carried({**stream.metadata, **container.metadata})
    return Metadata(tuple(own.items()), timecode, _mastering(first), _light(first))


def carried(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that go on into another file: not those that belong to one only, nor Matroska's statistics (_...).

    FFmpeg gives names it knows in small letters, others in Matroska in capitals: both mean the same.
    """
    kept = {key.lower() if key.isupper() else key: value for key, value in tags.items()}
    return {k: v for k, v in kept.items() if k.lower() not in _OWN_TO_A_FILE and not k.startswith("_")}


def _mastering(picture: av.VideoFrame) -> MasteringDisplay | None:
    data = picture.side_data.get("MASTERING_DISPLAY_METADATA")
    if data is None:
        return None
    # libavutil/mastering_display_metadata.h: ten fractions (r, g, b, white, lowest, highest), two flags.
    numbers = np.frombuffer(data, np.int32)[:22]
    if not (numbers[20] and numbers[21]):
        return None
    values = [float(Fraction(int(n), int(d) or 1)) for n, d in numbers[:20].reshape(10, 2)]
    points = [(values[i], values[i + 1]) for i in range(0, 8, 2)]
    return MasteringDisplay(tuple(points[:3]), points[3], (values[8], values[9]))


def _light(picture: av.VideoFrame) -> tuple[int, int] | None:
    data = picture.side_data.get("CONTENT_LIGHT_LEVEL")
    if data is None:
        return None
    highest, average = np.frombuffer(data, np.uint32)[:2]
    return int(highest), int(average)


def hdr_options(codec: str, metadata: Metadata) -> dict[str, str]:
    """Encoder options that write mastering display and content light into the stream; empty where none can.

    FFmpeg 8 takes both from a side of the encoder that PyAV does not reach, so the encoders' own parameters say it.
    """
    if codec not in _HDR_PARAMETERS:
        return {}
    option, display_key, light_key, chromaticity, nits = _HDR_PARAMETERS[codec]
    parts = []
    if (display := metadata.mastering) is not None:
        red, green, blue = display.primaries
        named = zip(("G", "B", "R", "WP"), (green, blue, red, display.white))
        points = "".join(f"{name}({_number(x, chromaticity)},{_number(y, chromaticity)})" for name, (x, y) in named)
        lowest, highest = display.luminance
        parts.append(f"{display_key}={points}L({_number(highest, nits)},{_number(lowest, nits)})")
    if metadata.light is not None:
        parts.append(f"{light_key}={metadata.light[0]},{metadata.light[1]}")
    return {option: ":".join(parts)} if parts else {}


# Encoder: option, its names of the two, and the units of chromaticities and luminances (None: plain decimals).
_HDR_PARAMETERS = {
    "libx265": ("x265-params", "master-display", "max-cll", 50_000, 10_000),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", None, None),
}


def _number(value: float, unit: int | None) -> str:
    return f"{value:.5f}" if unit is None else str(round(value * unit))
