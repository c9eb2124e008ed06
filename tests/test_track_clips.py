"""Tracks through real pictures: tilted heads, cuts, absence and return, several heads, bounded memory."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox, Origin
from lpd_plugin.video.tracking.detectors import Detection, overlap
from lpd_plugin.video.tracking.drawing import draw_track
from lpd_plugin.video.tracking.follower import BACKWARDS, Follower
from lpd_plugin.video.tracking.tracker import default_detector, require_head, track_head


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def man(carphone_pictures):
    return [picture.to_ndarray(format="rgb24") for picture in carphone_pictures]


@pytest.fixture(scope="module")
def woman(astronaut):
    picture = cv2.imread(str(astronaut))[:288, :400, ::-1]
    return cv2.resize(picture, (200, 144), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def carphone_track(carphone):
    return track_head(open_clip(carphone))


def clip_of(frames, rate=30):
    return BatchClip(np.stack(frames), rate)


def test_every_frame_of_the_demo_clip_is_tracked_although_the_head_tilts(carphone_track):
    assert len(carphone_track) == 120
    assert carphone_track.present.all()
    assert set(carphone_track.origin) <= {Origin.DETECTED, Origin.TRACKED}
    assert carphone_track.summary().startswith("120 frames: ")


def test_the_demo_clips_crop_glides_and_keeps_the_face_in_its_middle(carphone, carphone_track, shared):
    yunet = shared / "models" / "yunet_n_640_640.onnx"
    if not yunet.is_file():
        pytest.skip("no YuNet file on this machine")
    judge = default_detector(yunet)
    for frame in open_clip(carphone).frames():
        if frame.index % 10:
            continue
        box = carphone_track.box(frame.index)
        face = judge.detect(frame.rgb())[0]
        away = np.subtract(face.centre, (box.left + box.side / 2, box.top + box.side / 2))
        assert np.abs(away).max() < 0.16 * box.side
        assert box.side == pytest.approx(1.8 * face.side, rel=0.17)
    bend = np.diff(carphone_track.centre, n=2, axis=0)
    assert np.abs(bend).max() < 0.35  # pixels a frame, a frame


def test_a_still_is_a_track_of_one_frame(astronaut):
    track = track_head(open_clip(astronaut))
    assert len(track) == 1 and track.origin[0] == Origin.DETECTED
    box = track.box(0)
    assert box.left + box.side / 2 == pytest.approx(224, abs=12)
    assert box.top + box.side / 2 == pytest.approx(121, abs=12)
    assert box.side == pytest.approx(1.8 * 111, rel=0.1)


def test_after_a_cut_to_an_empty_picture_the_head_is_absent_and_its_return_is_the_same_track(man):
    empty = np.full_like(man[0], (60, 90, 140))
    empty[70:] = (40, 120, 40)
    track = track_head(clip_of(man[:30] + [empty] * 36 + man[80:110]))
    assert track.absent_ranges() == [(30, 65)]
    assert "no head in frames 30-65" in track.summary()
    before, after = track.centre[29], track.centre[66]
    assert np.abs(np.diff(track.centre[:30], axis=0)).max() < 3, "nothing is smoothed across the cut"
    assert np.linalg.norm(before - after) < 60


def test_a_square_jumps_with_a_cut_and_does_not_glide_towards_it(man):
    other = [np.roll(frame[:, ::-1], 40, axis=1) // 2 + 90 for frame in man[60:90]]
    track = track_head(clip_of([*man[:30], *other]))
    assert track.present.all()
    steps = np.linalg.norm(np.diff(track.centre, axis=0), axis=1)
    assert steps[29] > 15 and np.delete(steps, 29).max() < 3


def test_a_head_that_leaves_the_frame_and_comes_back_is_one_track(man):
    wide = np.hstack([np.full((144, 300, 3), 110, np.uint8), man[0], np.full((144, 300, 3), 110, np.uint8)])
    shifts = np.concatenate([np.linspace(300, 90, 36), np.full(45, 90), np.linspace(90, 300, 36)]).astype(int)
    track = track_head(clip_of([wide[:, shift : shift + 176] for shift in shifts]))
    assert track.present[:13].all() and track.present[-12:].all()
    (begin, end), = track.absent_ranges()  # fmt: skip
    assert 12 < begin < 22 and 94 < end < 106  # the face's middle crosses the edge at 15 and 101
    assert track.centre[0, 0] == pytest.approx(track.centre[-1, 0], abs=6)


def test_a_short_loss_is_bridged(man):
    """The detector misses the head for half a second while nothing can be followed in its place."""
    hidden = [frame.copy() for frame in man[:60]]
    for frame in hidden[25:37]:
        frame[20:110, 45:125] = frame[115:205, :80].mean(axis=(0, 1))
    track = track_head(clip_of(hidden), detector=default_detector())
    assert track.present.all()
    assert (track.origin[27:35] == Origin.INTERPOLATED).all()
    assert np.abs(np.diff(track.centre, axis=0)).max() < 2


@pytest.mark.parametrize(
    "which,side",
    [
        ("leftmost", "left"),
        ("rightmost", "right"),
        ("index:0", "left"),
        ("index:1", "right"),
        ("nearest:80,60", "left"),
        ("nearest:300,70", "right"),
        ("largest", "left"),
    ],
)
def test_the_head_that_is_meant_is_tracked(two_heads, which, side):
    track = track_head(two_heads, which)
    assert track.present.all()
    middle = track.centre[:, 0]
    assert (middle < 176).all() if side == "left" else (middle > 200).all()


def test_an_index_beyond_the_heads_is_bad_input(two_heads):
    with pytest.raises(BadInput, match="only 2 were seen: use 0 to 1"):
        track_head(two_heads, "index:2")


def test_a_keyframe_chooses_the_head_under_it(two_heads):
    track = track_head(two_heads, "leftmost", keyframes={4: CropBox(210, 10, 110)})
    assert track.box(4) == CropBox(210, 10, 110)
    assert track.origin[4] == Origin.MANUAL
    assert (track.centre[:, 0] > 200).all()


@pytest.fixture(scope="module")
def two_heads(man, woman):
    return clip_of([np.hstack([frame, woman]) for frame in man[:12]])


@pytest.mark.parametrize("divided_by,origin", [(12, Origin.DETECTED), (80, Origin.INTERPOLATED)])
def test_a_few_dark_frames_are_no_cut_dim_heads_are_found_and_black_ones_bridged(man, divided_by, origin):
    dark = [frame if not 20 <= index < 24 else frame // divided_by for index, frame in enumerate(man[:45])]
    track = track_head(clip_of(dark))
    assert track.present.all()
    assert (track.origin[20:24] == origin).all()
    assert np.abs(np.diff(track.centre, axis=0)).max() < 2


def test_a_clip_without_a_head_is_absent_throughout_and_said_so_in_one_sentence():
    random = np.random.default_rng(0)
    grain = random.integers(90, 120, (12, 90, 160, 3)).astype(np.uint8)
    clip = clip_of(list(grain))
    track = track_head(clip)
    assert not track.present.any() and (track.side == 0).all()
    with pytest.raises(BadInput, match="No head was found in any of the 12 frames") as error:
        require_head(track, clip)
    assert str(error.value).count(". ") == 0


class Planned:
    """Sees the given box in every picture but those without."""

    name = "planned"

    def __init__(self, boxes):
        self.boxes, self.asked = iter(boxes), 0

    def detect(self, rgb):
        self.asked += 1
        box = next(self.boxes)
        return [] if box is None else [Detection(box, 0.9, self.name)]


def test_motion_carries_the_box_between_detections(man):
    """One true box at the start, then a detector that sees nothing: the texture's motion leads."""
    still = cv2.resize(man[0], (352, 288), interpolation=cv2.INTER_CUBIC)
    face = (140.0, 60.0, 220.0, 160.0)
    frames = [np.roll(still, (index, 2 * index), axis=(0, 1)) for index in range(20)]
    follower = Follower(Planned([face] + [None] * 40), 25.0)
    for index, frame in enumerate(frames):
        follower.feed(index / 25, frame)
    (tracklet,) = follower.finish()
    boxes, _, origin = tracklet.arrays()
    assert len(boxes) == 20 and (origin[1:] == Origin.TRACKED).all()
    assert overlap(boxes[19], np.array(face) + [38, 19, 38, 19]) > 0.9


