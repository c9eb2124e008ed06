"""Chroma to luma's resolution and back, without loss.

Up: linear interpolation, horizontally co-sited with the left luma sample, vertically centred between two
rows (the siting of MPEG-2 and H.264). Down: the filters that invert exactly that interpolation, the dual
low-passes of the biorthogonal spline pairs (Cohen, Daubechies, Feauveau 1992): 5/3 for co-sited, 3/1 for
centred samples. So what goes up and comes down unchanged has the same values, although it was interpolated.
"""

from __future__ import annotations

import numpy as np

HALF, QUARTER = np.float32(0.5), np.float32(0.25)


def upsample(c: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many samples along `axis` of (h, w) float32, linearly; two samples at either end serve as neighbours and go."""
    if axis == 1:  # co-sited with the left luma sample
        here, after = c[:, 2:-2], c[:, 3:-1]
        out = np.empty((len(c), 2 * here.shape[1]), np.float32)
        out[:, 0::2] = here
        between = here + after
        between *= HALF
        out[:, 1::2] = between
    else:  # centred between two luma rows
        out = np.empty((2 * len(c) - 8, c.shape[1]), np.float32)
        far = c * QUARTER
        np.subtract(c[2:-2], far[2:-2], out=out[0::2])
        out[1::2] = out[0::2]
        out[0::2] += far[1:-3]
        out[1::2] += far[3:-1]
    return out


def downsample(x: np.ndarray, axis: int) -> np.ndarray:
    """The exact inverse of `upsample`: half as many samples; the first and last two serve as neighbours and go."""
    n = x.shape[axis] - 4

    def at(offset: int) -> np.ndarray:
        part = slice(2 + offset, 2 + offset + n, 2)
        return x[part] if axis == 0 else x[:, part]

    if axis == 1:
        out, far = at(-1) + at(1), at(-2) + at(2)
        out *= QUARTER
        far *= HALF * QUARTER
        out += (HALF + QUARTER) * at(0)
    else:
        out, far = at(0) + at(1), at(-1) + at(2)
        out *= HALF + QUARTER
        far *= QUARTER
    out -= far
    return out
