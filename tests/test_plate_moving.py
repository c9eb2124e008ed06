"""The clean plate of a moving camera: frames laid over each other show what is behind the head."""

import pickle

import cv2
import numpy as np
import pytest
from composite_media import fixed_track
from plate_media import COUNT, KnownScene, creeping, panning

from lpd_plugin.compositing.composite_clip import CompositeClip
from lpd_plugin.compositing.plate.camera_path import camera_path
from lpd_plugin.compositing.plate.clean_plate import clean_plate
from lpd_plugin.compositing.plate.moving_camera import MovingPlate
from lpd_plugin.compositing.plate.reach import reach_rect
from lpd_plugin.compositing.plate.still_camera import still_plate
from lpd_plugin.progress import Progress
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scene(shared) -> KnownScene:
    return KnownScene(shared, panning, swing=60)


@pytest.fixture(scope="module")
def plate(scene):
    return clean_plate(scene.clip, scene.track, scene.head_matte)


@pytest.fixture(scope="module")
def hiding(shared) -> KnownScene:
    """Much of the background is never seen."""
    return KnownScene(shared, creeping, swing=0)


@pytest.fixture(scope="module")
def hiding_plate(hiding):
    return clean_plate(hiding.clip, hiding.track, hiding.head_matte)


def place(scene, index: int) -> Rect:
    return reach_rect(scene.track.box(index), 640, 400)


def test_the_cameras_way_is_found_beside_the_head(scene):
    path = camera_path(scene.clip, scene.track, Progress())
    assert path.shots() == [(0, COUNT)]
    for source, target in ((0, 35), (30, 7)):
        start, end = (np.vstack([scene.camera(n), [0, 0, 1]]) for n in (source, target))
        truth = np.linalg.inv(end) @ start
        corners = np.float64([[20, 20, 1], [620, 20, 1], [320, 200, 1], [620, 380, 1]]).T
        missed = (path.between(source, target) @ corners)[:2] - (truth @ corners)[:2]
        assert np.abs(missed).max() < 2  # pixels, after 35 frames and 220 pixels of way


def test_a_cut_begins_another_shot(scene, astronaut):
    other = cv2.resize(next(open_clip(astronaut).frames()).rgb(), (640, 400))
    frames = [scene.clip.integers(i) for i in range(6)] + [other] * 5
    clip = BatchClip(np.stack(frames))
    track = fixed_track(clip.timestamps(), (320, 228), 256, (640, 400), absent=range(6, 11))
    assert camera_path(clip, track, Progress()).shots() == [(0, 6), (6, 11)]


@pytest.mark.parametrize("index", [5, 18, 29])
def test_the_plate_is_the_true_background_wherever_it_was_seen(scene, plate, index):
    assert isinstance(plate, MovingPlate)
    rect = place(scene, index)
    rgb, confidence = plate.at(index, rect)
    seen = scene.seen(4, index)[rect.slices()]
    hidden = scene.clear(index)[rect.slices()] == 0
    error = np.abs(rgb - scene.truth_at(index)[rect.slices()])[seen & hidden] * 255
    assert (seen & hidden).sum() > 5000  # the question is not trivial
    assert error.mean() < 8
    assert confidence[seen & hidden].mean() > 0.3


def test_what_was_never_seen_has_no_confidence(hiding, hiding_plate):
    rect = place(hiding, 18)
    _, confidence = hiding_plate.at(18, rect)
    never = (~hiding.seen(1, 18, alpha=0.5)[rect.slices()]).astype(np.uint8)
    inner = cv2.erode(never, np.ones((11, 11), np.uint8)) > 0
    assert inner.sum() > 5000
    assert (confidence[inner] > 0.05).mean() < 0.01


def test_a_frames_plate_does_not_depend_on_what_was_asked_before(scene, plate):
    rect = place(scene, 22)
    one = plate.at(22, rect)
    fresh = pickle.loads(pickle.dumps(MovingPlate(plate.clip, plate.track, plate.path, None, "")))
    forwards = MovingPlate(plate.clip, plate.track, plate.path, None, "")
    for index in (3, 9, 21, 34):
        forwards.at(index, place(scene, index))
    assert all(np.array_equal(a, b) for a, b in zip(fresh.at(22, rect), forwards.at(22, rect)))
    assert all(np.array_equal(a, b) for a, b in zip(one, plate.at(22, rect)))


def test_the_invented_part_does_not_flicker(hiding, hiding_plate):
    """Brought along by the camera's motion, the next frame's plate is this one's; also across a key, here frame 24."""
    changes = []
    for index in (16, 17, 22, 23, 24):
        rect = place(hiding, index)
        now, later = (hiding_plate.at(n, rect)[0] for n in (index, index + 1))
        before, after = (np.vstack([hiding.camera(n), [0, 0, 1]]) for n in (index, index + 1))
        here = np.array([[1, 0, rect.left], [0, 1, rect.top], [0, 0, 1]])
        ahead = (np.linalg.inv(here) @ np.linalg.inv(after) @ before @ here)[:2]
        carried = cv2.warpAffine(later, ahead, (rect.width, rect.height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        changes.append(np.abs(now - carried)[40:-20, 40:-40].mean() * 255)
    assert max(changes) < 2.5
    assert np.ptp(changes) < 1


def test_with_the_head_removed_the_frames_are_the_background(scene, plate):
    removed = CompositeClip(scene.clip, scene.track, None, plate, head_matte=scene.head_matte)
    frame = next(removed.frames(18))
    left = scene.left[18]
    face = np.s_[130:270, left + 60 : left + 200]
    seen = scene.seen(4, 18)[face]
    before = np.abs(scene.clip.integers(18)[face] / 255.0 - scene.truth_at(18)[face])[seen].mean() * 255
    after = np.abs(frame.rgb()[face] / 255.0 - scene.truth_at(18)[face])[seen].mean() * 255
    assert seen.mean() > 0.3
    assert after < 9
    assert after < before / 3


def test_only_so_many_frames_are_held(scene, plate):
    held = MovingPlate(plate.clip, plate.track, plate.path, None, "")
    for index in range(0, COUNT, 5):
        held.at(index, place(scene, index))
    assert len(held.seen.reader._pictures) <= held.seen.kept
    assert len(held.seen.known) <= held.seen.kept
    assert len(held._parts) <= 8


@pytest.mark.parametrize(("name", "moving"), [("foot_01_static_1080p.mp4", False), ("foot_03_moving_camera.mp4", True)])
def test_real_cameras_are_told_apart(footage, name, moving):
    clip = open_clip(footage / name)
    centre, side = ((947, 377), 427) if not moving else ((740, 250), 562)
    track = fixed_track(clip.timestamps(), centre, side, (clip.info.width, clip.info.height))
    assert (still_plate(clip, track, None, 7, Progress()) is None) is moving
