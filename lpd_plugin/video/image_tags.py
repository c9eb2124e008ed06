"""Text in image files: what a clip's metadata becomes where every frame is a file of its own.

PNG has iTXt chunks (ISO/IEC 15948), TIFF an ImageDescription (Adobe TIFF 6.0), here a JSON object, and OpenEXR
attributes (openexr.com, "OpenEXR file layout"). FFmpeg's encoders write none of them, so they are put into finished files.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction

from .timecode import Timecode

_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXR_START = b"\x76\x2f\x31\x01"
_PNG_NAMES = {"comment": "Comment", "description": "Description", "title": "Title", "artist": "Author"}
_DESCRIPTION, _ASCII = 270, 2  # TIFF: tag and type


def with_tags(data: bytes, tags: Mapping[str, str], more: Mapping[str, tuple[str, bytes]] | None = None) -> bytes:
    """A PNG, little-endian TIFF or OpenEXR file with these texts in it. more: OpenEXR attributes, by name type and value."""
    if data.startswith(_PNG_START):
        return _png_with(data, tags)
    if data.startswith(_EXR_START):
        texts = {name: ("string", text.encode()) for name, text in tags.items()}
        return _exr_with(data, {**texts, **(more or {})})
    return _tiff_with(data, json.dumps(dict(tags)))


def tags_in(data: bytes) -> dict[str, str]:
    """The texts of a PNG, TIFF or OpenEXR file, names in small letters; {} for other files and damaged ones."""
    try:
        if data.startswith(_PNG_START):
            return dict(_png_texts(data))
        if data.startswith(_EXR_START):
            texts = ((name.lower(), _exr_text(kind, value)) for name, kind, value in _exr_attributes(data)[0])
            return {name: text for name, text in texts if text is not None}
        if data.startswith(b"II*\0"):
            return _tiff_texts(data)
    except (struct.error, ValueError, IndexError, zlib.error):
        pass
    return {}


def _png_with(data: bytes, tags: Mapping[str, str]) -> bytes:
    chunks = []
    for name, text in tags.items():
        keyword = _PNG_NAMES.get(name, name).encode("latin-1", "replace")[:79]
        body = b"iTXt" + keyword + b"\0\0\0\0\0" + text.encode()
        chunks.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    header = len(_PNG_START) + 25  # IHDR has to be first
    return data[:header] + b"".join(chunks) + data[header:]


def _png_texts(data: bytes) -> Iterator[tuple[str, str]]:
    position = len(_PNG_START)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if kind == b"iTXt":
            keyword, rest = body.split(b"\0", 1)
            packed, rest = rest[0], rest[2:].split(b"\0", 2)[2]
            yield keyword.decode("latin-1").lower(), (zlib.decompress(rest) if packed else rest).decode()
        elif kind == b"tEXt":
            keyword, rest = body.split(b"\0", 1)
            yield keyword.decode("latin-1").lower(), rest.decode("latin-1")
        elif kind == b"IDAT":
            return
        position += length + 12


def _tiff_with(data: bytes, text: str) -> bytes:
    """A directory with one entry more goes to the file's end; the old one stays, unused."""
    entries = [entry for entry in _tiff_entries(data) if entry[0] != _DESCRIPTION]
    value = text.encode("ascii") + b"\0"
    position = len(data) + len(data) % 2
    start = position + len(value) + len(value) % 2
    entries.append((_DESCRIPTION, _ASCII, len(value), position))
    entries.sort()
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    body = data.ljust(position, b"\0")
    return body[:4] + struct.pack("<I", start) + body[8:] + value.ljust(start - position, b"\0") + directory


def _tiff_entries(data: bytes) -> list[tuple[int, int, int, int]]:
    """Tag, type, count and value or its offset of every entry of the first directory."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    return [struct.unpack_from("<HHII", data, start + 2 + 12 * index) for index in range(count)]


def _tiff_texts(data: bytes) -> dict[str, str]:
    for tag, kind, count, offset in _tiff_entries(data):
        if tag == _DESCRIPTION and kind == _ASCII:
            found = json.loads(data[offset : offset + count].rstrip(b"\0"))
            return {str(name).lower(): str(text) for name, text in found.items()} if isinstance(found, dict) else {}
    return {}


def _exr_attributes(data: bytes) -> tuple[list[tuple[str, str, bytes]], int]:
    """Name, type and value of every attribute, and where the header ends (at its closing zero)."""
    found, position = [], 8
    while data[position] != 0:
        name_end = data.index(b"\0", position)
        kind_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, kind_end + 1)
        value = data[kind_end + 5 : kind_end + 5 + size]
        found.append((data[position:name_end].decode(), data[name_end + 1 : kind_end].decode(), value))
        position = kind_end + 5 + size
    return found, position


def _exr_text(kind: str, value: bytes) -> str | None:
    if kind == "string":
        return value.decode("utf-8", "replace")
    if kind == "rational" and len(value) == 8:
        return "{}/{}".format(*struct.unpack("<iI", value))
    return None


def _exr_with(data: bytes, attributes: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Attributes go to the header's end; the table of where the picture's parts lie moves and is corrected."""
    present, end = _exr_attributes(data)
    taken = {name for name, _, _ in present}
    added = b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, (kind, value) in ((n[:31], a) for n, a in attributes.items())
        if name not in taken
    )
    table = end + 1
    (first,) = struct.unpack_from("<Q", data, table)
    offsets = struct.unpack_from(f"<{(first - table) // 8}Q", data, table)
    moved = struct.pack(f"<{len(offsets)}Q", *(offset + len(added) for offset in offsets))
    return data[:end] + added + b"\0" + moved + data[table + len(moved) :]


def exr_timecode(timecode: Timecode) -> bytes:
    """The value of OpenEXR's attribute `timeCode`: decimal digits as SMPTE ST 12-1 packs them, bit 6 for dropped frames.

    Above 30 frames a second the standard counts pairs; bit 15 marks the second of one.
    """
    hours, minutes, seconds, frames = timecode.fields()
    second = 0
    if timecode.nominal > 30:
        frames, second = divmod(frames, 2)
    packed = _digits(frames) | timecode.drop << 6 | _digits(seconds) << 8 | second << 15
    return struct.pack("<II", packed | _digits(minutes) << 16 | _digits(hours) << 24, 0)


def _digits(number: int) -> int:
    return number // 10 << 4 | number % 10


# CIE 1931 x and y of red, green, blue and white by H.273's code points of primaries.
_CHROMATICITIES = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, 0.3127, 0.3290),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}


def exr_attributes(primaries: int, timecode: Timecode | None) -> dict[str, tuple[str, bytes]]:
    """What OpenEXR has an attribute of its own for: the primaries and the timecode."""
    points = _CHROMATICITIES.get(primaries, _CHROMATICITIES[1])
    found = {"chromaticities": ("chromaticities", struct.pack("<8f", *points))}
    if timecode is not None:
        found["timeCode"] = ("timecode", exr_timecode(timecode))
    return found


def rate_in(tags: Mapping[str, str]) -> Fraction | None:
    """Frames a second as an image of a sequence says them; None where it does not."""
    try:
        rate = Fraction(tags.get("framespersecond", ""))
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None
