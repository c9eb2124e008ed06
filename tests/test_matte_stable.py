"""Mattes come to rest without lagging, the same wherever iteration begins."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest
from matte_media import MadeHeads, frames_of, generated, head_clip, moved, shaken

from lpd_plugin.compositing.matte.measures import absolute_difference, edge_flicker, edge_trembling
from lpd_plugin.compositing.matte.motion import Motion, grey_of, inner_part
from lpd_plugin.compositing.matte.stable_heads import StableHeads
from lpd_plugin.errors import BadInput

COUNT = 14


@pytest.fixture(scope="module")
def talking(carphone) -> tuple[np.ndarray, np.ndarray]:
    """The talking man, and a matte that is right in every frame: it moves with him as the film does."""
    whole = frames_of(carphone, COUNT)
    pictures = np.stack([cv2.resize(p[:, 16:160], (256, 256), interpolation=cv2.INTER_CUBIC) for p in whole])
    matte = np.zeros((256, 256), np.float32)
    cv2.ellipse(matte, (118, 120), (62, 92), 0, 0, 360, 1, -1)
    matte[190:, 40:200] = 1
    mattes = [cv2.GaussianBlur(matte, (0, 0), 1.5)]
    for before, now in zip(pictures, pictures[1:]):
        mattes.append(Motion.between(grey_of(now), grey_of(before)).carried(mattes[-1]))
    return pictures, np.stack(mattes)


def flicker(pictures: np.ndarray, mattes: np.ndarray, truth: np.ndarray) -> float:
    """Mean edge flicker; motion is measured with the true mattes, so that all are compared by the same motion."""
    inner = [inner_part(matte) for matte in truth]
    greys = [grey_of(picture, part) for picture, part in zip(pictures, inner)]
    motions = [Motion.between(now, before, part) for before, now, part in zip(greys, greys[1:], inner[1:])]
    return float(np.mean([edge_flicker(*step) for step in zip(mattes, mattes[1:], motions)]))


def trembling(pictures: np.ndarray, mattes: np.ndarray, truth: np.ndarray) -> float:
    """As `flicker`, of what goes to and fro."""
    inner = [inner_part(matte) for matte in truth]
    greys = [grey_of(picture, part) for picture, part in zip(pictures, inner)]
    moments = zip(greys[1:], greys, greys[2:], inner[1:], zip(mattes, mattes[1:], mattes[2:]))
    return float(np.mean([
        edge_trembling(*three, Motion.between(now, before, part), Motion.between(now, after, part))
        for now, before, after, part, three in moments
    ]))  # fmt: skip


def steadied(pictures, mattes, **options) -> np.ndarray:
    return np.stack([head.matte for head in StableHeads(MadeHeads(pictures, mattes), **options)])


def assert_at_rest(pictures: np.ndarray, truth: np.ndarray) -> None:
    trembled = shaken(truth)
    calm = steadied(pictures, trembled)
    assert flicker(pictures, calm, truth) < 0.5 * flicker(pictures, trembled, truth)
    errors = [np.mean([absolute_difference(a, b) for a, b in zip(mattes, truth)]) for mattes in (calm, trembled)]
    assert errors[0] < errors[1]


def test_a_trembling_edge_flickers_half_as_much_at_most(talking):
    assert_at_rest(*talking)


@pytest.mark.parametrize("person", ["p068", "p072"])
def test_trembling_edges_of_other_real_heads_flicker_half_as_much_at_most(shared, person):
    assert_at_rest(*head_clip(shared, person, COUNT))


def test_edges_of_a_generated_head_tremble_half_as_much_at_most(footage):
    pictures, mattes = generated(footage / "foot_06_profile.mp4", footage / "foot_02_static_hands.mp4", COUNT)
    calm = steadied(pictures, mattes)
    assert trembling(pictures, calm, mattes) < 0.5 * trembling(pictures, mattes, mattes)
    assert flicker(pictures, calm, mattes) < 0.7 * flicker(pictures, mattes, mattes)  # the outline's own motion stays
    assert np.mean([absolute_difference(a, b) for a, b in zip(calm, mattes)]) < 0.5  # thousands of pixels: hair stays


@pytest.mark.parametrize("speed", [6, 16])
def test_a_head_that_races_across_the_picture_and_back_keeps_its_matte_with_it(talking, speed):
    pictures, truth = talking
    away = [speed * (COUNT / 4 - abs(i - COUNT / 2)) for i in range(COUNT)]
    pictures = np.stack([moved(picture, x) for picture, x in zip(pictures, away)])
    truth = np.stack([moved(matte, x) for matte, x in zip(truth, away)])
    calm = steadied(pictures, shaken(truth))

    def centre(mattes: np.ndarray) -> np.ndarray:
        rows = mattes[:, 40:150]  # the head alone
        return (rows * np.arange(256)).sum((1, 2)) / rows.sum((1, 2))

    pace = np.gradient(centre(truth))
    lag = -((centre(calm) - centre(truth)) @ pace) / (pace @ pace)
    assert abs(lag) < 0.1  # frames
    assert flicker(pictures, calm, truth) < 0.5 * flicker(pictures, shaken(truth), truth)


def test_a_matte_that_is_steady_already_stays_as_it_is(talking):
    pictures, truth = talking
    change = np.abs(steadied(pictures, truth) - truth)
    assert change.mean() < 0.002 and np.percentile(change, 99) < 0.05


def test_colours_are_not_touched_and_strength_0_touches_nothing(talking):
    pictures, truth = talking
    trembling = shaken(truth)
    for head, picture in zip(StableHeads(MadeHeads(pictures, trembling)), pictures):
        assert head.rgb is picture or np.array_equal(head.rgb, picture)
    assert np.array_equal(steadied(pictures, trembling, strength=0.0), trembling)


@pytest.mark.parametrize("reach", [1, 3])
def test_a_frame_is_the_same_wherever_iteration_began(talking, reach):
    pictures, trembling = talking[0], shaken(talking[1])
    whole = steadied(pictures, trembling, reach=reach)
    heads = StableHeads(MadeHeads(pictures, trembling, first=4), reach=reach)
    assert heads.reach == reach
    late = np.stack([head.matte for head in heads])
    assert np.array_equal(late[reach:], whole[4 + reach :])


def test_the_window_reaches_as_far_ahead_as_back_so_that_time_reversed_gives_the_same_mattes(talking):
    pictures, trembling = talking[0], shaken(talking[1])
    backwards = steadied(pictures[::-1], trembling[::-1])[::-1]
    assert np.abs(backwards - steadied(pictures, trembling)).max() < 1e-5


def test_nothing_is_averaged_over_a_moment_without_a_head_or_over_a_change_of_scene(talking):
    pictures, trembling = talking[0], shaken(talking[1])
    gap = [*trembling[:6], None, *trembling[7:]]
    out = list(StableHeads(MadeHeads(pictures, gap), reach=2))
    assert out[6] is None and all(head is not None for head in out[:6] + out[7:])
    alone = steadied(pictures[:6], trembling[:6])
    assert all(np.array_equal(head.matte, matte) for head, matte in zip(out, alone))

    elsewhere = np.ascontiguousarray(1 - pictures[:, :, ::-1])
    cut = np.concatenate((pictures[:6], elsewhere[6:]))
    out = steadied(cut, trembling)
    assert np.array_equal(out[:6], alone) and np.array_equal(out[6:], steadied(elsewhere[6:], trembling[6:]))


def test_no_more_heads_are_asked_for_than_the_window_needs(talking):
    heads = MadeHeads(talking[0], talking[1])
    for given, _ in enumerate(islice(iter(StableHeads(heads, reach=3)), 5), 1):
        assert heads.pulled == given + 3


def test_heads_without_an_edge_pass_through_and_short_performances_are_given_whole(talking):
    pictures = talking[0][:3]
    opaque = np.ones((3, 256, 256), np.float32)
    assert np.array_equal(steadied(pictures, opaque), opaque)
    assert len(steadied(pictures[:1], talking[1][:1], reach=4)) == 1
    assert list(StableHeads(MadeHeads(pictures, opaque[:0]))) == []


def test_retimed_heads_are_steadied_after_they_were_retimed(talking):
    pictures, trembling = talking[0], shaken(talking[1])
    heads = StableHeads(MadeHeads(pictures, trembling), reach=1)
    backwards = heads.retimed(np.array([8, 7, 6, 5]) / 25, "hold")
    expected = steadied(pictures[[8, 7, 6, 5]], trembling[[8, 7, 6, 5]], reach=1)
    assert np.array_equal(np.stack([head.matte for head in backwards]), expected) and backwards.reach == 1
    assert heads.fingerprint() != StableHeads(heads.heads, reach=2).fingerprint() != heads.heads.fingerprint()


@pytest.mark.parametrize("options", [{"strength": 1.5}, {"strength": -0.1}, {"reach": 0}, {"reach": 9}])
def test_a_strength_or_window_out_of_range_is_refused(talking, options):
    with pytest.raises(BadInput, match="has to lie between"):
        StableHeads(MadeHeads(*talking), **options)
