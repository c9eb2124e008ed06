"""The colour components of a planar picture: where they lie and what their codes mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np

from ...errors import BadInput
from ..clip import ColourTags
from ..colour import FULL, sample_range, yuv_matrix
from ..planes import tags_of

# Kr, Kb by code point (ITU-T H.273, table 4).
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
    10: (0.2627, 0.0593),
}


@dataclass(frozen=True)
class Component:
    """One colour component: its plane, its subsampling, and value = (code - zero) / scale.

    A luma or RGB value lies in 0..1, a chroma value in -0.5..0.5. lowest and highest: the legal codes.
    """

    plane: int
    shift_x: int
    shift_y: int
    zero: float
    scale: float
    lowest: int
    highest: int

    @property
    def subsampled(self) -> bool:
        return bool(self.shift_x or self.shift_y)


@dataclass(frozen=True)
class Components:
    """In the order R G B, or Y Cb Cr, or Y alone, with the matrices from and to RGB (float32)."""

    parts: tuple[Component, ...]
    from_rgb: np.ndarray  # (parts, 3)
    to_rgb: np.ndarray  # (3, parts)
    is_rgb: bool


def components_of(picture: av.VideoFrame) -> Components:
    """How to read this picture, by its own tags; untagged as `video.colour` reads it.

    Raises BadInput for pixel formats other than planar integers of 8 to 16 bits.
    """
    return _components(picture.format.name, picture.width, picture.height, tags_of(picture))


@lru_cache(maxsize=64)
def _components(name: str, width: int, height: int, tags: ColourTags) -> Components:
    fmt = av.VideoFormat(name, width, height)
    one_each = len({c.plane for c in fmt.components}) == len(fmt.components)
    if not one_each or fmt.is_big_endian or not all(8 <= c.bits <= 16 for c in fmt.components):
        raise BadInput(
            f"pictures in the pixel format {name} cannot be composited; "
            "convert the clip to planar YUV, RGB or grey with 8 to 16 bits."
        )
    full = fmt.is_rgb or sample_range(tags, name) == FULL
    # PyAV's own `is_chroma` holds for subsampled chroma only.
    own = [c for c in fmt.components if not c.is_alpha]
    parts = tuple(_component(c, width, height, full, not fmt.is_rgb and number > 0) for number, c in enumerate(own))
    if fmt.is_rgb:
        return Components(parts, np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), True)
    forward, backward = yuv_matrices(*LUMA_WEIGHTS[yuv_matrix(tags, height)])
    if len(parts) == 1:
        return Components(parts, forward[:1], np.ones((3, 1), np.float32), False)
    return Components(parts, forward, backward, False)


def _component(c: av.video.format.VideoFormatComponent, width: int, height: int, full: bool, is_chroma: bool) -> Component:
    unit, top = 1 << (c.bits - 8), (1 << c.bits) - 1
    if full:
        zero, scale, low, high = ((top + 1) / 2 if is_chroma else 0.0), float(top), 0, top
    elif is_chroma:
        zero, scale, low, high = 128.0 * unit, 224.0 * unit, 16 * unit, 240 * unit
    else:
        zero, scale, low, high = 16.0 * unit, 219.0 * unit, 16 * unit, 235 * unit
    return Component(c.plane, _shift(width, c.width), _shift(height, c.height), zero, scale, low, high)


def _shift(whole: int, part: int) -> int:
    shift = 0
    while -(-whole >> shift) > part:
        shift += 1
    return shift


def yuv_matrices(kr: float, kb: float) -> tuple[np.ndarray, np.ndarray]:
    """RGB to Y Cb Cr and back, 3 x 3 float32 (ITU-T H.273, equations of `matrix_coefficients`)."""
    kg = 1 - kr - kb
    forward = np.array([
        [kr, kg, kb],
        [-kr / (2 - 2 * kb), -kg / (2 - 2 * kb), 0.5],
        [0.5, -kg / (2 - 2 * kr), -kb / (2 - 2 * kr)],
    ])  # fmt: skip
    return forward.astype(np.float32), np.linalg.inv(forward).astype(np.float32)
