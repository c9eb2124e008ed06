"""From measured face boxes to a crop square that glides: centre and side without lag."""

from __future__ import annotations

import numpy as np

from ..crop import CROP_SCALE

CENTRE_SIGMA = 0.7  # seconds; as the training crops were made, so that the head's own motion stays visible
SIDE_SIGMA = 0.7  # seconds
STEADY = 1.15  # a side that changes by less than this stays fixed
REACH = 0.12  # of the side: how far the face may be off the square's centre before the square follows
FOLLOW_SIGMA = 0.2  # seconds
RIDGE = 0.01  # of sigma squared: calms the slope where a stretch is too short to know one


def gliding(times: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Crop centres (N, 2) and sides (N,) for face boxes (N, 4) l, t, r, b of one unbroken stretch.

    The centre is a zero-phase average; where a head moves faster than that, the square follows so
    that the face stays within REACH of its middle. The side is the median, or smoothed where it changes.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    raw_side = CROP_SCALE * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    log_side = smoothed(times, _median(times, np.log(raw_side), 0.5)[:, None], SIDE_SIGMA)[:, 0]
    if log_side.max() - log_side.min() <= np.log(STEADY):
        log_side = np.full_like(log_side, np.median(log_side))
    side = np.exp(log_side)
    smooth = smoothed(times, centre, CENTRE_SIGMA)
    for _ in range(2):  # the correction is itself smoothed, so one round leaves a little
        away = centre - smooth
        limit = (REACH * side)[:, None]
        smooth = smooth + smoothed(times, away - np.clip(away, -limit, limit), FOLLOW_SIGMA)
    return smooth, side


def smoothed(times: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian-weighted straight-line fit around each time: (N, D) -> (N, D), sigma in seconds.

    In the middle of evenly spaced samples it equals a Gaussian average; at the ends, where an
    average would lag, the line keeps the direction. (Local linear regression: Fan and Gijbels, 1996.)
    """
    times = np.asarray(times, np.float64)
    values = np.asarray(values, np.float64)
    result = np.empty_like(values)
    first = np.searchsorted(times, times - 3 * sigma)
    last = np.searchsorted(times, times + 3 * sigma, side="right")
    for index, (begin, end) in enumerate(zip(first, last)):
        offset = times[begin:end] - times[index]
        weight = np.exp(-0.5 * (offset / sigma) ** 2)
        total, lean, spread = weight.sum(), (weight * offset).sum(), (weight * offset**2).sum()
        spread += RIDGE * sigma**2 * total
        fit = weight * (spread - lean * offset)
        result[index] = (fit[:, None] * values[begin:end]).sum(axis=0) / fit.sum()
    return result


def _median(times: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    """Running median over `width` seconds: single wrong boxes go without a trace."""
    first = np.searchsorted(times, times - width / 2)
    last = np.searchsorted(times, times + width / 2, side="right")
    return np.array([np.median(values[begin:end]) for begin, end in zip(first, last)])
