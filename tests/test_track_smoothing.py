"""The crop glides: no jitter, no lag, and the face never leaves its middle."""

from __future__ import annotations

import numpy as np
import pytest

from lpd_plugin.video.tracking.smoothing import REACH, gliding, smoothed

RATE = 25


def boxes_at(centre, width, height):
    centre = np.asarray(centre, float)
    half = np.column_stack([np.broadcast_to(width, len(centre)), np.broadcast_to(height, len(centre))]) / 2
    return np.hstack([centre - half, centre + half])


def test_a_steady_motion_is_kept_up_to_both_ends():
    times = np.arange(100) / RATE
    path = np.column_stack([30 + 12 * times, 50 - 5 * times])
    assert np.abs(smoothed(times, path, 0.7) - path).max() < 0.2


def test_a_slow_sway_is_not_delayed():
    times = np.arange(400) / RATE
    sway = np.sin(2 * np.pi * times / 8)[:, None]
    smooth = smoothed(times, sway, 0.7)[50:-50, 0]
    lags = range(-10, 11)
    fit = [np.corrcoef(np.roll(smooth, -lag), sway[50:-50, 0])[0, 1] for lag in lags]
    assert lags[int(np.argmax(fit))] == 0


def test_jitter_is_taken_out_and_the_side_stays_fixed():
    random = np.random.default_rng(1)
    times = np.arange(150) / RATE
    centre = np.array([200.0, 150.0]) + random.normal(0, 2, (150, 2))
    smooth, side = gliding(times, boxes_at(centre, 80, 100 + random.normal(0, 2, 150)))
    assert np.abs(np.diff(smooth, axis=0)).max() < 0.25
    assert np.ptp(side) == 0
    assert side[0] == pytest.approx(1.8 * 100, rel=0.02)


def test_a_head_that_comes_closer_grows_the_square_smoothly():
    times = np.arange(150) / RATE
    height = np.where(times < 3, 100, 160) + 0.0
    _, side = gliding(times, boxes_at(np.full((150, 2), 300.0), 80, height))
    assert side[:30].max() < 1.8 * 106 and side[-30:].min() > 1.8 * 152
    assert np.abs(np.diff(np.log(side))).max() < 0.03


def test_a_single_wrong_box_leaves_no_trace_in_the_side():
    times = np.arange(100) / RATE
    height = np.full(100, 100.0)
    height[40] = 300
    _, side = gliding(times, boxes_at(np.full((100, 2), 300.0), 80, height))
    assert np.ptp(side) == 0 and side[0] == pytest.approx(180)


def test_a_head_that_darts_aside_stays_near_the_middle_of_its_square():
    times = np.arange(100) / RATE
    centre = np.column_stack([np.where(times < 2, 200.0, 320.0), np.full(100, 150.0)])
    smooth, side = gliding(times, boxes_at(centre, 80, 100))
    away = np.abs(centre - smooth).max(axis=1) / side
    assert away.max() < 2 * REACH + 0.1  # the face's half width is 0.28, the square's 0.5
    assert (away > 1.3 * REACH).sum() <= 12
    assert np.abs(np.diff(smooth[:, 0])).max() < 0.12 * side[0], "the square may hurry but not jump"


def test_uneven_timestamps_are_smoothed_by_seconds_not_by_frames():
    even = np.arange(0, 4, 0.04)
    uneven = np.sort(np.concatenate([even, np.arange(1.0, 2.0, 0.01) + 0.003]))

    def bend(times):
        return np.abs(times - 2)[:, None]

    at_corner = smoothed(even, bend(even), 0.4)[np.searchsorted(even, 2.0)]
    also = np.interp(2.0, uneven, smoothed(uneven, bend(uneven), 0.4)[:, 0])
    assert abs(at_corner[0] - also) < 0.12
