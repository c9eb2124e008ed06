"""Which frames an adaptation is judged by, and where it stops: the rules, without a network."""

from __future__ import annotations

import numpy as np
import numpy as np
import pytest
import torch

from lpd_plugin.learning.adaptation.curve import Curve, Measurement, measured_steps
from lpd_plugin.learning.adaptation.judge import split_bank
from lpd_plugin.learning.adaptation.views import Frames, farthest_points, split_frames


def curve(*values: tuple[int, float, float]) -> Curve:
    """From (step, reconstruction, pose); the identity's error falls with the reconstruction's."""
    return Curve(tuple(Measurement(step, error, pose, error / 2) for step, error, pose in values))


def frames(count: int) -> Frames:
    """Frames whose number is their first pixel, brighter on the left; a mask over the lower half."""
    pictures = torch.zeros(count, 3, 32, 32, dtype=torch.uint8)
    pictures[..., :16] = 200
    pictures[:, 0, 0, 0] = torch.arange(count, dtype=torch.uint8)
    masks = torch.zeros(count, 1, 32, 32, dtype=torch.uint8)
    masks[:, :, 16:] = 255
    return Frames(pictures, masks)


def test_it_stops_where_likeness_gains_no_more():
    one = curve((0, 0.8, 1.0), (15, 0.6, 1.0), (40, 0.5, 1.0), (60, 0.498, 1.0), (80, 0.497, 1.0), (110, 0.496, 1.0))
    assert one.chosen.step == 40 and one.settled
    assert not Curve(one.measurements[:5]).settled  # two measurements without a gain may be chance


def test_it_does_not_stop_while_likeness_gains():
    one = curve((0, 0.8, 1.0), (15, 0.6, 1.0), (40, 0.5, 1.0), (60, 0.48, 1.0), (80, 0.46, 1.0), (110, 0.44, 1.0))
    assert one.chosen.step == 110 and not one.settled


def test_likeness_bought_with_the_pose_is_not_chosen():
    one = curve((0, 0.8, 1.0), (30, 0.6, 1.02), (60, 0.5, 1.04), (90, 0.4, 1.3), (120, 0.35, 1.5), (150, 0.3, 1.8))
    assert one.chosen.step == 60 and one.settled


def test_steps_that_lose_the_persons_own_poses_are_passed_over():
    def one(step: int, error: float, own: float) -> Measurement:
        return Measurement(step, error, 1.0, error / 2, own)

    followed = Curve((one(0, 0.8, 0.06), one(15, 0.7, 0.062), one(29, 0.6, 0.075), one(41, 0.58, 0.075)))
    assert followed.chosen.step == 15 and followed.costs()[2] == pytest.approx(0.75 + 2 * (0.25 - 0.05))
    found_again = Curve((*followed.measurements, one(100, 0.55, 0.06)))
    assert found_again.chosen.step == 100


def test_looking_like_the_person_counts_as_much_as_exactness():
    start = Measurement(0, 0.5, 1.0, 0.4)
    liker, rebuilt = Measurement(15, 0.5, 1.0, 0.2), Measurement(21, 0.25, 1.0, 0.4)
    assert Curve((start, liker)).costs() == pytest.approx([1, 0.75]) == Curve((start, rebuilt)).costs()
    assert Curve((start, liker, Measurement(21, 0.5, 1.0, 0.28))).chosen == liker


def test_a_pose_that_is_lost_at_first_and_found_again_does_not_end_the_search():
    one = curve((0, 0.72, 0.83), (15, 0.54, 0.9), (21, 0.52, 0.95), (29, 0.49, 0.93), (41, 0.47, 0.92))
    assert not one.settled
    later = Curve((*one.measurements, Measurement(58, 0.43, 0.8, 0.215)))
    assert later.chosen.step == 58


def test_an_adaptation_that_only_harms_is_not_made():
    one = curve((0, 0.5, 1.0), (60, 0.6, 1.0), (80, 0.7, 1.1), (110, 0.8, 1.2))
    assert one.chosen.step == 0 and one.settled


