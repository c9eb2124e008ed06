"""The measures of mattes give the numbers that they are defined by."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matte_media import moved, shaken

from lpd_plugin.compositing.matte.measures import absolute_difference, edge_band, edge_flicker, edge_trembling, gradient_error
from lpd_plugin.compositing.matte.motion import Motion


def disc(radius: float = 40, soft: float = 1.5) -> np.ndarray:
    y, x = np.mgrid[:128, :128]
    hard = (np.hypot(x - 64, y - 64) < radius).astype(np.float32)
    return cv2.GaussianBlur(hard, (0, 0), soft)


def still(shape: tuple[int, int] = (128, 128)) -> Motion:
    return Motion(np.zeros((*shape, 2), np.float32))


def test_the_absolute_difference_is_a_sum_in_thousands():
    truth = np.zeros((100, 50), np.float32)
    assert absolute_difference(truth + np.float32(0.25), truth) == pytest.approx(1.25)


def test_the_gradient_error_of_a_lost_step_is_the_one_worked_out_by_hand():
    step = np.zeros((60, 200), np.float32)
    step[:, 100:] = 1
    # Across the step the slope is a Gaussian of sigma 1.4; the sum of its squares is 1 / (2 sqrt(pi) sigma) a row.
    assert gradient_error(np.zeros_like(step), step) == pytest.approx(60 / (2 * np.sqrt(np.pi) * 1.4) / 1000, rel=0.03)
    assert gradient_error(step + np.float32(0.3), step) == pytest.approx(0, abs=1e-9)  # a veil has no slope


def test_a_softened_edge_has_a_larger_gradient_error_the_softer_it_is():
    errors = [gradient_error(cv2.GaussianBlur(disc(), (0, 0), s), disc()) for s in (0.5, 1, 2, 4)]
    assert errors == sorted(errors) and errors[0] < 0.2 * errors[-1]


def test_the_band_holds_the_edge_and_all_that_is_half_transparent():
    matte = disc()
    matte[10:20, 10:20] = 0.3
    band = edge_band(matte, 3)
    assert band[64, 104] and band[15, 15] and not band[64, 64] and not band[120, 120]
    assert not edge_band(np.ones((20, 20), np.float32)).any()


def test_an_edge_that_moves_with_the_head_does_not_flicker_and_one_that_jumps_does():
    before, now = disc(), moved(disc(), 5)
    flow = np.zeros((128, 128, 2), np.float32)
    flow[..., 0] = -5
    assert edge_flicker(before, now, Motion(flow)) < 1e-4
    assert edge_flicker(before, now, still()) > 0.3
    little, much = (edge_flicker(*shaken([before, before], pixels), still()) for pixels in (0.5, 2))
    assert 0 < little < 0.5 * much


def test_an_outline_that_goes_on_moving_does_not_tremble_and_one_that_goes_to_and_fro_does():
    onwards, to_and_fro = ([moved(disc(soft=6), x) for x in way] for way in ((-2, 0, 2), (0, 2, 0)))
    assert edge_flicker(*onwards[:2], still()) == pytest.approx(edge_flicker(*to_and_fro[:2], still()), rel=0.2)
    going, trembling = (edge_trembling(*three, still(), still()) for three in (onwards, to_and_fro))
    assert going < 0.15 * trembling and trembling == pytest.approx(edge_flicker(*to_and_fro[:2], still()), rel=0.1)


def test_without_an_edge_there_is_no_flicker():
    flat = np.ones((128, 128), np.float32)
    assert edge_flicker(flat, flat, still()) == 0


def test_motion_finds_a_shift_and_motions_follow_one_another():
    random = np.random.default_rng(0)
    codes = cv2.resize(random.integers(0, 255, (32, 32)).astype(np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC)
    onward = Motion.between(codes, np.roll(codes, 4, 1))
    inner = np.s_[24:104, 24:104]
    assert onward.flow[inner][..., 0].mean() == pytest.approx(4, abs=0.3)
    assert onward.then(onward).flow[inner][..., 0].mean() == pytest.approx(8, abs=0.6)
    assert np.abs(onward.carried(np.roll(codes, 4, 1).astype(np.float32)) - codes)[inner].mean() < 6
