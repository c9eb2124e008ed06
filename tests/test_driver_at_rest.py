"""What of a driver's mouth and eyes is how the driver looks, and not a performance."""

from __future__ import annotations

import numpy as np
import pytest

from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.face_reader import OPENED
from lpd_plugin.networks.model import ReenactmentModel
from lpd_plugin.reenactment.crops import encode_crops, head_crops
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.reenactment.rest import USUAL, WIDE, rest_of
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model


@pytest.fixture(scope="module")
def model():
    return load_model("compact")


@pytest.fixture
def talk(model):
    """What a driver does who looks like most people: 400 poses, whose most closed mouths and most open eyes are as usual."""
    bank = model.pose_bank.float().numpy()
    poses = bank[np.random.default_rng(0).integers(0, len(bank), 400)]
    for columns, usually, at_rest in ((mouth(model), USUAL, 0.05), (eyes(model), WIDE, WIDE)):
        poses[:, columns] += np.quantile(bank[:, columns], usually, axis=0) - np.quantile(poses[:, columns], at_rest, axis=0)
    return poses


def mouth(model) -> list[int]:
    return model.columns_of(OPENED)


def eyes(model) -> list[int]:
    return model.columns_of(["eyes open"])


def test_somebody_whose_mouth_is_usual_at_rest_keeps_every_number(model, talk):
    assert np.abs(rest_of(model, talk)).max() < 1e-5


@pytest.mark.parametrize("part", [mouth, eyes])
@pytest.mark.parametrize("open_at_rest", [0.8, -0.6])
def test_half_of_what_is_unusual_at_rest_is_the_drivers_own_and_goes(model, talk, part, open_at_rest):
    talk[:, part(model)] += open_at_rest
    rest = rest_of(model, talk)
    assert rest[part(model)] == pytest.approx(open_at_rest / 2, rel=0.02)
    rest[part(model)] = 0
    assert not rest.any(), "how the head is held and all else stays as it was read"


def test_how_often_and_how_far_a_mouth_opens_does_not_count(model, talk):
    wild = talk.copy()
    wild[:, mouth(model)] += 2 * (np.arange(400) % 2)[:, None]
    closed = np.quantile(talk[::2][:, mouth(model)], 0.1, axis=0) - np.quantile(talk[:, mouth(model)], 0.05, axis=0)
    assert np.abs(rest_of(model, wild)).max() <= 0.05 + np.abs(closed).max() / 2


def test_how_often_and_how_long_eyes_are_shut_does_not_count(model, talk):
    sleepy = talk.copy()
    sleepy[1::2, eyes(model)] -= 3
    opened = np.quantile(talk[:, eyes(model)], WIDE) - np.quantile(talk[::2, eyes(model)], 0.8)
    assert np.abs(rest_of(model, sleepy)[eyes(model)]).max() <= 0.05 + abs(opened) / 2


def test_few_frames_tell_little_and_a_wild_reading_is_not_followed(model, talk):
    ajar = np.repeat(talk[:1], 196, 0)
    ajar[:, eyes(model)] = np.quantile(model.pose_bank.float().numpy()[:, eyes(model)], WIDE, axis=0)
    ajar[:, mouth(model)] = np.quantile(model.pose_bank.float().numpy()[:, mouth(model)], USUAL, axis=0) + 1.0
    assert rest_of(model, ajar)[mouth(model)] == pytest.approx(0.5 * 196 / 200, abs=1e-4)
    assert rest_of(model, ajar[:4])[mouth(model)] == pytest.approx(0.5 * 4 / 8, abs=1e-4)
    talk[:, mouth(model)] += 50.0
    assert rest_of(model, talk)[mouth(model)] == pytest.approx(1.5)


def test_frames_without_a_face_do_not_count_and_none_at_all_takes_nothing(model, talk):
    talk[:, mouth(model)] += 0.8
    unseen = np.full((400, talk.shape[1]), np.nan, np.float32)
    assert np.array_equal(rest_of(model, np.concatenate((talk, unseen))), rest_of(model, talk))
    assert not rest_of(model, unseen).any()


def test_weights_that_read_no_faces_are_driven_by_what_they_read():
    plain = ReenactmentModel(configuration("published"))
    descriptors = np.ones((3, plain.configuration.descriptor_size), np.float32)
    assert rest_of(plain, descriptors).shape == (plain.configuration.descriptor_size,) and not rest_of(plain, descriptors).any()


def test_a_performance_is_what_was_read_less_the_drivers_rest_in_every_frame(model, carphone):
    clip = open_clip(carphone).trimmed(0, 1)
    track = track_head(clip)
    read = encode_crops(model, np.stack(list(head_crops(clip, track))))
    rest = rest_of(model, read)
    assert np.abs(rest).max() > 0.05
    assert np.abs(encode_pose(model, clip, track).descriptors - (read - rest)).max() < 1e-4
