"""Pose descriptors in time: sampled, ended, smoothed, reversed."""

from __future__ import annotations

import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.pose import Pose


def performance(present=(True,) * 5) -> Pose:
    """Five moments at 10 a second whose first number is the time itself."""
    times = np.arange(5) / 10
    return Pose(times, np.stack([times, times**2], 1).astype(np.float32), np.array(present), 0.5, "weights")


def test_descriptors_interpolate_between_the_drivers_frames():
    sampled = performance().sampled(np.array([0.05, 0.1, 0.33]), "trim")
    assert sampled.descriptors[:, 0] == pytest.approx([0.05, 0.1, 0.33], abs=1e-6)
    assert sampled.present.all()


def test_a_60_hz_timeline_gets_every_driver_frame_of_a_10_hz_performance_in_order():
    moments = performance().sampled(np.arange(24) / 60, "hold").moments
    assert (np.diff(moments) >= 0).all() and moments[-1] == pytest.approx(23 / 60)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("hold", [0.4, 0.4, 0.4]), ("loop", [0.4, 0.1, 0.2]), ("ping-pong", [0.4, 0.2, 0.1])],
)
def test_after_the_performance_the_end_policy_decides(policy, expected):
    sampled = performance().sampled(np.array([0.4, 0.6, 0.7]), policy)
    assert sampled.descriptors[:, 0] == pytest.approx(expected, abs=1e-6)
    assert sampled.present.all()


def test_trim_shows_nobody_after_the_last_frame_has_been_shown():
    assert performance().sampled(np.array([0.4, 0.49, 0.5, 0.9]), "trim").present.tolist() == [True, True, False, False]


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    bridged = performance((True, False, False, True, True)).sampled(np.array([0.15]), "hold")
    assert bridged.present.all() and bridged.descriptors[0, 0] == pytest.approx(0.15)
    times = np.array([0.0, 1.0, 2.0, 3.0])
    long = Pose(times, times[:, None].astype(np.float32), np.array([True, False, False, True]), 4.0, "weights")
    assert long.sampled(np.array([1.5]), "hold").present.tolist() == [False]


def test_reversed_twice_is_the_performance_again():
    once = performance().reversed()
    assert once.descriptors[0, 0] == pytest.approx(0.4) and once.moments[0] == pytest.approx(0.4)
    assert np.array_equal(once.reversed().descriptors, performance().descriptors)


def test_smoothing_lags_behind_nothing():
    times = np.arange(101) / 25
    bump = np.exp(-0.5 * ((times - 2) / 0.1) ** 2)[:, None].astype(np.float32)
    smooth = Pose(times, bump, np.ones(101, bool), 4.04, "weights").smoothed(0.2).descriptors[:, 0]
    assert times[int(smooth.argmax())] == 2.0 and smooth.max() < 0.6
    assert smooth == pytest.approx(smooth[::-1], abs=1e-3)


def test_amplifying_moves_away_from_the_mean_and_zero_freezes():
    assert performance().amplified(0.0).descriptors.std(0) == pytest.approx([0, 0], abs=1e-7)
    doubled = performance().amplified(2.0).descriptors
    assert np.ptp(doubled[:, 0]) == pytest.approx(0.8)


def test_an_unknown_end_policy_and_a_performance_without_a_head_are_refused():
    with pytest.raises(BadInput, match="choose one of: trim, hold, loop, ping-pong"):
        performance().sampled(np.zeros(1), "stop")
    with pytest.raises(BadInput, match="shows no head in any frame"):
        performance((False,) * 5).sampled(np.zeros(1), "hold")
