"""Chroma to luma's resolution and back, without loss.

Up: linear interpolation, horizontally co-sited with the left luma sample, vertically centred between two
rows (the siting of MPEG-2 and H.264). Down: the filters that invert exactly that interpolation, the dual
low-passes of the biorthogonal spline pairs (Cohen, Daubechies, Feauveau 1992): 5/3 for co-sited, 3/1 for
centred samples. So what goes up and comes down unchanged has the same values, although it was interpolated.
"""

from __future__ import annotations

import numpy as np


def upsample(c: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many samples along `axis`, linearly; two samples at either end serve as neighbours and go."""
    c = np.moveaxis(c, axis, 0)
    here, before, after = c[2:-2], c[1:-3], c[3:-1]
    out = np.empty((2 * len(here), *c.shape[1:]), np.float32)
    if axis == 1:  # co-sited with the left luma sample
        out[0::2], out[1::2] = here, 0.5 * (here + after)
    else:  # centred between two luma rows
        out[0::2], out[1::2] = 0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after
    return np.moveaxis(out, 0, axis)


def downsample(x: np.ndarray, axis: int) -> np.ndarray:
    """The exact inverse of `upsample`: half as many samples; the first and last two serve as neighbours and go."""
    x = np.moveaxis(x, axis, 0)
    n = len(x) - 4

    def at(offset: int) -> np.ndarray:
        return x[2 + offset : 2 + offset + n : 2]

    if axis == 1:
        out = 0.75 * at(0) + 0.25 * (at(-1) + at(1)) - 0.125 * (at(-2) + at(2))
    else:
        out = 0.75 * (at(0) + at(1)) - 0.25 * (at(-1) + at(2))
    return np.moveaxis(out, 0, axis)