def test_a_head_first_seen_late_is_followed_back_to_where_it_came_in(man):
    still = cv2.resize(man[0], (352, 288), interpolation=cv2.INTER_CUBIC)
    face = (140.0, 60.0, 220.0, 160.0)
    follower = Follower(Planned([None, *[face] * 9]), 25.0)  # asked at frame 0, then some frames later
    for index in range(12):
        follower.feed(index / 25, still)
    (tracklet,) = follower.finish()
    assert tracklet.start == 0
    assert np.abs(tracklet.arrays()[0][0] - face).max() < 2


def test_following_holds_a_bounded_number_of_pictures(man):
    follower = Follower(Planned([(40.0, 20.0, 110.0, 110.0)] * 99), 25.0)
    for index in range(40):
        follower.feed(index / 25, man[index])
    assert len(follower.recent) == BACKWARDS
    assert all(picture.grey.nbytes <= 480 * 480 for picture in follower.recent)


def test_the_drawn_track_marks_the_square_and_leaves_the_picture_alone(man):
    before = man[0].copy()
    drawn = draw_track(man[0], CropBox(20, 10, 100), Origin.DETECTED)
    assert np.array_equal(man[0], before)
    assert (drawn[10, 20:121] == drawn[10, 20]).all() and not np.array_equal(drawn[10, 20], before[10, 20])
    assert not np.array_equal(draw_track(man[0], None, Origin.ABSENT), before)
