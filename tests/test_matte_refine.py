"""A coarse matte follows the picture's edges, where the picture tells, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matte_media import VAL, Known, astronaut_head, frames_of, head_clip

from lpd_plugin.compositing.matte.edge import EdgeOptions, refine_matte
from lpd_plugin.compositing.matte.measures import absolute_difference, edge_band, gradient_error
from lpd_plugin.compositing.matte.refine import refined


@pytest.fixture(scope="module")
def car(carphone) -> np.ndarray:
    """A busy background: the inside of a car and what passes its window."""
    return cv2.resize(frames_of(carphone, 1)[0], (512, 512), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def portrait(astronaut, car) -> Known:
    return Known.of(*astronaut_head(astronaut), car)


def assert_nearer(known: Known, coarse: np.ndarray) -> None:
    fine = refined(coarse, known.picture)
    assert absolute_difference(fine, known.truth) < 0.9 * absolute_difference(coarse, known.truth)
    assert gradient_error(fine, known.truth) < 0.8 * gradient_error(coarse, known.truth)


def test_the_portraits_matte_comes_nearer_to_the_known_one(portrait):
    assert_nearer(portrait, portrait.coarse())


@pytest.mark.parametrize("person", VAL)
def test_real_heads_mattes_come_nearer_to_the_known_ones(shared, car, person):
    pictures, mattes = head_clip(shared, person, 11)
    known = Known.of(pictures[10], mattes[10], cv2.resize(car, (256, 256), interpolation=cv2.INTER_AREA))
    assert_nearer(known, known.coarse())


def test_strands_of_hair_that_the_coarse_matte_has_lost_come_back(car):
    truth = np.zeros((512, 512), np.float32)
    cv2.circle(truth, (256, 280), 130, 1, -1, cv2.LINE_AA)
    strands = np.zeros_like(truth)
    for turn in np.linspace(-2.6, -0.5, 22):
        root, tip = ([256 + r * np.cos(turn), 280 + r * np.sin(turn)] for r in (126, 142))
        cv2.line(strands, *(np.int32(np.round(p)) for p in (root, tip)), 1, 2, cv2.LINE_AA)
    truth = np.maximum(truth, strands)
    known = Known.of(np.full((512, 512, 3), (0.15, 0.1, 0.08), np.float32), truth, 0.4 + 0.5 * car)
    coarse = known.coarse()
    radius = np.hypot(*(np.mgrid[:512, :512] - np.array([280, 256])[:, None, None]))
    outside = (radius > 134) & (radius < 142)
    hair = outside & (strands > 0.8)
    between = outside & (truth == 0) & (cv2.dilate(strands, np.ones((13, 13))) > 0.8)
    fine = refined(coarse, known.picture)
    assert coarse[hair].mean() - coarse[between].mean() < 0.2
    assert fine[hair].mean() > 0.65 and fine[between].mean() < 0.1


def test_pixels_away_from_the_edge_keep_their_values_bit_by_bit(portrait):
    coarse = portrait.coarse()
    fine = refined(coarse, portrait.picture)
    away = cv2.dilate(edge_band(coarse, 0.05 * 512).astype(np.uint8), np.ones((41, 41))) == 0
    assert away.mean() > 0.4 and np.array_equal(fine[away], coarse[away])
    assert fine.min() >= 0 and fine.max() <= 1


def test_a_picture_that_does_not_tell_person_from_background_leaves_the_matte(portrait):
    coarse = portrait.coarse()
    grain = np.random.default_rng(0).normal(0.5, 1 / 255, portrait.picture.shape).astype(np.float32)
    assert np.abs(refined(coarse, grain) - coarse).max() < 0.02


def test_strength_leads_from_the_coarse_matte_to_the_refined_one(portrait):
    coarse = portrait.coarse()
    none, half, whole = (refined(coarse, portrait.picture, strength) for strength in (0, 0.5, 1))
    assert np.array_equal(none, coarse)
    assert np.abs(half - (coarse + whole) / 2).max() < 1e-5


@pytest.mark.parametrize("shape", [(2, 2), (3, 300), (257, 131), (300, 2)])
def test_parts_of_heads_at_the_pictures_border_have_any_shape(portrait, shape):
    part = np.s_[100 : 100 + shape[0], 40 : 40 + shape[1]]
    fine = refined(portrait.coarse()[part], portrait.picture[part])
    assert fine.shape == shape and np.isfinite(fine).all()


def test_a_generated_head_which_has_no_background_is_not_refined(portrait):
    coarse = portrait.coarse()
    options = EdgeOptions(feather=0)
    assert np.array_equal(refine_matte(coarse, options), coarse)
    assert np.array_equal(refine_matte(coarse, options, portrait.picture), refined(coarse, portrait.picture))
    assert np.array_equal(refine_matte(coarse, EdgeOptions(feather=0, refine=0), portrait.picture), coarse)
