"""A user's own plate, the grain, the confidence, and hair beyond the square."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from composite_media import FlatHeads, fixed_track

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.picture.look import look_at
from lpd_plugin.compositing.plate.clean_plate import clean_plate, plate_for
from lpd_plugin.compositing.plate.confidence_clip import ConfidenceClip
from lpd_plugin.compositing.plate.grainy import GrainyPlate
from lpd_plugin.compositing.plate.own_plate import own_plate
from lpd_plugin.compositing.plate.reach import WIDE_SIDE, goes_beyond, reaching_mattes
from lpd_plugin.compositing.scene import scenes_of
from lpd_plugin.errors import BadInput
from lpd_plugin.graph.node import Context
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.regions.region import Rect, box_rect
from lpd_plugin.weights.files import load_matte

pytestmark = pytest.mark.usefixtures("one_thread")


def grey(level: float, count: int = 1, size=(144, 176), rate=Fraction(30000, 1001)) -> BatchClip:
    levels = np.linspace(level, level + 0.1 * (count - 1), count, dtype=np.float32)
    return BatchClip(np.broadcast_to(levels[:, None, None, None], (count, *size, 3)).copy(), rate)


@pytest.fixture
def talking(carphone):
    return open_clip(carphone)


def carphone_track(clip):
    return fixed_track(clip.timestamps(), (84.3, 66.7), 101.4, (clip.info.width, clip.info.height))


def test_a_picture_as_plate_is_shown_at_all_frames(talking):
    own = own_plate(grey(0.5), talking)
    for index in (0, 119):
        rgb, confidence = own.at(index, Rect(10, 20, 40, 60))
        assert rgb.shape == (40, 30, 3)
        assert np.abs(rgb - 0.5).max() < 0.005
        assert confidence.min() == 1
        assert own.shows(index)
    assert own.fingerprint() != own_plate(grey(0.4), talking).fingerprint()


def test_a_clip_as_plate_goes_by_time_and_holds_its_last_frame(talking):
    own = own_plate(grey(0.1, count=5, rate=Fraction(15000, 1001)), talking)
    levels = [float(own.at(index, Rect(0, 0, 8, 8))[0].mean()) for index in (0, 1, 2, 7, 8, 60, 3)]
    assert levels == pytest.approx([0.1, 0.1, 0.2, 0.4, 0.5, 0.5, 0.2], abs=0.005)


def test_a_plate_of_another_size_is_refused_with_both_sizes(talking):
    with pytest.raises(BadInput, match=r"200x100.*176x144"):
        own_plate(grey(0.5, size=(100, 200)), talking)


def test_the_users_own_plate_wins_and_keeps_its_colours(talking):
    track = carphone_track(talking)
    plate = plate_for(talking, track, grey(0.5))
    removed = CompositeClip(talking, track, None, plate)
    confidence = next(ConfidenceClip(removed).frames())
    assert plane_views(confidence.picture)[0].min() == 255
    assert plate.at(0, Rect(60, 50, 100, 90))[0].std() < 0.005


class NoisyWall:
    """A head-sized disc over a wall with grain and tiles at its sides, 6 frames."""

    def __init__(self, sigma: float):
        random = np.random.default_rng(1)
        x = np.linspace(0.3, 0.6, 320, dtype=np.float32)
        wall = np.repeat(np.broadcast_to(x, (240, 320))[..., None], 3, 2)
        wall = wall.copy()
        for left in (8, 34, 262, 288):
            for top in range(8, 220, 30):
                wall[top : top + 14, left : left + 14] += 0.2
        frames = wall + random.normal(0, sigma, (6, 240, 320, 3)).astype(np.float32)
        for frame in frames:
            cv2.circle(frame, (160, 110), 36, (0.8, 0.4, 0.3), -1)
        self.clip = BatchClip(frames.clip(0, 1))
        self.track = fixed_track(self.clip.timestamps(), (160, 120), 150, (320, 240))


def test_the_found_background_gets_the_footages_grain_another_in_every_frame():
    wall = NoisyWall(4 / 255)
    plain = plate_for(wall.clip, wall.track, grain=False)
    grainy = plate_for(wall.clip, wall.track)
    assert isinstance(grainy, GrainyPlate)
    assert not grainy.moving
    rect = Rect(120, 70, 200, 150)
    smooth, noisy = plain.at(2, rect)[0], grainy.at(2, rect)[0]
    assert (noisy - smooth).std() * 255 == pytest.approx(4, rel=0.2)
    assert np.array_equal(noisy, grainy.at(2, rect)[0])
    assert not np.array_equal(noisy - smooth, grainy.at(3, rect)[0] - smooth)
    removed = next(CompositeClip(wall.clip, wall.track, None, grainy).frames(3)).rgb() / np.float32(255)
    fine = removed - cv2.GaussianBlur(removed, (0, 0), 2)
    behind, beside = fine[95:125, 145:175].std(), fine[20:60, 70:240].std()
    assert behind == pytest.approx(beside, rel=0.2)


def test_clean_footage_gets_no_grain():
    wall = NoisyWall(0)
    assert not isinstance(plate_for(wall.clip, wall.track), GrainyPlate)


def test_the_confidence_clip_is_white_outside_and_black_where_the_background_is_invented(talking):
    track = carphone_track(talking)
    plate = clean_plate(talking, track, samples=6)
    removed = CompositeClip(talking, track, None, plate)
    confidence = ConfidenceClip(removed)
    assert (confidence.info.width, confidence.info.pixel_format) == (176, "gray")
    frame = next(confidence.frames(4))
    codes = plane_views(frame.picture)[0]
    assert frame.index == 4
    assert frame.time == talking.timestamps()[4]
    assert codes[62, 84] == 0
    assert codes[5, 5] == 255
    times = talking.timestamps()
    part = confidence.trimmed(times[4], times[6])
    assert np.array_equal(plane_views(next(part.frames()).picture)[0], codes)
    assert part.fingerprint() != confidence.fingerprint()


def test_the_node_gives_the_footage_without_the_head_and_the_confidence(carphone):
    footage = open_clip(carphone, 0, 0.3)
    track = carphone_track(footage)
    inputs = {"track": track, "samples": 5, "grain": True}
    node = node_classes()["LPDCleanPlate"]()
    clip, confidence = node.run(Context(), footage=footage, plate=None, **inputs)
    assert clip.timestamps() == confidence.timestamps() == footage.timestamps()
    face = np.s_[50:80, 72:96]
    before, after = next(footage.frames()).rgb()[face].astype(int), next(clip.frames()).rgb()[face]
    assert np.abs(after - before).mean() > 20
    assert plane_views(next(confidence.frames()).picture)[0][face].max() < 128
    own, sure = node.run(Context(), footage=footage, plate=torch.full((1, 144, 176, 3), 0.5), **inputs)
    assert np.abs(next(own.frames()).rgb()[face].std((0, 1))).max() < 12
    assert plane_views(next(sure.frames()).picture)[0].min() == 255
    assert clip.fingerprint() != own.fingerprint()


@pytest.fixture(scope="module")
def network():
    matte = load_matte()

    def on_crops(crops):
        with torch.inference_mode():
            return matte(torch.as_tensor(np.asarray(crops), dtype=torch.float32)).numpy()

    return on_crops


@pytest.fixture(scope="module")
def portrait(astronaut):
    """The portrait and the square that the finder puts around her face: her hair reaches above it."""
    clip = open_clip(astronaut)
    return clip, fixed_track([0], (224, 116), 176, (512, 512))


def test_hair_above_the_square_is_found_and_removed(portrait, network):
    clip, track = portrait
    picture, box = next(clip.frames()).picture, track.box(0)
    matte = reaching_mattes([picture], [look_at(picture, box)], network)[0]
    assert matte.shape == (WIDE_SIDE, WIDE_SIDE)
    assert goes_beyond(matte)
    plate = clean_plate(clip, track, network)
    assert plate.shows(0)
    scene = scenes_of([(0, picture, box)], plate, network, EdgeOptions())[0]
    hair = np.zeros((512, 512), bool)
    hair[scene.rect.slices()] = scene.person > 0.95
    hair[box_rect(box, 512, 512).top :] = False
    before = next(clip.frames()).rgb()
    removed = next(CompositeClip(clip, track, None, plate, head_matte=network).frames()).rgb()
    wall = before[10:24, 300:330].mean((0, 1))
    assert hair.sum() > 200
    assert np.abs(before[hair].mean(0) - wall).max() > 60
    assert np.abs(removed[hair].mean(0) - wall).max() < 25


def test_a_still_gets_texture_behind_its_head(portrait, network):
    clip, track = portrait
    plate = clean_plate(clip, track, network)
    face = Rect(210, 105, 240, 135)
    rgb, confidence = plate.at(0, face)
    before = next(clip.frames()).rgb() / 255
    wall = before[10:60, 300:340].mean((0, 1))
    assert not confidence.any()
    assert np.abs(rgb.mean((0, 1)) - wall).max() < 0.1
    assert np.abs(before[face.slices()].mean((0, 1)) - wall).max() > 0.15


def test_the_scene_carries_the_larger_rectangle_and_allows_the_new_head_in_the_square_alone(portrait, network):
    clip, track = portrait
    picture, box = next(clip.frames()).picture, track.box(0)
    scene = scenes_of([(0, picture, box)], None, network, EdgeOptions(region="square", border=0))[0]
    inner = box_rect(box, 512, 512)
    assert scene.rect.top < inner.top
    assert scene.rect.bottom == inner.bottom
    for array in (scene.rgb, scene.allowed, scene.background, scene.removal, scene.person, scene.confidence):
        assert array.shape[:2] == (scene.rect.height, scene.rect.width)
    assert not scene.allowed[: inner.top - scene.rect.top].any()
    assert scene.person[inner.top - scene.rect.top - 6, 224 - scene.rect.left] > 0.9


def test_without_hair_beyond_it_the_square_is_all_that_changes(talking):
    track = carphone_track(talking)
    picture = next(talking.frames()).picture
    scene = scenes_of([(0, picture, track.box(0)), (1, picture, None)], None, None, EdgeOptions())
    assert scene[0].rect == scene[0].look.rect
    assert scene[1] is None


def test_where_the_new_head_is_cut_off_at_the_square_the_old_hair_goes_on(portrait, network):
    clip, track = portrait

    class Filling(FlatHeads):
        def __iter__(self):
            for head in super().__iter__():
                head.matte[:] = 1
                yield head

    options = CompositeOptions(EdgeOptions(region="head"))
    layer = next(CompositeClip(clip, track, Filling([0.0]), None, options, network).layers())[1]
    above = box_rect(track.box(0), 512, 512).top - layer.rect.top
    assert above > 3
    assert layer.alpha[:above].max() < 0.01
