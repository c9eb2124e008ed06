"""In and out points, fades and the amount of the blend."""

from fractions import Fraction

import numpy as np
import pytest

from lpd_plugin.compositing.fades import FadeOptions
from lpd_plugin.errors import BadInput

NTSC = [Fraction(1001 * number, 30000) for number in range(240)]


def test_without_options_every_frame_is_wholly_seen():
    assert {FadeOptions().weight(time) for time in NTSC} == {1.0}
    assert FadeOptions().weight(Fraction(1001 * 239, 30000), duration=Fraction(1001 * 240, 30000)) == 1.0


def test_only_seconds_one_to_six_are_touched():
    fades = FadeOptions(start=1, end=6)
    for rate in (24, 25, 50):
        touched = [time for time in (Fraction(n, rate) for n in range(8 * rate)) if fades.weight(time)]
        assert (touched[0], touched[-1], len(touched)) == (1, 6 - Fraction(1, rate), 5 * rate)
    touched = [time for time in NTSC if fades.weight(time)]
    assert touched[0] == NTSC[30] and touched[-1] == NTSC[179]


def test_points_written_in_decimals_mean_the_frame_they_round():
    fades = FadeOptions(start=0.0333667, end=0.1001)  # frames 1 and 3 at 30000/1001
    assert [bool(fades.weight(time)) for time in NTSC[:5]] == [False, True, True, False, False]


def test_fades_rise_and_fall_without_steps_and_only_inside_their_points():
    fades = FadeOptions(amount=0.8, start=1, end=6, fade_in=1, fade_out=2)
    times = np.arange(0, 8, 0.01)
    weights = np.array([fades.weight(float(time)) for time in times])
    assert not weights[times < 1].any() and not weights[times >= 5.9999].any()
    assert weights[(times > 2.001) & (times < 3.999)] == pytest.approx(0.8)
    rise, fall = weights[(times >= 1) & (times < 2)], weights[(times > 4) & (times < 6)]
    assert (np.diff(rise) > 0).all() and (np.diff(fall) < 0).all()
    assert np.abs(np.diff(weights)).max() < 0.8 * 1.5 * 0.01 + 1e-6  # the steepest slope of a smoothstep is 1.5
    assert fades.weight(1.5) == pytest.approx(0.4) and fades.weight(5) == pytest.approx(0.4)
    assert fades.weight(1.25) == pytest.approx(0.8 * 0.15625)


def test_the_ends_of_the_footage_are_faded_where_no_points_are_given():
    fades = FadeOptions(fade_in=0.5, fade_out=0.5)
    assert fades.weight(0) == 0
    assert fades.weight(Fraction(1, 4), duration=4) == pytest.approx(0.5)
    assert fades.weight(3.75, duration=4) == pytest.approx(0.5)
    assert fades.weight(3.75) == 1  # nobody knows where the footage ends
    assert fades.weight(4.0, duration=4) == pytest.approx(0, abs=1e-9)


def test_fades_longer_than_the_stretch_still_come_and_go_smoothly():
    fades = FadeOptions(start=0, end=1, fade_in=1, fade_out=1)
    weights = [fades.weight(n / 50) for n in range(50)]
    assert 0.2 < max(weights) < 1 and np.argmax(weights) == 25
    assert np.abs(np.diff(weights)).max() < 0.03


def test_an_amount_of_nothing_touches_nothing():
    assert {FadeOptions(amount=0).weight(time) for time in NTSC} == {0.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"amount": 1.1}, "blend amount is 1.1"),
        ({"amount": float("nan")}, "blend amount is nan"),
        ({"start": -1}, "start is -1"),
        ({"fade_in": -0.5}, "fade_in is -0.5"),
        ({"fade_out": float("inf")}, "fade_out is inf"),
        ({"start": 6, "end": 1}, "ends at 1 s and starts at 6 s"),
        ({"start": 2, "end": 2}, "an end after the start"),
        ({"end": 0}, "an end after the start"),
    ],
)
def test_points_and_fades_that_make_no_sense_are_refused(options, words):
    with pytest.raises(BadInput, match=words):
        FadeOptions(**options)
