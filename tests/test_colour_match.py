"""The generated head's colours become the footage's, whatever is around it, and without pumping."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lpd_plugin.compositing.head.colour_match import (
    LARGEST_CONTRAST, MOST_PROBES, face_colours, measure_transfer, probe_frames,
)  # fmt: skip
from lpd_plugin.compositing.head.oklab import from_oklab, to_oklab
from lpd_plugin.compositing.picture.look import look_at, person_mattes
from lpd_plugin.compositing.picture.square import typical_person
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.still_clip import StillClip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_matte


@pytest.fixture(scope="module")
def talking(carphone) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Time, crop and matte of the talking man, twice a second."""
    lefts = {index: 31.9 - 0.22 * index for index in range(0, 120, 15)}
    frames = [frame for frame in FileClip(str(carphone)).frames() if frame.index in lefts]
    looks = [look_at(frame.picture, CropBox(lefts[frame.index], 6.5, 112.8)) for frame in frames]
    mattes = person_mattes(looks, load_matte(device="cpu"))
    return [(float(frame.time), look.crop(), matte) for frame, look, matte in zip(frames, looks, mattes)]


@pytest.fixture(scope="module")
def portrait(astronaut) -> tuple[np.ndarray, np.ndarray]:
    frame = next(StillClip(str(astronaut)).frames())
    look = look_at(frame.picture, CropBox(224 - 105, 115 - 105, 210))
    return look.crop(), person_mattes([look], load_matte(device="cpu"))[0]


def tinted(rgb: np.ndarray, light=(0.62, 0.8, 1.02)) -> np.ndarray:
    """As under another lamp: every channel's light times a factor."""
    linear = np.clip(rgb, 0, 1) ** 2.2 * np.float32(light)
    return (np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.float32)


def pairs_of(talking, change=tinted):
    return [(time, crop, matte, change(crop), matte) for time, crop, matte in talking]


