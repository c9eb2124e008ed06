"""What is read off a face: how the head is held and what mouth and eyes do, the same numbers for everybody."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from training_runs import two_persons

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.face_marks import MIRRORED, FaceMarks, marks_of, where_it_looks
from lpd_plugin.learning.face_measures import mean_shape, measures, without_usual
from lpd_plugin.learning.face_pictures import MeasuredFaces, ShownFaces, bent, moved_points
from lpd_plugin.learning.face_reader_training import FaceReaderConfig, FaceReaderTraining
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.face_pose import FITTED, fit_held, rough_shape
from lpd_plugin.networks.face_reader import FACE_VIEW, GRIN, HELD, NAMES, SEEN, face_view, mirrored
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


def test_the_closed_form_of_how_a_head_is_held_is_the_orthonormal_fit(angles):
    points, shape = torch.from_numpy(turned(*angles)), torch.from_numpy(rough_shape() - rough_shape().mean(0))
    held = fit_held(points, shape)
    affine = (points - points.mean(1, keepdim=True)).mT @ shape @ torch.linalg.inv(shape.T @ shape)
    u, sizes, v = torch.linalg.svd(affine, full_matrices=False)
    assert (held.rotation[:, :2] - u @ v).abs().max() < 2e-3 and (held.scale - sizes.mean(1)).abs().max() < 2e-4
    assert (held.rotation @ held.rotation.mT - torch.eye(3)).abs().max() < 3e-3


def test_points_that_all_lie_in_one_place_have_numbers_and_gradients():
    points = torch.zeros(1, 68, 2, requires_grad=True)
    numbers = fit_held(points, torch.from_numpy(rough_shape()).float()).numbers()
    numbers.sum().backward()
    assert numbers.isfinite().all() and points.grad.isfinite().all()


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


def test_a_descriptor_says_of_a_mirrored_face_what_it_says_of_the_face_the_other_way_round(man):
    model, pictures = load_model(), torch.from_numpy(man[[10, 60]]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        face, other = (model.pose_encoder(p)[:, model.configuration.pose_size :] for p in (pictures, pictures.flip(3)))
    assert torch.allclose(other, mirrored(face), atol=1e-4) and (mirrored(face) - face).abs().max() > 0.3


def test_the_points_that_are_read_off_lie_on_the_face_and_move_with_it(man):
    """A crop 16 px further left and up shows the face so much further right and down."""
    model, wide = load_model(), np.pad(man[10], ((16, 0), (16, 0), (0, 0)), mode="edge")
    pictures = torch.from_numpy(np.stack((man[10], wide[:256, :256]))).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        _, points, _ = model.pose_encoder.face.looked(face_view(pictures, model.pose_encoder.size))
    one, moved = ((points.numpy() * FACE_VIEW + 1) / 2 * 256)
    assert np.abs((moved - one) - 16).mean() < 2
    eyes, nose, mouth = one[36:48].mean(0), one[30], one[48:68].mean(0)
    assert eyes[1] < nose[1] < mouth[1]
    dark = [man[10][round(y), round(x)].mean() for x, y in one[[37, 38, 40, 41, 43, 44, 46, 47]]]
    assert np.mean(dark) < man[10][round(nose[1]), round(nose[0])].mean() - 40  # eyes, and a lit nose


def test_the_embedded_reader_sees_the_two_moments_at_which_the_man_opens_his_mouth(read, man):
    numbers = np.concatenate([read(part) for part in np.array_split(man, 15)])
    lips = numbers[:, LIPS]
    assert lips[[60, 110]].min() > 2.5 and lips[[0, 30, 119]].max() < 0.6
    assert 0.6 < lips[80] < 2.0  # half open
    assert np.corrcoef(lips, numbers[:, NAMES.index("jaw down")])[0, 1] > 0.999  # one opening, told twice


def test_lips_that_a_grin_draws_apart_are_no_opened_mouth(man):
    """What is read of an opening is what the mouth itself looks like, less a share of how wide it is."""
    model, looked = load_model(), []
    face = model.pose_encoder.face
    pictures = torch.from_numpy(man[[10, 60]]).permute(0, 3, 1, 2).float() / 255
    watch = face.mouth.register_forward_hook(lambda _, views, opening: looked.append(opening))
    with torch.inference_mode():
        numbers = face.looked(face_view(pictures, model.pose_encoder.size))[0]
    watch.remove()
    width = numbers[:, NAMES.index("mouth width")]
    assert width.abs().min() > 0.1
    for name in ("lips apart", "jaw down"):
        assert torch.allclose(numbers[:, NAMES.index(name)], looked[0][:, SEEN.index(name)] - GRIN * width, atol=1e-5)
    assert torch.allclose(numbers[:, NAMES.index("lips forward")], looked[0][:, SEEN.index("lips forward")], atol=1e-5)


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


def test_where_lips_meet_and_how_far_they_are_apart_can_be_learned_from_marks_of_their_own(carphone, astronaut):
    store, random = two_persons(carphone, astronaut), np.random.default_rng(1)
    marks, others = (FaceMarks(turned(*random.uniform(-0.1, 0.1, (3, store.count))), np.zeros(store.count)) for _ in range(2))
    others.points[:, [65, 66, 67, 56, 57, 58], 1] += random.uniform(0, 0.05, (store.count, 1))
    seam = marks.with_seam_of(others)
    assert np.array_equal(seam.points[:, 60:], others.points[:, 60:]) and np.array_equal(seam.points[:, :60], marks.points[:, :60])
    plain, both, seen = MeasuredFaces(store, seam), MeasuredFaces(store, seam, mouths=others), np.isin(NAMES, SEEN)
    assert np.array_equal(both.measured[:, ~seen], plain.measured[:, ~seen])
    assert np.allclose(both.measured[:, seen], measures(others.points, others.gaze, both.shape)[:, seen])
    for faces in (both, plain):  # the same rows are drawn, and nothing is clamped
        faces.unusual, faces.opening = plain.unusual, 1.0
        faces.centre, faces.spread = np.zeros(len(NAMES)), np.ones(len(NAMES))
    # So it is in views that are moved, bent and mirrored.
    (_, values, points), (_, bare, places) = (ShownFaces(faces, 8, 32, seed=0).at(5) for faces in (both, plain))
    assert torch.equal(values[:, ~seen], bare[:, ~seen]) and torch.equal(points, places)
    told = values[:, LIPS] - bare[:, LIPS]
    other = ShownFaces(MeasuredFaces(store, others), 8, 32, seed=0)
    other.faces.unusual, other.faces.opening, other.faces.shape = plain.unusual, 1.0, both.shape
    other.faces.centre, other.faces.spread = np.zeros(len(NAMES)), np.ones(len(NAMES))
    assert torch.allclose(values[:, LIPS], other.at(5)[1][:, LIPS], atol=2e-2) and told.abs().max() > 0.05


def test_a_chin_that_bending_made_longer_is_no_opener_mouth(carphone, astronaut):
    store = two_persons(carphone, astronaut)
    faces = MeasuredFaces(store, FaceMarks(turned(*np.random.default_rng(1).uniform(-0.1, 0.1, (3, store.count))), np.zeros(store.count)))
    shown, rows, mirror = ShownFaces(faces, 4, 64, seed=0), np.array([0, 1, 2, 3]), np.array([False, True, False, True])
    before = np.where(mirror[:, None], faces.measured_mirrored[rows], faces.measured[rows])
    longer = np.zeros_like(before)
    longer[:, [NAMES.index("jaw down"), LIPS, NAMES.index("pitch")]] = 0.1
    gained = shown._meant(before + longer, rows, mirror) - shown._meant(before, rows, mirror)
    assert np.allclose(gained[:, NAMES.index("jaw down")], 0.03)  # of a person's own jaw 0.7 are taken out
    assert np.allclose(gained[:, LIPS], 0.1) and np.allclose(gained[:, NAMES.index("pitch")], 0.1)


def test_an_opening_mouth_is_one_number_told_twice_the_sum_of_lips_jaw_and_lips_forward(carphone, astronaut):
    store, random = two_persons(carphone, astronaut), np.random.default_rng(1)
    points = turned(*random.uniform(-0.1, 0.1, (3, store.count)))
    opened = random.uniform(0, 0.05, store.count)
    points[:, [5, 6, 7, 8, 9, 10, 11, 65, 66, 67, 56, 57, 58], 1] += opened[:, None]  # the jaw goes down with the lower lip
    faces = MeasuredFaces(store, FaceMarks(points, np.zeros(store.count)))
    apart = (faces.values - faces.centre) / faces.spread
    told = faces.standard(faces.values)
    lips, jaw, forward = (NAMES.index(name) for name in ("lips apart", "jaw down", "lips forward"))
    assert np.allclose(told[:, lips], told[:, jaw]) and np.corrcoef(told[:, lips], opened)[0, 1] > 0.95
    grins = GRIN * apart[:, NAMES.index("mouth width")]  # lips that a grin draws apart
    assert np.corrcoef(told[:, lips] + grins, apart[:, [lips, jaw, forward]].sum(1))[0, 1] == pytest.approx(1)
    others = [k for k in range(len(NAMES)) if k not in (lips, jaw)]
    assert np.array_equal(told[:, others], apart[:, others])
    both = np.concatenate((faces.values, without_usual(faces.measured_mirrored, faces.persons)))
    everything = faces.standard(both)
    whole = everything[:, lips] + GRIN * everything[:, NAMES.index("mouth width")]
    assert whole.std() == pytest.approx(1, abs=1e-3)  # as every other number
    assert np.array_equal(MeasuredFaces(store, faces.marks, faces).standard(faces.values), told)  # held-out faces, measured alike


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
