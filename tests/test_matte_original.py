"""The original's matte: looked at now and then, carried along in between."""

import cv2
import numpy as np
import pytest
from composite_media import fixed_track

from lpd_plugin.compositing.matte import original
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.matte.original import EVERY, OriginalMattes
from lpd_plugin.compositing.picture.look import look_at
from lpd_plugin.compositing.plate.reach import reaching_mattes
from lpd_plugin.compositing.scene import scenes_of
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect
from lpd_plugin.video.regions.square import read_small_luma
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_matte


@pytest.fixture(scope="module")
def network():
    return load_matte()


@pytest.fixture
def talking(carphone):
    clip = FileClip(str(carphone))
    return clip, fixed_track(clip.timestamps(), (84.3, 66.7), 101.4, (clip.info.width, clip.info.height))


def frames_of(clip, track, first: int, end: int):
    return [
        (frame.index, frame.picture, look_at(frame.picture, track.box(frame.index)))
        for frame, _ in zip(clip.frames(first), range(end - first))
    ]


class Counted:
    def __init__(self, network):
        self.network, self.seen = network, 0

    def __call__(self, crops):
        self.seen += len(crops)
        return self.network(crops)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one > 0.5, other > 0.5
    return (one & other).sum() / (one | other).sum()


def test_between_looks_of_the_network_the_matte_is_nearly_the_one_it_would_give(talking, network):
    clip, track = talking
    frames, asked = frames_of(clip, track, 0, 24), Counted(network)
    found = OriginalMattes(clip, track, asked).of(frames)
    looks = asked.seen
    own = reaching_mattes([picture for _, picture, _ in frames], [look for *_, look in frames], network)
    assert looks < 2 * len(frames) / 2  # a second look at the reach is counted, too
    agreements = [agreement(a, b) for a, b in zip(found, own)]
    assert np.mean(agreements) > 0.96 and min(agreements) > 0.9


@pytest.mark.parametrize("first", [4, 5, 6, 7])
def test_a_matte_is_the_same_wherever_one_starts_and_however_many_are_asked_for_at_once(talking, network, first):
    clip, track = talking
    whole = OriginalMattes(clip, track, network)
    before = [matte for part in (0, 4, 8) for matte in whole.of(frames_of(clip, track, part, part + 4))]
    late = OriginalMattes(clip, track, network)
    after = [late.of([frame])[0] for frame in frames_of(clip, track, first, 12)]
    for one, other in zip(before[first:], after, strict=True):
        assert np.abs(one - other).max() < 1e-4  # the network's sums differ in the last bit by how many it looks at


def test_the_network_looks_again_where_something_else_is_shown(talking, network):
    clip, track = talking
    (number, picture, _), *_ = frames_of(clip, track, EVERY, EVERY + 1)
    mattes, asked = OriginalMattes(clip, track, network), None
    mattes.of(frames_of(clip, track, EVERY, EVERY + 1))
    mattes.head_matte = asked = Counted(network)
    elsewhere = look_at(picture, track.box(number)._replace(left=0, top=30)) if hasattr(track.box(number), "_replace") else None
    other = elsewhere or look_at(picture, type(track.box(number))(0.0, 30.0, 101.4))
    mattes.of([(number + 1, picture, other)])
    assert asked.seen >= 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p10le"])
def test_motion_is_measured_in_the_luma_that_the_head_is_read_with(footage, pixel_format):
    picture = next(FileClip(str(footage / "foot_08_static_vertical.mp4")).frames()).picture.reformat(format=pixel_format)
    look = look_at(picture, CropBox(310.4, 200.7, 451.3))
    read = cv2.cvtColor(np.clip(look.crop(128), 0, 1), cv2.COLOR_RGB2GRAY) * 255
    quick = read_small_luma(picture, look.box, 128)
    difference = np.abs(quick - read)
    assert difference.mean() < 6 and np.corrcoef(quick.ravel(), read.ravel())[0, 1] > 0.995


def test_frames_before_which_nothing_was_found_are_looked_at_themselves(talking, network):
    clip, _ = talking
    track = fixed_track(clip.timestamps(), (84.3, 66.7), 101.4, (clip.info.width, clip.info.height), absent=(EVERY,))
    asked = Counted(network)
    frames = frames_of(clip, track, EVERY + 1, EVERY + 3)
    found = OriginalMattes(clip, track, asked).of(frames)
    own = reaching_mattes([picture for _, picture, _ in frames], [look for *_, look in frames], network)
    assert asked.seen >= 2 and all(np.allclose(a, b, atol=1e-4) for a, b in zip(found, own))


def test_without_a_network_it_is_a_typical_outline(talking):
    clip, track = talking
    (first, second) = OriginalMattes(clip, track, None).of(frames_of(clip, track, 0, 2))
    assert np.array_equal(first, second) and first.max() == 1
    assert original.EVERY > 1


@pytest.mark.parametrize("region", ("head", "person"))
def test_a_new_head_that_brings_shoulders_leaves_the_old_ones_where_it_does_not_cover_them(astronaut, region):
    clip = open_clip(astronaut)
    track, picture = track_head(clip), next(clip.frames()).picture
    (scene,) = scenes_of([(0, picture, track.box(0))], None, load_matte(), EdgeOptions(region=region))
    ground = scene.on(scene.rect)
    collar, face = (part.slices(scene.rect) for part in (Rect(128, 160, 168, 205), Rect(200, 90, 240, 150)))
    assert ground.removal[collar].mean() < 0.15
    assert ground.removal[face].min() > 0.9
