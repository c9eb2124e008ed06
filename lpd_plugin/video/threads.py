"""How many threads an encoder or decoder may take: each holds pictures of its own, and where pictures are large and cores many
these fill gigabytes."""

from __future__ import annotations

import os

import av

ENCODING_BYTES, DECODING_BYTES = 320 << 20, 160 << 20
# Pictures' worth of memory that a thread takes: of x264, measured at 4K, and of FFmpeg's decoders.
HELD_ENCODING, HELD_DECODING = 5.3, 1.5
FEWEST = 2


def picture_bytes(pixel_format: str, width: int, height: int) -> int:
    """Of all planes, without what lies between their lines."""
    components = av.VideoFormat(pixel_format, width, height).components
    return sum(one.width * one.height * -(-one.bits // 8) for one in components)


def encoding_threads(pixel_format: str, width: int, height: int) -> int:
    """Threads for x264: 0, its own choice, unless that takes more than ENCODING_BYTES."""
    return _limited(cores() * 3 // 2, ENCODING_BYTES / (HELD_ENCODING * picture_bytes(pixel_format, width, height)))


def decoding_threads(pixel_format: str, width: int, height: int) -> int:
    """Threads for a decoder: 0, FFmpeg's own choice, unless that takes more than DECODING_BYTES."""
    return _limited(cores() + 1, DECODING_BYTES / (HELD_DECODING * picture_bytes(pixel_format, width, height)))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limited(usual: int, affordable: float) -> int:
    return 0 if usual <= affordable else max(FEWEST, int(affordable))