def far(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Mean difference in OKLab, hundredths."""
    return 100 * float(np.linalg.norm(to_oklab(one) - to_oklab(other), axis=2)[where].mean())


def test_oklab_is_ottossons_and_inverts():
    primaries = to_oklab(np.float32([[[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]]))[0]
    published = [[1, 0, 0], [0.628, 0.225, 0.126], [0.866, -0.234, 0.179], [0.452, -0.032, -0.312], [0, 0, 0]]
    assert primaries == pytest.approx(np.float32(published), abs=6e-4)
    colours = np.random.default_rng(0).random((64, 64, 3), np.float32)
    assert np.abs(from_oklab(to_oklab(colours)) - colours).max() < 1e-4


def test_another_lamp_is_taken_back(talking):
    transfer = measure_transfer(pairs_of(talking))
    for time, crop, matte in talking[::3]:
        inside = matte > 0.95
        before, after = tinted(crop), transfer.apply(tinted(crop), time)
        assert far(before, crop, inside) > 3
        assert far(after, crop, inside) < 0.8
        hair_and_suit = inside & (to_oklab(crop)[..., 0] < 0.3)
        assert hair_and_suit.sum() > 1000 and far(after, crop, hair_and_suit) < 1.5


def test_black_stays_black_and_grey_steps_keep_their_order(talking):
    transfer = measure_transfer(pairs_of(talking))
    grey = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, 2)
    changed = to_oklab(transfer.apply(grey, 1.0))[0, :, 0]
    assert transfer.apply(grey, 1.0)[0, 0].max() < 0.5 / 255
    assert (np.diff(changed) > -1e-4).all()


def test_mean_and_covariance_of_the_face_arrive(talking):
    def flat(rgb):
        lab = to_oklab(tinted(rgb, (0.8, 0.9, 0.8)))
        return from_oklab(lab * np.float32([0.8, 1, 1]) + np.float32([0.11, 0, 0]))

    transfer = measure_transfer(pairs_of(talking, flat))
    time, crop, matte = talking[2]
    (mean, spread), (own_mean, own_spread) = face_colours(crop, matte), face_colours(flat(crop), matte)
    made_mean, made_spread = face_colours(transfer.apply(flat(crop), time), matte)
    assert np.abs(made_mean - mean).max() < 0.006 < np.abs(own_mean - mean).max()
    assert made_spread[0, 0] ** 0.5 == pytest.approx(spread[0, 0] ** 0.5, rel=0.08)
    assert own_spread[0, 0] ** 0.5 < 0.87 * spread[0, 0] ** 0.5


def test_a_flat_face_gets_its_contrast_and_its_hair_is_not_crushed(talking):
    def flat_face(rgb):
        lab, face = to_oklab(rgb), np.zeros(rgb.shape[:2], np.float32)
        cv2.ellipse(face, (128, 128), (55, 75), 0, 0, 360, 1, -1)
        face *= (lab[..., 0] > 0.35).astype(np.float32)
        lab[..., 0] += cv2.GaussianBlur(face, (0, 0), 1) * 0.35 * (0.56 - lab[..., 0])
        return from_oklab(lab)

    transfer = measure_transfer(pairs_of(talking, flat_face))
    assert transfer.contrast[0, 0] > 1.25
    time, crop, matte = talking[2]
    hair = (matte > 0.95) & (to_oklab(crop)[..., 0] < 0.3)
    change = to_oklab(transfer.apply(flat_face(crop), time))[..., 0] - to_oklab(flat_face(crop))[..., 0]
    assert hair.sum() > 1000 and change[hair].mean() > -0.02


def test_the_background_has_no_say(talking, portrait):
    def on(colour):
        return [
            (time, crop, matte, matte[..., None] * tinted(crop) + (1 - matte[..., None]) * np.float32(colour), matte)
            for time, crop, matte in talking
        ]

    one, other = measure_transfer(on((1, 0, 0))), measure_transfer(on((0, 0.2, 1)))
    assert np.abs(one.changes - other.changes).max() < 1e-3
    assert np.abs(one.contrast - other.contrast).max() < 2e-2


def test_open_mouths_glasses_and_highlights_hardly_count(talking):
    plain = measure_transfer(pairs_of(talking))

    def disturbed(rgb):
        rgb = np.ascontiguousarray(tinted(rgb))
        cv2.ellipse(rgb, (130, 165), (18, 14), 0, 0, 360, (0.15, 0.03, 0.03), -1)  # a mouth wide open
        cv2.rectangle(rgb, (95, 100), (165, 118), (0.05, 0.05, 0.05), 5)  # frames of glasses
        cv2.circle(rgb, (150, 85), 9, (1.0, 1.0, 0.97), -1)  # a highlight
        return rgb

    other = measure_transfer(pairs_of(talking, disturbed))
    assert np.abs(other.changes - plain.changes)[:, 0].max() < 0.012
    assert np.abs(other.changes - plain.changes)[:, 1:].max() < 0.006


def test_another_persons_face_takes_on_the_footages_light(talking, portrait):
    face, matte = portrait
    transfer = measure_transfer([(time, crop, own, face, matte) for time, crop, own in talking])
    wanted = np.mean([face_colours(crop, own)[0] for _, crop, own in talking], 0)
    made = face_colours(transfer.apply(face, 2.0), matte)[0]
    assert np.abs(made - wanted).max() < 0.012 < np.abs(face_colours(face, matte)[0] - wanted).max()


def test_pose_and_expression_do_not_make_the_colours_pump(talking):
    """Real faces of one person at different moments, none belonging to the same pose: the light is the same."""
    shuffled = talking[3:] + talking[:3]
    pairs = [(time, crop, matte, tinted(other[1]), other[2]) for (time, crop, matte), other in zip(talking, shuffled)]
    transfer = measure_transfer(pairs)
    times = np.arange(0, 4, 1 / 30)
    along = np.array([transfer.change_at(time) for time in times])
    assert np.ptp(along, axis=0).max() < 0.02
    assert np.abs(np.diff(along, axis=0)).max() < 0.001  # a quarter of a step of 255 between two frames


def test_light_that_fades_is_followed_and_smoothly(talking):
    def lit(time):  # two thirds of the light are gone after 20 seconds
        return np.float32([1.0, 1.0, 1.0]) * (1 - time / 30)

    moments = np.arange(0, 21, 1.0)
    pairs = []
    for number, time in enumerate(moments):
        _, crop, matte = talking[number % len(talking)]
        _, other, other_matte = talking[(3 * number + 1) % len(talking)]
        pairs.append((time, tinted(crop, lit(time)), matte, other, other_matte))
    transfer = measure_transfer(pairs)
    _, crop, matte = talking[2]
    for time in (2.0, 5.5, 10.0, 14.3, 18.0):
        assert far(transfer.apply(crop, time), tinted(crop, lit(time)), matte > 0.95) < 2.5
    along = np.array([transfer.change_at(time) for time in np.arange(0, 20, 1 / 25)])
    steps = np.abs(np.diff(along[:, 0]))
    assert steps.max() < 4 * np.median(steps) and (np.diff(along[:, 0]) < 1e-4).mean() > 0.95


def test_a_single_odd_moment_is_dropped(talking):
    pairs = pairs_of(talking)
    clean = measure_transfer(pairs)
    time, crop, matte, made, made_matte = pairs[4]
    pairs[4] = time, np.ascontiguousarray(crop[..., ::-1] * 0.4), matte, made, made_matte  # a flash, a wrong box
    odd = measure_transfer(pairs)
    assert np.abs(odd.changes - clean.changes).max() < 0.02


def test_strength_goes_from_nothing_to_all(talking):
    transfer = measure_transfer(pairs_of(talking))
    time, crop, matte = talking[1]
    made, inside = tinted(crop), matte > 0.95
    assert transfer.apply(made, time, 0.0) is made
    errors = [far(transfer.apply(made, time, strength), crop, inside) for strength in (0.0, 0.5, 1.0)]
    assert errors[0] > 1.6 * errors[1] > 3 * errors[2]


def test_a_head_of_the_same_colours_is_left_alone_exactly(talking):
    transfer = measure_transfer(pairs_of(talking, lambda rgb: rgb))
    _, crop, _ = talking[0]
    assert transfer.apply(crop, 0.7) is crop


def test_what_is_measured_is_bounded(talking):
    def wild(rgb):
        return (0.02 + 0.02 * rgb[..., ::-1]).astype(np.float32)

    transfer = measure_transfer(pairs_of(talking, wild))
    assert np.exp(np.abs(transfer.changes[:, 0])).max() <= 1.8 + 1e-6
    assert np.linalg.eigvalsh(transfer.contrast).max() <= LARGEST_CONTRAST + 1e-6
    assert np.isfinite(transfer.apply(wild(talking[0][1]), 0.0)).all()


def test_without_a_face_nothing_is_measured(talking):
    nobody = np.zeros((256, 256), np.float32)
    _, crop, matte = talking[0]
    assert measure_transfer([]) is None
    assert measure_transfer([(0.0, crop, matte, crop, nobody)]) is None
    assert face_colours(np.zeros((256, 256, 3), np.float32), typical_person()) is None


def test_one_moment_holds_for_the_whole_clip(talking):
    transfer = measure_transfer(pairs_of(talking[:1]))
    assert np.array_equal(transfer.change_at(0.0), transfer.change_at(3600.0))


def test_probes_are_a_second_apart_and_bounded_and_only_where_a_head_is():
    times = np.arange(250) / 25
    present = np.ones(250, bool)
    present[100:150] = False
    chosen = probe_frames(times, present)
    assert len(chosen) == 11 and present[chosen].all() and chosen[0] == 0 and chosen[-1] == 249
    assert len(probe_frames(np.arange(90000) / 25, np.ones(90000, bool))) == MOST_PROBES
    assert len(probe_frames(times[:3], present[:3])) == 3
    assert not len(probe_frames(times, np.zeros(250, bool)))
