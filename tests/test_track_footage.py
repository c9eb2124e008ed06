"""Tracks through real shots, held against YuNet."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.detectors import overlap
from lpd_plugin.video.tracking.selection import chosen_head, parse_which
from lpd_plugin.video.tracking.tracker import default_detector, raw_boxes, see_heads, track_head


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def judge(shared):
    path = shared / "models" / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip("no YuNet file on this machine")
    return default_detector(path)


def shot(footage, name, start, end):
    return open_clip(footage / name).trimmed(Fraction(start), Fraction(end))


def agreement(clip, judge, which="largest", every=6):
    """IoU with the judge's nearest face where both see one, and the frames where only the judge does."""
    seen = see_heads(clip)
    boxes, _, origin = raw_boxes(seen, chosen_head(seen.heads, parse_which(which)))
    shares, missed = [], []
    for frame in clip.frames():
        if frame.index % every:
            continue
        faces = [one.box for one in judge.detect(frame.rgb())]
        if faces and not origin[frame.index]:
            missed.append(frame.index)
        elif faces:
            shares.append(max(overlap(face, boxes[frame.index]) for face in faces))
    return np.array(shares), missed


@pytest.mark.parametrize(
    "name,start,least",
    [
        ("foot_01_static_1080p.mp4", 0, 0.7),
        ("foot_06_profile.mp4", 2, 0.65),
        ("foot_07_occlusion_second_person.mp4", 2, 0.75),
        ("foot_08_static_vertical.mp4", 1, 0.8),
    ],
)
def test_the_raw_boxes_agree_with_yunet(footage, judge, name, start, least):
    shares, missed = agreement(shot(footage, name, start, start + 1), judge)
    assert missed == []
    assert len(shares) >= 4 and shares.mean() > least and shares.min() > 0.5


def test_after_the_hard_cut_the_head_is_absent_to_the_end(footage):
    track = track_head(shot(footage, "foot_05_face_lost.mp4", Fraction(22, 10), Fraction(36, 10)))
    ((begin, end),) = track.absent_ranges()
    assert abs(track.times[begin] + 2.2 - 72 / 26.4) < 0.06
    assert end == len(track) - 1


def test_of_two_people_each_choice_stays_with_its_own(footage):
    clip = shot(footage, "foot_04_two_people.mp4", 0, 2)
    width = clip.info.width
    left, right = track_head(clip, "leftmost"), track_head(clip, "rightmost")
    assert left.present.all() and right.present.all()
    assert (left.centre[:, 0] < 0.45 * width).all() and (right.centre[:, 0] > 0.5 * width).all()
    assert np.abs(np.diff(left.centre, axis=0)).max() < 6


def test_a_covered_face_at_the_start_is_absent_and_no_hand_is_taken_for_it(footage):
    clip = shot(footage, "foot_07_occlusion_second_person.mp4", 0, Fraction(6, 5))
    track = track_head(clip)
    assert track.present[14:].all()
    on_face = np.abs(track.centre[track.present] - track.centre[-1]).max(axis=1)
    assert (on_face < 0.5 * track.side[-1]).all()


@pytest.mark.parametrize(
    "name,start,end",
    [
        ("foot_07_occlusion_second_person.mp4", 1, Fraction(13, 10)),
        ("foot_06_profile.mp4", Fraction(44, 10), Fraction(46, 10)),
    ],
)
def test_a_head_seen_faintly_is_found_in_a_shot_of_a_few_frames(footage, judge, name, start, end):
    clip = shot(footage, name, start, end)
    shares, missed = agreement(clip, judge, every=1)
    assert len(clip.timestamps()) <= 8 and missed == []
    assert shares.min() > 0.5


def test_a_raised_fist_in_a_short_shot_is_no_head(footage):
    """The finder is as sure of it as of the woman behind the hand, but it races up the picture's edge."""
    track = track_head(shot(footage, "foot_07_occlusion_second_person.mp4", 0, Fraction(3, 10)))
    assert not track.present.any()
