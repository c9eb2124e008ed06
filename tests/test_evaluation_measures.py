"""What the measures say of pictures, points and numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evaluation_people import face_points
from lpd_plugin.evaluation.measures.following import correlation, per_clip, pooled
from lpd_plugin.evaluation.measures.landmarks import SIXTY_EIGHT, landmark_error, moved, similarity
from lpd_plugin.evaluation.measures.likeness import identity_error, mean_embedding
from lpd_plugin.evaluation.measures.masks import edge_error, intersection_over_union
from lpd_plugin.evaluation.measures.pictures import multi_scale_ssim, psnr, ssim
from lpd_plugin.evaluation.measures.retrieval import pose_classes, retrieval
from lpd_plugin.evaluation.measures.stability import face_flicker, mask_flicker

EVERYWHERE = torch.ones(256, 256, dtype=torch.bool)


def disc(x: float, y: float = 128, radius: float = 50) -> np.ndarray:
    rows, columns = np.mgrid[:256, :256]
    return ((columns - x) ** 2 + (rows - y) ** 2 <= radius**2).astype(np.float32)


def left_of(column: int) -> np.ndarray:
    mask = np.zeros((256, 256), np.float32)
    mask[:, :column] = 1
    return mask


def turned(points: np.ndarray, scale: float, degrees: float, shift) -> np.ndarray:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ rotation.T + shift


def test_points_shifted_by_three_pixels_are_off_by_three_over_the_eyes_distance_and_not_at_all_when_aligned():
    wanted = face_points(size=60.0)
    found = wanted + (3, 0)
    assert landmark_error(found, wanted) == pytest.approx(3 / 60)
    assert landmark_error(found, wanted, SIXTY_EIGHT) == pytest.approx(3 / 60)
    assert landmark_error(found, wanted, align=True) == pytest.approx(0, abs=1e-9)


def test_only_the_points_asked_for_count():
    wanted = face_points(size=50.0)
    found = wanted.copy()
    found[SIXTY_EIGHT[0]] += (0, 34)
    assert landmark_error(found, wanted, SIXTY_EIGHT) == pytest.approx(34 / 68 / 50)
    assert landmark_error(found, wanted) == pytest.approx(34 / 478 / 50)


def test_the_alignment_recovers_a_known_similarity():
    points = face_points()
    matrix = similarity(points, turned(points, 0.8, 30, (12, -7)))
    cosine, sine = 0.8 * np.cos(np.deg2rad(30)), 0.8 * np.sin(np.deg2rad(30))
    assert np.allclose(matrix, [[cosine, -sine, 12], [sine, cosine, -7]])
    assert np.allclose(moved(points, matrix), turned(points, 0.8, 30, (12, -7)))


def test_the_alignment_never_mirrors_and_a_changed_mouth_stays_an_error():
    points = face_points()
    matrix = similarity(points, points * (-1, 1))
    assert np.linalg.det(matrix[:, :2]) > 0
    opened = points.copy()
    opened[200:] += (0, 5)
    assert landmark_error(turned(opened, 1.3, -20, (4, 4)), points, align=True) > 0.005


def test_the_sixty_eight_points_run_from_ear_to_ear_by_way_of_the_chin():
    assert len(SIXTY_EIGHT) == len(set(SIXTY_EIGHT.tolist())) == 68
    assert SIXTY_EIGHT[[0, 8, 16]].tolist() == [127, 152, 356] and SIXTY_EIGHT[[36, 45]].tolist() == [33, 263]


def test_identity_error_is_one_minus_the_mean_cosine():
    person = mean_embedding(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert np.allclose(person, [0.5**0.5, 0.5**0.5])
    assert identity_error(np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([1.0, 0.0])) == pytest.approx(0.5)
    assert identity_error(np.array([[-1.0, 0.0]]), np.array([1.0, 0.0])) == pytest.approx(2)


def test_two_people_who_look_to_different_sides_correlate_pooled_but_not_within_their_clips():
    jitter = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    wanted = np.concatenate([jitter, jitter + 3])[:, None]
    seen = np.concatenate([-jitter, -jitter + 3])[:, None]
    assert pooled(wanted, seen)[0] > 0.8
    assert per_clip(wanted, seen, np.repeat(["a", "b"], 6)) == [pytest.approx(-1)]


def test_a_driver_who_keeps_still_says_nothing_and_a_head_that_keeps_still_follows_by_nought():
    moving, still = np.linspace(0, 1, 8), np.full(8, 0.3)
    assert correlation(still, moving) is None and correlation(moving, still) == 0.0
    assert correlation(moving[:4], moving[:4]) is None  # too few frames
    both = np.concatenate([moving, still])[:, None]
    assert per_clip(both, both, np.repeat(["moves", "still"], 8)) == [pytest.approx(1)]
    assert per_clip(np.concatenate([still, still])[:, None], both, np.repeat(["a", "b"], 8)) == [None]


def test_masks_that_overlap_by_half_share_a_third():
    a, b = np.zeros((20, 20)), np.zeros((20, 20))
    a[5:15, 0:10], b[5:15, 5:15] = 1, 0.6
    assert intersection_over_union(a, b) == pytest.approx(50 / 150)
    assert intersection_over_union(a * 0, b * 0) == 1 and intersection_over_union(a, b * 0) == 0


def test_the_edge_of_a_shifted_half_plane_is_off_by_the_shift_and_of_a_shifted_disc_by_its_mean():
    assert edge_error(left_of(100), left_of(104)) == pytest.approx(4)
    assert edge_error(left_of(100), left_of(100)) == 0
    assert edge_error(disc(120), disc(126)) == pytest.approx(6 * 2 / np.pi, abs=0.3)  # the mean of |6 cos|


def test_an_island_that_is_only_in_one_mask_counts_half_whichever_it_is_in():
    island = np.maximum(disc(100, radius=30), disc(220, radius=6))
    there, back = edge_error(disc(100, radius=30), island), edge_error(island, disc(100, radius=30))
    share = 36 / 212  # of the outline's pixels about; the island lies 90 pixels away
    assert there == back == pytest.approx(share * 90 / 2, rel=0.15)


def test_the_pictures_border_is_no_edge_and_an_empty_mask_has_none():
    assert edge_error(np.ones((256, 256)), left_of(100)) is None
    assert edge_error(np.zeros((256, 256)), left_of(100)) is None


def test_psnr_and_ssim_of_even_grey_are_what_their_formulas_say_and_look_at_the_region_only():
    a, b = torch.full((3, 256, 256), 0.6), torch.full((3, 256, 256), 0.5)
    luminance = (2 * 0.6 * 0.5 + 1e-4) / (0.36 + 0.25 + 1e-4)
    assert psnr(a, b, EVERYWHERE) == pytest.approx(20, abs=1e-3) and psnr(a, a, EVERYWHERE) == 100
    assert ssim(a, b, EVERYWHERE) == pytest.approx(luminance, abs=1e-4)
    assert multi_scale_ssim(a, b, EVERYWHERE) == pytest.approx(luminance**0.1333, abs=1e-3)
    left = torch.from_numpy(left_of(128)) > 0
    b[:, :, 160:] = 0.0
    assert psnr(a, b, left) == pytest.approx(20, abs=1e-3) and ssim(a, b, left) == pytest.approx(luminance, abs=1e-4)
    assert psnr(a, b, EVERYWHERE) < 10


def test_halved_contrast_costs_a_fifth_of_ms_ssim_at_every_scale():
    random = torch.Generator().manual_seed(0)
    noise = [torch.randn(1, 3, 256 // k, 256 // k, generator=random) for k in (1, 2, 4, 8, 16)]
    structure = sum(torch.nn.functional.interpolate(one, (256, 256)) for one in noise)[0]
    full, half = 0.5 + 0.06 * structure, 0.5 + 0.03 * structure
    assert multi_scale_ssim(half, full, EVERYWHERE) == pytest.approx(2 * 0.5 / 1.25, abs=0.03)  # 2 s t / (s^2 + t^2)
    assert multi_scale_ssim(full, full, EVERYWHERE) == pytest.approx(1, abs=1e-5)
    assert multi_scale_ssim(1 - full, full, EVERYWHERE) == 0  # structure turned round is none


def test_an_edge_that_jumps_by_a_pixel_flickers_by_two_over_the_bands_width_and_a_still_one_not_at_all():
    assert mask_flicker(np.stack([left_of(100)] * 5)) == 0
    jumping = np.stack([left_of(100 + k % 2) for k in range(6)])
    assert mask_flicker(jumping) == pytest.approx(2 / 17)  # one column of the 17 within 8 pixels changes by 0 - 2 + 0
    assert mask_flicker(jumping[:2]) is None and mask_flicker(np.ones((5, 256, 256))) is None


def test_a_soft_edge_that_moves_steadily_flickers_far_less_than_one_that_jitters():
    def soft(at):
        return np.clip((disc_distance(at) + 10) / 20, 0, 1)

    def disc_distance(at):
        rows, columns = np.mgrid[:256, :256]
        return 60 - np.hypot(columns - at, rows - 128)

    steady = mask_flicker(np.stack([soft(120 + 2 * k) for k in range(7)]))
    jittering = mask_flicker(np.stack([soft(120 + 2 * (k % 2)) for k in range(7)]))
    assert jittering > 10 * steady


def textured() -> np.ndarray:
    rows, columns = np.mgrid[:256, :256]
    return np.repeat((0.5 + 0.2 * np.sin(columns / 9) * np.cos(rows / 7))[..., None], 3, 2).astype(np.float32)


def test_a_face_that_moves_as_its_points_do_does_not_flicker_and_one_whose_light_does_flickers_by_that():
    points, picture = face_points(), textured()
    assert face_flicker(np.stack([picture] * 4), [points] * 4) == 0
    moving = np.stack([np.roll(picture, 3 * (k % 2), 1) for k in range(4)])
    assert face_flicker(moving, [points + (3 * (k % 2), 0) for k in range(4)]) < 0.002
    assert face_flicker(moving, [points] * 4) > 0.03  # points that do not follow tell of motion
    light = np.stack([picture + 0.1 * (k % 2) for k in range(4)])
    assert face_flicker(light, [points] * 4) == pytest.approx(0.2, abs=1e-4)


def test_frames_without_a_face_and_their_neighbours_do_not_count():
    points, picture = face_points(), textured()
    pictures = np.stack([picture, picture, picture, picture + 0.3, picture])
    assert face_flicker(pictures, [points, points, points, None, points]) == 0
    assert face_flicker(pictures, [points, None, points, None, points]) is None
    assert face_flicker(pictures, [None] * 5) is None


def test_retrieval_on_a_toy_set_is_what_can_be_counted():
    persons, classes = np.repeat(["a", "b"], 12), np.tile(np.repeat([0, 1], 6), 2)
    noise = np.random.default_rng(0).normal(0, 0.01, (24, 2))
    good = np.stack([classes, 1 - classes], 1) + noise
    found = retrieval(good, classes, persons)
    # Of the other's 12 frames 6 are of the class: all 6 are among the first 10, and 12 is all there are for 20 and more.
    assert found.accuracy == found.possible == {10: 0.6, 20: 0.5, 50: 0.5, 100: 0.5} and found.chance == 0.5
    wrong = good * np.where(persons == "a", 1, -1)[:, None]
    assert retrieval(wrong, classes, persons).accuracy[10] == pytest.approx(0.4)  # the 6 of the other class come first
    assert retrieval(good, classes, np.repeat("a", 24)) is None


def test_a_number_in_other_units_weighs_no_more_and_a_frame_without_a_face_is_like_nobody():
    persons, classes = np.repeat(["a", "b"], 12), np.tile(np.repeat([0, 1], 6), 2)
    descriptors = np.stack([classes + 0.0, 1000 * np.random.default_rng(1).normal(size=24)], 1)
    scaled = descriptors / (1, 1000)
    assert retrieval(descriptors, classes, persons).accuracy == retrieval(scaled, classes, persons).accuracy
    descriptors[3] = np.nan
    assert np.isfinite(retrieval(descriptors, classes, persons).accuracy[10])


def test_pose_classes_part_turns_nods_open_mouths_and_smiles():
    nought = np.zeros(2)
    base = pose_classes(nought, nought, nought, nought)[0]
    for k, values in enumerate(([-0.2, 0.2], [-0.2, 0.2], [0.1, 0.5], [0.1, 0.5])):
        arguments = [nought] * 4
        arguments[k] = np.array(values)
        one, other = pose_classes(*arguments)
        assert one != other and other != base
