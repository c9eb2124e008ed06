"""Which of the pixel formats that a codec offers loses least of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import av

from .planes import bit_depth


def has_alpha(pixel_format: str) -> bool:
    return any(component.is_alpha for component in av.VideoFormat(pixel_format).components)


def is_subsampled(pixel_format: str) -> bool:
    return _chroma_share(pixel_format) != (1, 1)


def nearest_format(own: str, candidates: Sequence[str]) -> str:
    """The candidate that loses least of pictures of format `own`, and among those the one that wastes least.

    In this order: alpha, colour, bits, chroma resolution; then: nothing added, the same of RGB and YUV, and the
    candidates' own order.
    """
    return min(candidates, key=lambda candidate: _cost(own, candidate))


def _cost(own: str, candidate: str) -> tuple:
    before, after = av.VideoFormat(own), av.VideoFormat(candidate)
    bits = bit_depth(candidate) - bit_depth(own)
    alpha = has_alpha(candidate) - has_alpha(own)
    colour = _is_colour(candidate) - _is_colour(own)
    chroma = [b - a for a, b in zip(_chroma_share(own), _chroma_share(candidate))]
    return (
        alpha < 0, colour < 0, max(0, -bits), sum(max(0, -change) for change in chroma),
        colour > 0, alpha > 0, before.is_rgb != after.is_rgb, max(0, bits), sum(max(0, change) for change in chroma),
    )  # fmt: skip


def _is_colour(pixel_format: str) -> bool:
    return not pixel_format.startswith(("gray", "mono", "ya"))


def _chroma_share(pixel_format: str) -> tuple[float, float]:
    """Chroma samples for one of luma, across and down; 1 where there is no chroma."""
    chroma = [c for c in av.VideoFormat(pixel_format, 64, 64).components if c.is_chroma]
    return (chroma[0].width / 64, chroma[0].height / 64) if chroma else (1, 1)
