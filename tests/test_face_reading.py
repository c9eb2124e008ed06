"""What is read off a face: how the head is held and what mouth and eyes do, the same numbers for everybody."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from training_runs import two_persons

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.face_marks import MIRRORED, FaceMarks, marks_of, where_it_looks
from lpd_plugin.learning.face_measures import FITTED, HELD, NAMES, mean_shape, measures, rough_shape, without_usual
from lpd_plugin.learning.face_pictures import MeasuredFaces, ShownFaces, bent, moved_points
from lpd_plugin.learning.face_reader_training import FaceReaderConfig, FaceReaderTraining
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_model

ROLL, YAW, LIPS, WIDTH = (NAMES.index(name) for name in ("roll", "yaw", "lips apart", "mouth width"))


def turned(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """(N, 68, 2) points of the rough face turned by radians, a fifth of the side large, in the middle."""

    def about(axis: int, angle: np.ndarray) -> np.ndarray:
        a, b = [k for k in range(3) if k != axis]
        matrix = np.tile(np.eye(3), (len(angle), 1, 1))
        sign = -1 if axis == 1 else 1
        matrix[:, a, a] = matrix[:, b, b] = np.cos(angle)
        matrix[:, a, b], matrix[:, b, a] = -sign * np.sin(angle), sign * np.sin(angle)
        return matrix

    rotation = about(2, roll) @ about(1, yaw) @ about(0, pitch)
    return 0.5 + 0.2 * np.einsum("nij,pj->npi", rotation, rough_shape())[..., :2]


@pytest.fixture(scope="module")
def angles() -> np.ndarray:
    """(3, 200) yaw, pitch and roll in radians."""
    return np.random.default_rng(0).uniform(-0.4, 0.4, (3, 200))


def test_turn_nod_and_tilt_are_found_again_from_the_points_alone(angles):
    points = turned(*angles)
    shape = mean_shape(points)
    found = measures(points, np.zeros(len(points)), shape)
    for wanted, name in zip(angles, ("yaw", "pitch", "roll")):
        assert np.corrcoef(found[:, NAMES.index(name)], wanted)[0, 1] > 0.98, name
    assert np.abs(found[:, ROLL] - angles[2]).mean() < 0.05


def test_an_opening_mouth_is_measured_and_nothing_else_changes():
    closed = turned(*np.zeros((3, 2)))
    opened = closed.copy()
    opened[1, 65:68, 1] += 0.03
    shape = rough_shape() / rough_shape()[FITTED].std()
    difference = np.diff(measures(opened, np.zeros(2), shape), axis=0)[0]
    assert difference[LIPS] > 0.1
    still = [k for k, name in enumerate(NAMES) if name not in ("lips apart", "corners up", "lips forward")]
    assert np.abs(difference[still]).max() < 1e-6


def test_a_mirrored_face_looks_the_other_way_and_its_mirror_is_itself(angles):
    points = turned(*angles)
    marks = FaceMarks(points, np.full(len(points), 0.1))
    assert np.allclose(marks.mirrored().mirrored().points, points) and (MIRRORED[MIRRORED] == np.arange(68)).all()
    shape = mean_shape(np.concatenate((points, marks.mirrored().points)))
    own, other = (measures(m.points, m.gaze, shape) for m in (marks, marks.mirrored()))
    assert np.allclose(other[:, [ROLL, YAW, -1]], -own[:, [ROLL, YAW, -1]], atol=1e-6)
    assert np.allclose(other[:, HELD:-1], own[:, HELD:-1], atol=1e-6)


def test_a_mouth_that_is_always_wide_is_how_somebody_looks():
    values = np.zeros((20, len(NAMES)))
    values[:10, WIDTH] = 1.0
    less = without_usual(values, [np.arange(10), np.arange(10, 20)])
    assert 0 < less[0, WIDTH] - less[10, WIDTH] < 0.5


def test_where_an_eye_looks_is_where_its_dark_part_lies():
    picture = np.full((200, 200, 3), 230, np.uint8)
    points = np.zeros((68, 2))
    for first, x in ((36, 40), (42, 110)):
        eye = [(0, 0), (14, -8), (30, -8), (44, 0), (30, 8), (14, 8)]
        points[first : first + 6] = (np.array(eye) + (x, 100)) / 200
        cv2.circle(picture, (x + 14, 100), 7, (20, 20, 20), -1)
    assert where_it_looks(picture, points) == pytest.approx(14 / 44 - 0.5, abs=0.06)
    assert where_it_looks(picture[:, ::-1], FaceMarks(points[None], np.zeros(1)).mirrored().points[0]) > 0.1


@pytest.fixture(scope="module")
def read(carphone):
    """What the embedded reader reads of the talking man, every tenth frame; and of pictures of him."""
    model = load_model()

    @torch.inference_mode()
    def numbers(pictures: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
        return model.pose_encoder.read_face(tensor).numpy()

    return numbers


@pytest.fixture(scope="module")
def man(carphone) -> np.ndarray:
    return np.stack([crop_square(f.rgb(), CropBox(25, 5, 110), 256) for f in open_clip(carphone).frames()])


def test_the_embedded_reader_sees_a_head_tilt_and_a_mirror(read, man):
    upright = man[10]
    tilted = cv2.warpAffine(upright, cv2.getRotationMatrix2D((128, 128), -12, 1), (256, 256), borderMode=cv2.BORDER_REFLECT)
    one, other, mirrored = read(np.stack((upright, tilted, upright[:, ::-1])))
    assert other[ROLL] - one[ROLL] > 1.0  # spreads; clockwise, as in y down
    assert abs(mirrored[ROLL] + one[ROLL]) < 0.5 and abs(mirrored[YAW] + one[YAW]) < 0.5


def test_the_embedded_reader_sees_the_two_moments_at_which_the_man_opens_his_mouth(read, man):
    lips = np.concatenate([read(part) for part in np.array_split(man, 15)])[:, LIPS]
    assert lips[[60, 110]].min() > 2.5 and lips[[0, 30, 119]].max() < 0.6
    assert 0.6 < lips[80] < 2.0  # half open


def test_a_reader_stopped_and_resumed_learns_the_same(carphone, astronaut, tmp_path):
    store = two_persons(carphone, astronaut)
    angles = np.random.default_rng(1).uniform(-0.4, 0.4, (3, store.count))
    faces = MeasuredFaces(store, FaceMarks(turned(*angles), angles[0] * 0.1))
    config = FaceReaderConfig(steps=4, batch=4, log_steps=2)
    FaceReaderTraining(config, faces, tmp_path / "whole", faces).run()
    parts = FaceReaderTraining(config, faces, tmp_path / "parts", faces)
    parts.train_step(), parts.train_step()
    (tmp_path / "parts").mkdir()
    parts.save()
    FaceReaderTraining(config, faces, tmp_path / "parts", faces).run()
    whole, again = (FaceReaderTraining(config, faces, tmp_path / n, faces).average.state_dict() for n in ("whole", "parts"))
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
    assert len((tmp_path / "whole" / "log.csv").read_text().splitlines()) == 3


def test_a_turned_view_of_a_face_has_the_turned_points_measures(carphone, astronaut):
    store = two_persons(carphone, astronaut)
    angles = np.random.default_rng(1).uniform(-0.1, 0.1, (3, store.count))
    faces = MeasuredFaces(store, FaceMarks(turned(*angles), np.zeros(store.count)))
    pictures, values, points = ShownFaces(faces, 16, 64, seed=0).at(3)
    assert points.shape == (16, 68, 2)
    assert pictures.shape == (16, 3, 64, 64) and 0 <= pictures.min() and pictures.max() <= 1
    assert values.shape == (16, configuration("compact").face_size) and values[:, ROLL].abs().max() > 1.5


def test_points_lie_where_the_bent_and_turned_view_shows_them():
    dots = np.random.default_rng(4).uniform(-0.5, 0.5, (1, 3, 2))
    side, bends = 256, torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0)) * 0.04
    turn = np.array([[[1.1, -0.3, 0.05], [0.3, 1.1, -0.1], [0, 0, 1.0]]])
    axis = (np.arange(side) * 2 + 1) / side - 1
    places = torch.from_numpy(np.stack(np.meshgrid(axis, axis), -1))[None].float()
    back = torch.from_numpy(np.linalg.inv(turn)).float()
    seen = torch.einsum("bij,bhwj->bhwi", back[:, :2, :2], places) + back[:, None, None, :2, 2] + bent(bends, places)
    for dot, found in zip(dots[0], moved_points(dots, turn, bends)[0]):
        nearest = np.unravel_index(np.abs(seen[0].numpy() - dot).sum(-1).argmin(), (side, side))
        assert np.abs(axis[list(nearest[::-1])] - found).max() < 2 / side * 1.5


def test_labels_of_other_data_are_refused_and_missing_packages_are_named(carphone, astronaut, tmp_path, monkeypatch):
    store, cache = two_persons(carphone, astronaut), tmp_path / "points.npz"
    np.savez_compressed(cache, points=np.zeros((3, 68, 2)), gaze=np.zeros(3))
    with pytest.raises(BadInput, match="is of 3 pictures, the data of 40"):
        marks_of(store, cache)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install dlib-bin face-recognition-models"):
        marks_of(store, tmp_path / "other.npz")
