"""Performances are smoothed, amplified and offset; what the picture shows follows the sliders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.graph.node import Context
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.reenactment.crops import chosen_crops, encode_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.performance.curves import curves
from lpd_plugin.reenactment.performance.editing import Fade, PoseEdit
from lpd_plugin.reenactment.performance.filters import amplified, moved, neutral_row, smoothed
from lpd_plugin.reenactment.performance.parts import MOVEMENTS, parts_of
from lpd_plugin.reenactment.performance.strip import CELL, LABEL, strip
from lpd_plugin.reenactment.performance.timing import SpeedRamp, parsed_offsets, ramped
from lpd_plugin.reenactment.pose import Pose, encode_pose
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

pytestmark = pytest.mark.usefixtures("one_thread")

EYES, LIPS, JAW, YAW = 10, 6, 7, 4  # of the face reader's numbers


def performance(values, rate: float = 25.0, present=None, weights: str = "weights") -> Pose:
    """Numbers (N,) or (N, D) as a performance of weights whose descriptors nobody can read."""
    values = np.asarray(values, np.float32)
    values = values[:, None] if values.ndim == 1 else values
    present = np.ones(len(values), bool) if present is None else np.asarray(present)
    return Pose(np.arange(len(values)) / rate, values, present, len(values) / rate, weights)


def wave(frequency: float, seconds: float = 8.0, rate: float = 25.0) -> Pose:
    return performance(np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate), rate)


@pytest.fixture(scope="module")
def model():
    return load_model("compact")


@pytest.fixture(scope="module")
def man(carphone, model):
    """The talking man: his performance and his identity."""
    clip = open_clip(carphone)
    track = track_head(clip)
    return encode_pose(model, clip, track), encode_identity(model, chosen_crops([(clip, track)], 4, model))


@pytest.fixture(scope="module")
def talking(man) -> Pose:
    return man[0]


def shown(identity, pose: Pose, model) -> np.ndarray:
    """What the face reader reads (N, 14) off the generated pictures of a performance."""
    heads = GeneratedHeads(identity, pose, model)
    made = np.stack([head.rgb * head.matte[..., None] + 0.4 * (1 - head.matte[..., None]) for head in heads])
    return encode_crops(model, (made.clip(0, 1) * 255).round().astype(np.uint8))[:, 64:]


def at_rows(pose: Pose, rows) -> Pose:
    return replace(pose, times=pose.times[rows], descriptors=pose.descriptors[rows], present=pose.present[rows])


# Smoothing


@pytest.mark.parametrize("cutoff", [1.0, 2.0, 4.0])
def test_half_the_power_is_left_at_the_cutoff_and_almost_nothing_far_above(cutoff):
    middle = slice(50, 150)
    left = [
        np.ptp(smoothed(wave(f), cutoff).descriptors[middle]) / np.ptp(wave(f).descriptors[middle])
        for f in (cutoff, 3 * cutoff, cutoff / 5)
    ]
    assert left[0] == pytest.approx(np.sqrt(0.5), abs=0.03) and left[1] < 0.08 and left[2] > 0.97


def test_smoothing_lags_behind_nothing():
    times = np.arange(101) / 25
    bump = smoothed(performance(np.exp(-0.5 * ((times - 2) / 0.1) ** 2)), 0.8).descriptors[:, 0]
    assert times[int(bump.argmax())] == 2.0 and bump.max() < 0.7
    assert bump == pytest.approx(bump[::-1], abs=1e-3)


def test_a_steady_movement_keeps_its_direction_to_the_very_ends():
    line = np.arange(100) / 25
    assert smoothed(performance(line), 1.0).descriptors[:, 0] == pytest.approx(line, abs=0.01)


def test_smoothing_never_reaches_over_a_long_absence():
    values = np.concatenate((np.zeros(50), np.full(30, 9.0), np.ones(50)))
    smooth = smoothed(performance(values, present=values != 9), 0.1).descriptors[:, 0]
    assert np.abs(smooth - values).max() < 1e-6


def test_smoothing_looks_past_a_missing_frame():
    present = np.arange(150) != 75
    smooth = smoothed(performance(np.where(present, 1.0, 50.0), present=present), 2.0).descriptors[:, 0]
    assert smooth[74] == pytest.approx(1) and smooth[75] == 50


def test_a_performance_at_uneven_moments_is_smoothed_to_the_same_curve():
    uneven = np.sort(np.random.default_rng(0).uniform(0, 8, 400))
    curve = np.sin(2 * np.pi * 0.5 * uneven)[:, None].astype(np.float32)
    smooth = smoothed(Pose(uneven, curve, np.ones(400, bool), 8.0, "weights"), 1.5).descriptors[100:300, 0]
    even = smoothed(wave(0.5), 1.5)
    assert np.abs(smooth - np.interp(uneven[100:300], even.times, even.descriptors[:, 0])).max() < 0.06


# Amplifying


def test_one_is_the_performance_as_it_was_and_zero_stands_still(talking):
    assert amplified(talking, 1.0) is talking and PoseEdit().shaped(talking) is talking
    frozen = amplified(talking, 0.0, 0.0).descriptors
    assert np.abs(frozen - frozen[0]).max() < 1e-5


def test_the_neutral_moment_has_a_closed_mouth_and_open_eyes(talking):
    row, face = neutral_row(talking), talking.parts.face(talking.descriptors)
    assert (face[row, [LIPS, JAW]] <= np.quantile(face[:, [LIPS, JAW]], 0.25, axis=0)).all()
    assert face[row, EYES] > np.quantile(face[:, EYES], 0.3)
    assert neutral_row(talking, 2.0) == int(np.argmin(np.abs(talking.times - 2.0)))


def test_a_neutral_moment_without_a_head_gives_way_to_the_nearest_that_has_one():
    pose = performance(np.arange(10.0), rate=10, present=[True] * 3 + [False] * 4 + [True] * 3)
    assert neutral_row(pose, 0.4) == 2 and neutral_row(pose, 0.6) == 7
    with pytest.raises(BadInput, match="neutral moment 3 s lies outside the performance, which is 1 s long"):
        neutral_row(pose, 3.0)


def test_expression_and_head_motion_are_strengthened_apart(talking):
    spread = {name: np.std(talking.parts.face(pose.descriptors), 0) for name, pose in (
        ("as it was", talking), ("face", amplified(talking, 2.0)), ("head", amplified(talking, 1.0, 2.0)),
    )}  # fmt: skip
    assert spread["face"][:6] == pytest.approx(spread["as it was"][:6], rel=1e-4)
    assert spread["face"][6:] == pytest.approx(2 * spread["as it was"][6:], rel=1e-4)
    assert spread["head"][:6] == pytest.approx(2 * spread["as it was"][:6], rel=1e-4)
    assert spread["head"][6:] == pytest.approx(spread["as it was"][6:], rel=1e-4)


def test_descriptors_that_nobody_can_read_have_one_amount_for_everything():
    pose = performance(np.arange(5.0))
    assert np.ptp(amplified(pose, 2.0).descriptors) == 8
    with pytest.raises(BadInput, match="does not tell the head from the face"):
        amplified(pose, 1.0, 0.5)
    with pytest.raises(BadInput, match="nothing can be offset"):
        moved(pose, {"yaw": 1.0})


def test_the_jaw_in_generated_pictures_opens_further_with_every_step_of_the_slider(man, model):
    pose, identity = man
    # Of the moments that are still, doubled, no more open than anybody the weights learned from: further, nothing is promised.
    widest = float(model.pose_bank[:, model.columns_of(["jaw down"])].max())
    twice = amplified(pose, 2.0).descriptors[:, model.columns_of(["jaw down"])][:, 0]
    rows = np.argsort(np.where(twice <= widest, pose.parts.amount("jaw", pose.descriptors), -np.inf))[-40::5]
    jaws, wanted, turns = [], [], []
    for amount in (0.0, 0.5, 1.0, 1.5, 2.0):
        strengthened = at_rows(amplified(pose, amount), rows)
        wanted.append(pose.parts.amount("jaw", strengthened.descriptors).mean())
        face = shown(identity, strengthened, model)
        jaws.append(face[:, [LIPS, JAW]].mean())
        turns.append(face[:, YAW].std())
    assert (np.diff(jaws) > 0).all(), jaws
    assert wanted[2] - wanted[0] > 0.5  # spreads of the training faces
    assert jaws[2] - jaws[0] > 0.8 * (wanted[2] - wanted[0])
    assert turns[4] < 1.6 * turns[2], "the head turns as it did"


@pytest.mark.parametrize(
    ("name", "number", "sign"), [("yaw", 4, -1), ("pitch", 5, 1), ("roll", 3, 1), ("jaw", 7, 1), ("smile", 9, 1)]
)
def test_an_offset_moves_the_generated_picture_its_way(man, model, name, number, sign):
    pose, identity = man
    still = at_rows(pose, [neutral_row(pose)])
    seen = [sign * shown(identity, moved(still, {name: amount}), model)[0, number] for amount in (-1.5, 0.0, 1.5)]
    assert seen[0] < seen[1] < seen[2] and seen[2] - seen[0] > 0.5, seen


def test_an_offset_adds_the_same_everywhere_a_head_is_seen(talking):
    absent = replace(talking, present=np.arange(len(talking)) != 7)
    added = moved(absent, {"jaw": 0.5, "yaw": -1.0}).descriptors - absent.descriptors
    assert np.abs(added[7]).max() == 0 and added[0] == pytest.approx(added[50], abs=1e-5)
    assert talking.parts.face(added)[0, [LIPS, JAW, YAW]] == pytest.approx([0.5, 0.5, 1.0], abs=1e-5)


def test_what_is_known_of_a_descriptor_stays_through_every_edit(talking, model):
    edit = PoseEdit(3.0, 1.5, 0.5, 0.4, {"smile": 0.5}, True, SpeedRamp.parsed("0:1, 1:2"))
    edited = edit.shaped(talking, talking, Fade(1.0, 2.0, 0.5))
    assert edited.parts is talking.parts and edited.weights == talking.weights
    assert len(edited.times) == len(edited.descriptors) == len(edited.present) == len(edited.moments)
    assert (np.diff(edited.times) > 0).all() and edited.duration >= edited.times[-1]
    assert np.isfinite(edited.descriptors).all()
    again = edit.shaped(talking, talking, Fade(1.0, 2.0, 0.5))
    assert again.fingerprint() == edited.fingerprint() != talking.fingerprint()


def test_weights_without_a_bank_of_poses_have_no_parts(model):
    bank, model.pose_bank = model.pose_bank, model.pose_bank[:20]
    try:
        assert parts_of(model) is None
    finally:
        model.pose_bank = bank


@pytest.mark.parametrize(("text", "said"), [
    ("yaw:0.5, grin:1", "'grin:1' in the offsets 'yaw:0.5, grin:1' names no movement"), ("yaw", "'' is not a number"),
    ("yaw:1, yaw:2", "name yaw twice"), ("jaw:wide", "'wide' is not a number: the amount in 'jaw:wide'"),
])  # fmt: skip
def test_a_mistaken_offset_is_refused_by_its_piece(text, said):
    with pytest.raises(BadInput) as error:
        parsed_offsets(text, MOVEMENTS)
    assert said in str(error.value)


def test_offsets_are_read_as_they_are_written():
    assert parsed_offsets(" yaw:0.5, smile: -1 ", MOVEMENTS) == {"yaw": 0.5, "smile": -1.0}
    assert parsed_offsets("", MOVEMENTS) == {}


# What is shown


def test_curves_show_both_performances_and_change_only_where_they_do(talking):
    same, louder = curves(talking, talking), curves(talking, amplified(talking, 2.0))
    assert same.dtype == np.uint8 and same.shape == louder.shape and same.shape[1] == 960
    assert not np.array_equal(same, louder)
    changed = np.flatnonzero((same != louder).any((1, 2)))
    assert changed.min() > 40 + 3 * 106 - 10  # the head's three panels are drawn as before
    unreadable = performance(np.random.default_rng(0).normal(size=(30, 5)))
    assert curves(unreadable, performance(np.zeros((60, 5)))).shape == (40 + 3 * 106 + 28, 960, 3)


def test_a_strip_shows_the_heads_before_and_after(man, model):
    pose, identity = man
    picture = strip(identity, pose, ramped(pose, SpeedRamp.parsed("0.5")), model, moments=3)
    assert picture.shape == (2 * (CELL + LABEL), 3 * CELL, 3)
    before, after = picture[LABEL : LABEL + CELL], picture[2 * LABEL + CELL :]
    assert np.array_equal(before[:, :CELL], after[:, :CELL]) and before[:, :CELL].std() > 20
    assert before[:, -CELL:].std() == 0 and after[:, -CELL:].std() > 20, "by then the performance as it was is over"


def test_the_node_edits_and_shows(man):
    pose, identity = man
    node = node_classes()["LPDEditPose"]
    values = {widget.name: widget.default for widget in node.widgets()} | {"pose": pose, "second": None, "identity": None}
    same, drawn, instead = node().run(Context(), **values)
    assert same is pose and drawn.shape[0] == 1 and drawn.shape[3] == 3 and bool((drawn == instead).all())
    changes = {"speed": "2", "smooth": 4.0, "identity": identity, "offset": "smile:1"}
    edited, _, drawn = node().run(Context(), **values | changes)
    assert edited.duration == pytest.approx(pose.duration / 2) and drawn.shape[1:3] == (2 * (CELL + LABEL), 8 * CELL)
    assert [one.name for one in node.inputs][:4] == ["pose", "smooth", "amplify", "reverse"], "workflows go by position"


@pytest.mark.parametrize(("widget", "value", "said"), [
    ("speed", "0:1, 2:x", "'x' is not a number"), ("offset", "nose:1", "names no movement"),
    ("neutral", "noon", "is not a time"),
])  # fmt: skip
def test_the_node_refuses_mistaken_text_before_anything_runs(widget, value, said):
    node = node_classes()["LPDEditPose"]
    values = {one.name: one.default for one in node.widgets()}
    assert node.check(**values) is None and said in node.check(**values | {widget: value})
    assert "before fade_from" in node.check(**values | {"fade_from": 2.0, "fade_to": 1.0})
