"""Crop squares that do not tremble."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...errors import BadInput
from ...video.track import Origin, Track
from ...video.tracking.smoothing import smoothed

FARTHEST = 0.04  # of the side: how far a square may leave the head that it followed
CUT = 0.4  # of the side: a square that goes farther from one frame to the next has gone to another shot


def steadied(track: Track, seconds: float) -> Track:
    """The track with squares smoothed over time, by a Gaussian of `seconds` that looks as far ahead as back: no lag.

    Every unbroken stretch with a head is smoothed for itself; a cut ends a stretch too. Where a head moves faster than the
    smoothing follows, the square stays within 4 % of its side of where it was. Squares set by hand stay. seconds 0: the very
    track. Raises `BadInput` for a negative time.
    """
    if seconds < 0:
        raise BadInput(f"The track cannot be smoothed over {seconds} seconds; give 0 or more.")
    if seconds == 0:
        return track
    centre, side = track.centre.copy(), track.side.copy()
    for begin, end in _stretches(track):
        part = slice(begin, end)
        times, by_hand = track.times[part], track.origin[part] == Origin.MANUAL
        own, own_side = track.centre[part].astype(np.float64), track.side[part, None].astype(np.float64)
        limit = FARTHEST * own_side
        smooth = smoothed(times, own, seconds)
        away = own - smooth
        # What is beyond the limit comes back smoothed, over a shorter time, so that the square does not jerk there.
        smooth += smoothed(times, away - np.clip(away, -limit, limit), seconds / 3)
        smooth = _through(times, np.clip(smooth, own - limit, own + limit), own, by_hand, seconds)
        smooth_side = _through(times, np.exp(smoothed(times, np.log(own_side), seconds)), own_side, by_hand, seconds)
        centre[part], side[part] = smooth, smooth_side[:, 0]
    by_hand = track.origin == Origin.MANUAL
    centre[by_hand], side[by_hand] = track.centre[by_hand], track.side[by_hand]
    return replace(track, centre=centre, side=side)


def _through(times: np.ndarray, smooth: np.ndarray, own: np.ndarray, fixed: np.ndarray, seconds: float) -> np.ndarray:
    """`smooth` (N, D) led through the `fixed` (N,) ones of `own`, with the frames near those."""
    if not fixed.any():
        return smooth
    given = times[fixed]
    off = np.stack([np.interp(times, given, column) for column in (own - smooth)[fixed].T], 1)
    nearest = given[np.searchsorted((given[1:] + given[:-1]) / 2, times)]
    return smooth + off * np.exp(-0.5 * ((times - nearest) / seconds) ** 2)[:, None]


def _stretches(track: Track) -> Iterator[tuple[int, int]]:
    """First frame and the one after the last of every stretch with a head and without a cut."""
    present = track.present
    step = np.abs(np.diff(track.centre, axis=0)).max(1, initial=0)
    cut = step > CUT * np.minimum(track.side[1:], track.side[:-1])
    joined = present[1:] & present[:-1] & ~cut
    begins = np.flatnonzero(present & ~np.concatenate(([False], joined)))
    ends = np.flatnonzero(present & ~np.concatenate((joined, [False]))) + 1
    yield from zip(begins.tolist(), ends.tolist())
