"""Pose descriptors in time: sampled, ended, reversed, cross-faded, played faster and slower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.performance.parts import DescriptorParts
from lpd_plugin.reenactment.performance.timing import SpeedRamp, cross_faded, ramped
from lpd_plugin.reenactment.pose import Pose


def performance(present=(True,) * 5) -> Pose:
    """Five moments at 10 a second whose first number is the time itself."""
    times = np.arange(5) / 10
    return Pose(times, np.stack([times, times**2], 1).astype(np.float32), np.array(present), 0.5, "weights")


def played(values, rate: float = 25.0, present=None, weights: str = "weights") -> Pose:
    """Numbers (N,) as a performance."""
    values = np.asarray(values, np.float32)[:, None]
    present = np.ones(len(values), bool) if present is None else np.asarray(present)
    return Pose(np.arange(len(values)) / rate, values, present, len(values) / rate, weights)


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


def test_a_performance_saved_and_loaded_is_the_same(tmp_path):
    parts = DescriptorParts(np.arange(28, dtype=np.float64).reshape(14, 2))
    whole = replace(performance((True, False, True, True, True)).reversed(), parts=parts)
    for one in (whole, performance()):
        one.save(tmp_path / "pose.npz")
        loaded = Pose.load(tmp_path / "pose.npz")
        assert loaded.fingerprint() == one.fingerprint() and np.array_equal(loaded.moments, one.moments)
        assert (loaded.source_times is None) == (one.source_times is None)
        assert loaded.parts is None if one.parts is None else np.array_equal(loaded.parts.latent_of_face, parts.latent_of_face)
    (tmp_path / "pose.npz").write_bytes((tmp_path / "pose.npz").read_bytes()[:200])
    np.savez(tmp_path / "other.npz", times=np.zeros(2), duration=1.0, weights="none")
    for name in ("pose.npz", "other.npz", "missing.npz"):
        with pytest.raises(BadInput, match=f"{name} is not a saved performance"):
            Pose.load(tmp_path / name)


def test_an_unknown_end_policy_and_a_performance_without_a_head_are_refused():
    with pytest.raises(BadInput, match="choose one of: trim, hold, loop, ping-pong"):
        performance().sampled(np.zeros(1), "stop")
    with pytest.raises(BadInput, match="shows no head in any frame"):
        performance((False,) * 5).sampled(np.zeros(1), "hold")


# Two performances

def test_a_cross_fade_is_the_first_before_it_the_second_after_it_and_smooth_between():
    first, second = played(np.zeros(100)), played(np.ones(150), rate=50)
    both = cross_faded(first, second, 1.0, 2.0)
    values = both.descriptors[:, 0]
    assert (values[both.times <= 1.0] == 0).all() and (values[both.times >= 2.0] == 1).all()
    assert (np.diff(values) >= 0).all() and values[both.times == 1.48] == pytest.approx(0.47, abs=0.01)
    assert both.duration == 3.0 and np.diff(both.times)[-1] == pytest.approx(0.02)
    assert both.moments == pytest.approx(both.times)

def test_the_second_performance_may_begin_where_the_fade_does():
    second = played(np.arange(100.0))
    both = cross_faded(played(np.zeros(50)), second, 1.6, 1.8, second_begins=1.6)
    assert both.duration == pytest.approx(5.6) and both.descriptors[-1, 0] == 99
    assert both.moments[-1] == pytest.approx(second.times[-1]) and both.times[-1] == pytest.approx(1.6 + second.times[-1])

def test_a_fade_without_length_is_a_cut():
    both = cross_faded(played(np.zeros(50)), played(np.ones(50)), 1.0, 1.0)
    assert both.descriptors[:, 0].tolist() == [0] * 25 + [1] * 25

def test_during_a_fade_a_head_that_only_one_shows_is_seen_alone():
    present = np.ones(100, bool)
    present[20:60] = False
    both = cross_faded(played(np.zeros(100), present=present), played(np.ones(100)), 1.0, 2.0)
    assert both.present[26:].all() and (both.descriptors[26:50, 0] == 1).all() and not both.present[20:25].any()

def test_a_fade_that_does_not_fit_or_other_weights_are_refused():
    first = played(np.zeros(50))
    with pytest.raises(BadInput, match="does not lie within the first performance, which runs from 0 s to 2 s"):
        cross_faded(first, played(np.ones(200)), 1.5, 2.5)
    with pytest.raises(BadInput, match="second performance, which runs from 1.8 s"):
        cross_faded(first, played(np.ones(50)), 1.5, 1.9, second_begins=1.8)
    with pytest.raises(BadInput, match="different weights"):
        cross_faded(first, played(np.ones(50), weights="others"), 0.5, 1.0)

# Speed

def test_a_ramp_shows_the_integral_of_its_speeds():
    ramp = SpeedRamp.parsed("0:1, 2:0.5, 4:1")
    times = np.linspace(0, 6, 61)
    fine = np.linspace(0, 6, 60001)
    speeds = np.interp(fine, [0, 2, 4], [1, 0.5, 1])
    integral = np.concatenate(([0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(fine))))
    assert ramp.moments(times) == pytest.approx(np.interp(times, fine, integral), abs=1e-6)
    assert ramp.lasting(3.0) == pytest.approx(4.0) and ramp.lasting(5.0) == pytest.approx(6.0)

def test_half_the_speed_lasts_twice_as_long_at_the_same_rate():
    slow = ramped(played(np.arange(50.0)), SpeedRamp.parsed("0.5"))
    assert len(slow) == 100 and slow.duration == pytest.approx(4.0) and np.diff(slow.times) == pytest.approx(0.04)
    assert slow.descriptors[:98, 0] == pytest.approx(np.arange(98) / 2, abs=1e-4) and slow.present.all()
    assert slow.moments[60] == pytest.approx(slow.times[30])

def test_a_ramp_may_stand_still_for_a_while_and_an_absence_is_slowed_as_well():
    pose = played(np.arange(100.0), present=np.arange(100) < 60)
    held = ramped(pose, SpeedRamp.parsed("0:1, 1:1, 1.001:0, 3:0, 3.001:1"))
    still = held.descriptors[(held.times > 1.05) & (held.times < 2.95), 0]
    assert np.ptp(still) < 1e-3 and held.duration == pytest.approx(6.0, abs=0.01)
    assert held.present.sum() / 25 == pytest.approx(60 / 25 + 2 + 1, abs=1.1)  # an end is bridged for up to a second

def test_speed_one_leaves_the_performance_alone():
    pose = played(np.arange(9.0))
    assert ramped(pose, SpeedRamp.parsed("0:1, 5:1")) is pose and SpeedRamp.parsed("  ") is None

@pytest.mark.parametrize(("text", "said"), [
    ("0:1, 2:fast", "'fast' is not a number: the speed in '2:fast'"), ("a:1", "'a' is not a number: the time in 'a:1'"),
    ("0:1,, 3:1", "'' is not a number"), ("2:1, 1:0.5", "'1:0.5' in '2:1, 1:0.5' does not"),
    ("0:1, 2:-1", "'2:-1' of '0:1, 2:-1' has to lie between 0 and 10"), ("0:1, 2:0", "never ends"),
    ("-1:1", "ascend from 0"), ("nan", "'nan' is not a number"),
])  # fmt: skip
def test_a_mistaken_ramp_is_refused_by_its_piece(text, said):
    with pytest.raises(BadInput) as error:
        SpeedRamp.parsed(text)
    assert said in str(error.value)
