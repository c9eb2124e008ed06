"""Crop squares that tremble come to rest, and keep up with the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from composite_media import fixed_track

from lpd_plugin.compositing.matte.steady_track import steadied
from lpd_plugin.errors import BadInput
from lpd_plugin.video.track import Origin, Track

TIMES = np.arange(120) / 25
SIDE = 200.0


def racing(sway: float = 60.0, swings: float = 1.0) -> np.ndarray:
    """Centres (N, 2) of a head that swings from side to side: up to 15 pixels a frame with the defaults."""
    return np.stack((500 + sway * np.sin(2 * np.pi * swings * TIMES), np.full(len(TIMES), 300.0)), 1)


def trembling(centres: np.ndarray, pixels: float = 2.0) -> Track:
    random = np.random.default_rng(0)
    track = fixed_track(TIMES, (0, 0), SIDE, (1000, 600))
    side = track.side * (1 + random.normal(0, 0.01, len(TIMES)))
    centres = centres + random.normal(0, pixels, centres.shape)
    return replace(track, centre=centres.astype(np.float32), side=side.astype(np.float32))


def tremor(values: np.ndarray) -> float:
    return float(np.abs(np.diff(values, 2, axis=0)).mean())


@pytest.mark.parametrize(("sway", "swings"), [(60, 1.0), (80, 2.0), (150, 0.5)])
@pytest.mark.parametrize("seconds", [0.04, 0.1, 0.3])
def test_the_square_of_a_racing_head_lags_less_than_a_tenth_of_a_frame(sway, swings, seconds):
    true = racing(sway, swings)
    found = steadied(trembling(true), seconds).centre
    pace = np.gradient(true[:, 0])
    lag = -((found[:, 0] - true[:, 0]) @ pace) / (pace @ pace)
    assert abs(lag) < 0.1
    assert np.abs(found - true).max() < 0.04 * SIDE + 4 * 2  # the allowed distance and the tremor itself


def test_a_square_that_trembles_over_a_still_head_comes_to_rest():
    track = trembling(np.full((120, 2), 300.0))
    calm = steadied(track, 0.1)
    assert tremor(calm.centre) < 0.1 * tremor(track.centre)
    assert tremor(calm.side) < 0.1 * tremor(track.side)
    assert np.abs(calm.centre - 300).mean() < 0.6 * np.abs(track.centre - 300).mean()


def test_stretches_and_shots_are_smoothed_each_for_itself():
    centres = np.full((120, 2), 300.0)
    centres[60:] = 700  # a cut
    track = trembling(centres, 0.0)
    origin = track.origin.copy()
    origin[20:30] = Origin.ABSENT
    track = replace(track, origin=origin)
    calm = steadied(track, 0.3)
    assert np.abs(calm.centre[:60] - 300).max() < 1e-3 and np.abs(calm.centre[60:] - 700).max() < 1e-3
    assert not calm.present[20:30].any() and np.array_equal(calm.centre[20:30], track.centre[20:30])
    parts = ("times", "centre", "side", "confidence", "origin")
    alone = steadied(replace(track, **{name: getattr(track, name)[:20] for name in parts}), 0.3)
    assert np.array_equal(calm.side[:20], alone.side)


def test_squares_set_by_hand_stay_and_the_frames_beside_them_go_along():
    track = trembling(np.full((120, 2), 300.0), 0.0)
    centre, origin = track.centre.copy(), track.origin.copy()
    centre[50], origin[50] = (306, 300), Origin.MANUAL
    calm = steadied(replace(track, centre=centre, origin=origin), 0.2)
    assert np.array_equal(calm.centre[50], centre[50])
    assert np.abs(np.diff(calm.centre[40:61, 0])).max() < 1.5


def test_no_smoothing_is_the_very_track_and_a_negative_time_is_refused():
    track = trembling(racing())
    assert steadied(track, 0) is track
    with pytest.raises(BadInput, match="-1 seconds; give 0 or more"):
        steadied(track, -1)
