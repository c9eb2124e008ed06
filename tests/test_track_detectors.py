"""Detectors: faces found where they are, framed as YuNet frames them, and none where there are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.video.tracking.cascade import CascadeDetector, cascades_available
from lpd_plugin.video.tracking.detectors import Detection, DetectorChain, overlap, without_duplicates
from lpd_plugin.video.tracking.follower import BEGIN_SCORE
from lpd_plugin.video.tracking.finder import HeadFinderDetector, load_finder
from lpd_plugin.video.tracking.tracker import default_detector
from lpd_plugin.video.tracking.yunet import YuNetDetector

ASTRONAUT_FACE = (178.1, 65.0, 269.5, 176.4)  # by YuNet


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def portrait(astronaut):
    return cv2.imread(str(astronaut))[..., ::-1].copy()


@pytest.fixture(scope="module")
def finder():
    return HeadFinderDetector()


def scaled(rgb, factor):
    return cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("factor", [0.35, 1.0, 3.0])
def test_the_finder_finds_the_portraits_face_at_any_picture_size(finder, portrait, factor):
    found = [one for one in finder.detect(scaled(portrait, factor)) if one.score >= BEGIN_SCORE]
    assert len(found) == 1
    assert overlap(np.array(found[0].box) / factor, ASTRONAUT_FACE) > 0.75


@pytest.mark.parametrize("share", [0.6, 0.18, 0.09])
def test_the_finder_finds_large_and_small_faces(finder, portrait, share):
    """share: of the face's height in the picture's longer side."""
    if share > 0.3:
        side = int(111 / share)
        left, top = 224 - side // 2, max(0, 121 - side // 2)
        picture, corner, factor = portrait[top : top + side, left : left + side], (left, top), 1.0
    else:
        factor = 720 * share / 111
        picture = np.full((720, 720, 3), 90, np.uint8)
        small = scaled(portrait, factor)
        small = small[:500, :400]
        picture[200 : 200 + small.shape[0], 300 : 300 + small.shape[1]] = small
        corner = (-300 / factor, -200 / factor)
    best = finder.detect(picture)[0]
    box = np.array(best.box) / factor + np.array([*corner, *corner])
    assert overlap(box, ASTRONAUT_FACE) > 0.65


@pytest.mark.parametrize("tilt", [-40, 40])
def test_the_finder_finds_tilted_faces(finder, portrait, tilt):
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((224, 121), tilt, 1.0), (512, 512))
    best = finder.detect(turned)[0]
    assert np.hypot(best.centre[0] - 224, best.centre[1] - 121) < 15
    assert 90 < best.side < 150


def test_the_finder_sees_nobody_in_plain_and_noisy_pictures(finder):
    noise = np.random.default_rng(3).integers(0, 256, (360, 480, 3)).astype(np.uint8)
    assert finder.detect(np.zeros((360, 480, 3), np.uint8)) == []
    assert finder.detect(noise) == []


def test_missing_finder_weights_are_bad_input(tmp_path):
    with pytest.raises(BadInput, match="weights are missing"):
        load_finder(tmp_path / "none.safetensors")


@pytest.mark.skipif(not cascades_available(), reason="this OpenCV has no cascades")
def test_the_cascades_box_is_framed_as_yunets(portrait):
    found = CascadeDetector().detect(portrait)
    assert max(overlap(one.box, ASTRONAUT_FACE) for one in found) > 0.75


@pytest.mark.skipif(not cascades_available(), reason="this OpenCV has no cascades")
def test_the_cascades_find_a_tilted_face_in_turned_copies(portrait):
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((224, 121), -40, 1.0), (512, 512))[:240, :400]

    def face(detector):
        return [one for one in detector.detect(turned) if overlap(one.box, ASTRONAUT_FACE) > 0.5]

    assert face(CascadeDetector(tilted=False)) == []
    assert len(face(CascadeDetector())) == 1


def test_yunet_agrees_where_its_file_is_at_hand(portrait, shared):
    path = shared / "models" / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip("no YuNet file on this machine")
    assert overlap(default_detector(path).detect(portrait)[0].box, ASTRONAUT_FACE) > 0.95


def test_a_wrong_yunet_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no YuNet file"):
        YuNetDetector(tmp_path / "missing.onnx")
    (tmp_path / "wrong.onnx").write_bytes(b"not a network")
    with pytest.raises(BadInput, match="not a YuNet ONNX file"):
        YuNetDetector(tmp_path / "wrong.onnx")


def test_a_missing_landmarker_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no face landmarker file"):
        default_detector(landmarker=tmp_path / "missing.task")


class Fixed:
    """A detector that always sees the same and counts how often it was asked."""

    name = "fixed"

    def __init__(self, *boxes):
        self.boxes, self.asked = boxes, 0

    def detect(self, rgb):
        self.asked += 1
        return [Detection(box, 0.9, self.name) for box in self.boxes]


def test_the_chain_asks_the_next_detector_only_for_what_is_missing():
    a, b = (0, 0, 10, 10), (50, 50, 60, 60)
    first, second = Fixed(a), Fixed(b)
    chain = DetectorChain([first, second])
    picture = np.zeros((80, 80, 3), np.uint8)
    assert [one.box for one in chain.detect(picture)] == [a]
    assert second.asked == 0
    assert [one.box for one in chain.detect(picture, looking_for=[a, b])] == [a, b]
    assert second.asked == 1


def test_of_overlapping_faces_the_surest_stays():
    sure, unsure, other = (
        Detection((0, 0, 10, 10), 0.9, "x"),
        Detection((1, 1, 11, 11), 0.5, "x"),
        Detection((40, 0, 50, 10), 0.4, "x"),
    )
    assert without_duplicates([unsure, other, sure]) == [sure, other]


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
