"""Boxes set by hand win, lead between each other and fade into the track; choices that make no sense are said."""

from __future__ import annotations

import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.video.track import CropBox, Origin, Track
from lpd_plugin.video.tracking.by_hand import checked_keyframes, with_keyframes
from lpd_plugin.video.tracking.selection import parse_which


def track(count=100, found=True, rate=25):
    origin = Origin.DETECTED if found else Origin.ABSENT
    return Track(
        np.arange(count) / rate,
        np.full((count, 2), 100.0 * found, np.float32),
        np.full(count, 50.0 * found, np.float32),
        np.full(count, 0.8 * found, np.float32),
        np.full(count, origin, np.uint8),
        (400, 300),
    )


def test_keyframes_are_exact_and_straight_between_each_other():
    edited = with_keyframes(track(), {20: CropBox(0, 0, 40), 40: CropBox(100, 60, 80)}, [])
    assert edited.box(20) == CropBox(0, 0, 40) and edited.box(40) == CropBox(100, 60, 80)
    middle = edited.box(30)
    assert (middle.left, middle.top, middle.side) == pytest.approx((50, 30, 60))
    assert list(edited.origin[[20, 30, 40]]) == [Origin.MANUAL, Origin.INTERPOLATED, Origin.MANUAL]


def test_a_correction_fades_into_the_track_without_a_jump():
    edited = with_keyframes(track(), {50: CropBox(95, 75, 50)}, [])  # 20 pixels to the right
    assert edited.centre[50, 0] == 120
    assert np.abs(np.diff(edited.centre[:, 0])).max() < 1.5
    assert edited.centre[10, 0] == edited.centre[90, 0] == 100
    assert edited.origin[51] == Origin.DETECTED


def test_a_correction_stops_at_a_cut():
    edited = with_keyframes(track(), {50: CropBox(95, 75, 50)}, [55])
    assert edited.centre[54, 0] > 118 and edited.centre[55, 0] == 100


def test_where_nothing_was_found_one_keyframe_holds_throughout():
    edited = with_keyframes(track(found=False), {30: CropBox(10, 20, 60)}, [])
    assert edited.present.all()
    assert edited.box(0) == edited.box(99) == CropBox(10, 20, 60)
    assert edited.origin[30] == Origin.MANUAL and edited.origin[31] == Origin.INTERPOLATED


@pytest.mark.parametrize(
    "keyframes,said",
    [({-1: CropBox(0, 0, 5)}, "no frame number"), ({3: CropBox(0, 0, 0)}, "no area"), ({3: CropBox(0, float("nan"), 4)}, "no area")],
)
def test_keyframes_that_make_no_sense_are_bad_input(keyframes, said):
    with pytest.raises(BadInput, match=said):
        checked_keyframes(keyframes)


def test_a_keyframe_beyond_the_clip_is_bad_input():
    with pytest.raises(BadInput, match="beyond the clip's last frame 99"):
        with_keyframes(track(), {100: CropBox(0, 0, 5)}, [])


@pytest.mark.parametrize("text", ["biggest", "index", "index:-1", "index:1.5", "nearest:3", "nearest:a,b", "largest:2", ""])
def test_an_unclear_choice_of_head_is_bad_input(text):
    with pytest.raises(BadInput, match="not clear: use largest"):
        parse_which(text)


def test_tracks_are_saved_and_loaded_whole(tmp_path):
    edited = with_keyframes(track(), {50: CropBox(95, 75, 50)}, [])
    edited.save(tmp_path / "head.track.npz")
    loaded = Track.load(tmp_path / "head.track.npz")
    assert loaded.frame_size == (400, 300)
    for name in ("times", "centre", "side", "confidence", "origin"):
        assert np.array_equal(getattr(loaded, name), getattr(edited, name))
    assert [path.name for path in tmp_path.iterdir()] == ["head.track.npz"]
    (tmp_path / "broken.npz").write_bytes((tmp_path / "head.track.npz").read_bytes()[:300])
    with pytest.raises(BadInput, match="not a saved head track"):
        Track.load(tmp_path / "broken.npz")


def test_a_tracks_summary_names_the_frames_without_a_head():
    partly = with_keyframes(track(10, found=False), {}, [])
    partly.origin[2:5] = Origin.DETECTED
    assert partly.summary() == "10 frames: 7 absent, 3 detected; no head in frames 0-1, 5-9"


def test_a_track_is_interpolated_between_frames_but_not_into_absence():
    moving = track(4, rate=10)
    moving.centre[:, 0] = [0, 10, 20, 30]
    moving.origin[3] = Origin.ABSENT
    looked_up = moving.at(np.array([0.05, 0.1, 0.24, 0.29, 9.0]))
    assert looked_up.centre[:3, 0] == pytest.approx([5, 10, 20])
    assert list(looked_up.present) == [True, True, True, False, False]
