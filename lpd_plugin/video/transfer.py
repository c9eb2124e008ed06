"""Transfer functions of video: between coded values (nominally 0..1) and linear light.

Code points are those of ITU-T H.273. In linear light 1 is what SDR calls white; in PQ, 1 is 203 cd/m^2 and in HLG a
signal of 75 %, where ITU-R BT.2408 places diffuse white. So HDR and SDR pictures meet at the same brightness.
"""

from __future__ import annotations

import numpy as np

SRGB, PQ, HLG, LINEAR = 13, 16, 18, 8
PQ_WHITE = 203.0  # cd/m^2, BT.2408

# SMPTE ST 2084 / BT.2100
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
# BT.2100, HLG
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_GAMMAS = {4: 2.2, 5: 2.8}  # BT.470 M and B/G


def to_linear(values: np.ndarray, transfer: int) -> np.ndarray:
    """Linear light, float32, of coded values by the inverse of what the tag says; untagged video is BT.709.

    SDR and HLG: the inverse of the camera's curve (scene light); PQ: light on the display. Values below 0 mirror
    those above, and above 1 the curve goes on.
    """
    size, sign = np.abs(values, dtype=np.float32), np.sign(values)
    return (sign * _inverse(size, transfer)).astype(np.float32)


def from_linear(light: np.ndarray, transfer: int) -> np.ndarray:
    """Coded values, float32, of linear light: the reverse of `to_linear`."""
    size, sign = np.abs(light, dtype=np.float32), np.sign(light)
    return (sign * _forward(size, transfer)).astype(np.float32)


def _inverse(v: np.ndarray, transfer: int) -> np.ndarray:
    if transfer == LINEAR:
        return v
    if transfer == SRGB:  # IEC 61966-2-1
        return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    if transfer in _GAMMAS:
        return v ** _GAMMAS[transfer]
    if transfer == PQ:
        power = v ** (1 / _M2)
        return 10_000 / PQ_WHITE * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    if transfer == HLG:
        return _hlg_light(v) / _hlg_light(np.float32(0.75))
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))  # BT.709, 601 and 2020


def _forward(light: np.ndarray, transfer: int) -> np.ndarray:
    if transfer == LINEAR:
        return light
    if transfer == SRGB:
        return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    if transfer in _GAMMAS:
        return light ** (1 / _GAMMAS[transfer])
    if transfer == PQ:
        power = (light * (PQ_WHITE / 10_000)) ** _M1
        return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    if transfer == HLG:
        scene = light * _hlg_light(np.float32(0.75))
        high = _A * np.log(np.maximum(12 * scene - _B, 1e-6)) + _C
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    return np.where(light < 0.018, light * 4.5, 1.099 * light**0.45 - 0.099)


def _hlg_light(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.5, v * v / 3, (np.exp((v - _C) / _A) + _B) / 12)