def test_measurements_lie_closer_at_the_beginning_and_the_limit_is_one():
    steps = measured_steps(240)
    assert steps[0] == 0 and steps[-1] == 240 and len(steps) < 14
    assert (np.diff(np.diff(steps[1:-1])) >= 0).all() and measured_steps(0) == [0] and measured_steps(7) == [0, 7]


def test_a_curve_survives_its_rows_and_its_table_marks_the_chosen_step():
    one = curve((0, 0.8, 1.0), (15, 0.6, 1.01), (40, 0.5, 1.02))
    assert Curve.from_rows(one.as_rows()) == one
    table = [line.split(",") for line in one.csv().splitlines()]
    assert table[0] == ["step", "reconstruction", "pose", "identity", "own_pose", "cost", "chosen"]
    assert [line[-1] for line in table[1:]] == ["0", "0", "1"]
    assert float(table[2][5]) == pytest.approx(0.6 / 0.8)


def test_the_drawn_curve_falls_where_the_error_falls():
    picture = Curve((Measurement(0, 1.0, 1.0, 0.4), Measurement(100, 0.5, 1.0, 0.35))).picture().astype(int)
    red = (picture[..., 0] > 180) & (picture[..., 1:].max(-1) < 90)
    red[:30] = False  # the legend
    rows = [np.flatnonzero(red[:, x]).mean() for x in (80, 560)]
    assert rows[1] - rows[0] > 60
    assert (Curve().picture() != 255).any()  # says that nothing was measured


def test_farthest_points_reach_the_corners_before_the_crowd():
    crowd = np.random.default_rng(0).normal(0, 0.1, (50, 2))
    corners = np.array([[5, 5], [-5, 5], [5, -5], [-5, -5]], float)
    picked = farthest_points(np.concatenate((crowd, corners)), 5)
    assert set(picked[1:]) == {50, 51, 52, 53} and picked[0] < 50


def test_equal_points_are_picked_once_each():
    assert sorted(farthest_points(np.zeros((4, 3)), 9)) == [0, 1, 2, 3]


def test_held_out_frames_are_not_learned_from_and_both_sides_see_extreme_poses():
    descriptors = np.arange(30.0)[:, None]
    split = split_frames(frames(30), descriptors)
    learned, held = ({int(n) for n in part.pictures[:, 0, 0, 0]} for part in (split.learned, split.held_out))
    assert not learned & held and learned | held == set(range(30)) and len(held) == 6
    assert {0, 29} & learned and {0, 29} & held and not split.altered


def test_a_single_picture_is_judged_by_altered_views_of_it_with_their_masks():
    split = split_frames(frames(1), np.zeros((1, 4)))
    assert split.altered and len(split.learned) == 1 and len(split.held_out) == 4
    mirrored = split.held_out.pictures[0, 0].float()
    assert mirrored[8:, 20:].mean() > 190 and mirrored[8:, :12].mean() < 10  # the bright side is now the right one
    turned = split.held_out.masks[1, 0].float()
    assert turned[16, 0] != turned[16, 31]  # the mask's edge is no longer level


def test_poses_that_judge_are_not_trained_on():
    bank = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    trained, judged = split_bank(bank)
    rows = {tuple(row.tolist()) for row in trained}
    assert len(trained) == 48 and len(judged) == 12 and not any(tuple(row.tolist()) in rows for row in judged)
    assert len(split_bank(bank[:0])[1]) == 0


def test_the_picture_of_a_curve_shows_changes_of_a_few_percent():
    one = curve((0, 0.80, 1.0), (15, 0.79, 1.01), (40, 0.77, 1.0))
    line = (one.picture() == (150, 120, 0)).all(2)  # identity, which falls by 4 %
    rows = np.flatnonzero(line[40:-50].any(1))
    assert rows[-1] - rows[0] > 0.3 * len(line)
