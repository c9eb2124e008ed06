"""What is behind the head is found where it was ever seen, and filled in smoothly where never."""

import numpy as np
import pytest
import torch
from composite_media import FlatHeads, fixed_track
from plate_media import SIZE, KnownScene

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.picture.look import look_at, person_mattes
from lpd_plugin.compositing.picture.square import typical_person
from lpd_plugin.compositing.plate.clean_plate import clean_plate
from lpd_plugin.reenactment.mattes import tidied
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.regions.region import Rect
from lpd_plugin.video.track import CropBox


@pytest.fixture(scope="module")
def scene(shared) -> KnownScene:
    return KnownScene(shared)


@pytest.fixture(scope="module")
def plate(scene):
    return clean_plate(scene.clip, scene.track, scene.head_matte)


def test_the_plate_is_the_true_background_wherever_it_was_seen(scene, plate):
    assert not plate.moving
    seen = scene.seen(10)[plate.rect.slices()]
    error = np.abs(plate.rgb.astype(np.float32) - scene.truth[plate.rect.slices()])[seen] * 255
    behind_a_head = np.zeros((400, 640), bool)
    behind_a_head[120:300, 260:380] = True
    assert seen[behind_a_head[plate.rect.slices()]].mean() > 0.5  # the question is not trivial
    assert error.mean() < 1.5
    assert np.percentile(error, 99) < 8


def test_confidence_is_the_share_of_samples_and_zero_where_never_seen(scene, plate):
    corner = plate.rgb.shape[0] - 1  # right below the body's edge: hidden most of the time
    assert plate.confidence[0].min() > 0.9  # above the heads
    assert 0 <= plate.confidence[corner].min() <= plate.confidence.max() <= 1
    rgb, confidence = plate.at(0, Rect(0, 0, 50, 20))
    assert rgb.shape == (20, 50, 3)
    assert not confidence.any()  # outside the heads' way


def test_with_the_head_removed_the_frame_is_the_background(scene, plate):
    empty = CompositeClip(scene.clip, scene.track, None, plate, head_matte=scene.head_matte)
    for frame in empty.frames(20):
        left = scene.left[frame.index]
        face = np.s_[140:280, left + 64 : left + 192]
        covered = scene.seen(10)[face]
        error = np.abs(frame.rgb()[face] / 255.0 - scene.truth[face])[covered] * 255
        assert error.mean() < 3
        assert covered.mean() > 0.2
        if frame.index == 26:
            break
    assert frame.index == 26


def test_where_old_and_new_head_differ_the_plate_shows(scene, plate):
    heads = FlatHeads(scene.track.times, size=256)  # a disc much smaller than the person's hair
    composite = CompositeClip(scene.clip, scene.track, heads, plate, head_matte=scene.head_matte)
    frame, layer = next(composite.layers(0))
    assert (layer.alpha - layer.head).max() > 0.9
    only_plate = (layer.alpha > 0.98) & (layer.head < 0.01) & scene.seen(10)[layer.rect.slices()]
    assert only_plate.sum() > 500
    error = np.abs(layer.rgb - scene.truth[layer.rect.slices()])[only_plate] * 255
    assert error.mean() < 4


def test_light_that_changed_since_is_followed(scene, plate):
    dimmed = BatchClip((np.stack([scene.clip.integers(i) for i in (20,)]) * 0.85).astype(np.uint8))
    track = fixed_track([0.0], scene.track.centre[20], 256, SIZE)
    box = track.box(0)
    picture = next(dimmed.frames()).picture
    true_matte = torch.from_numpy(scene.mattes[20:21])[:, None]
    heads_gone = CompositeClip(dimmed, track, None, plate, head_matte=lambda crops: true_matte)
    assert look_at(picture, box) is not None
    left = scene.left[20]
    face = np.s_[150:260, left + 80 : left + 176]
    covered = scene.seen(10)[face]
    after = next(heads_gone.frames()).rgb()[face][covered]
    assert np.abs(after / 255.0 - 0.85 * scene.truth[face][covered]).mean() * 255 < 4


def test_plates_of_other_tracks_have_other_fingerprints(scene, plate):
    short = fixed_track(scene.track.times[:4], scene.track.centre[:4], 256, SIZE)
    assert clean_plate(scene.clip, short, scene.head_matte, samples=5).fingerprint() != plate.fingerprint()


def test_a_matte_with_holes_and_strangers_becomes_one_solid_person():
    matte = typical_person()
    broken = matte.copy()
    broken[110:125, 100:120] = 0
    broken[60:90, 5:25] = 1
    mended = tidied(broken)
    assert np.abs(mended - matte).max() < 0.35  # its own soft rim, hardened at most
    assert mended[117, 110] == 1
    assert not mended[60:90, 5:25].any()


def test_mattes_come_from_the_network_in_one_batch():
    picture = next(BatchClip(np.random.default_rng(0).random((1, 90, 120, 3), np.float32)).frames()).picture
    looks = [look_at(picture, CropBox(10, 5, 60)), look_at(picture, CropBox(50.5, 40.2, 70))]
    shapes = []

    def network(crops):
        shapes.append((tuple(crops.shape), crops.dtype, float(crops.min()) >= 0, float(crops.max()) <= 1))
        return torch.zeros(len(crops), 1, 256, 256)

    assert [float(m.max()) for m in person_mattes(looks, network)] == [0, 0]
    assert shapes == [((2, 3, 256, 256), torch.float32, True, True)]


def test_the_edge_options_move_and_soften_the_edge(scene):
    widths, softness = [], []
    for edge in (EdgeOptions(), EdgeOptions(erode=6), EdgeOptions(erode=-6), EdgeOptions(feather=30)):
        composite = CompositeClip(scene.clip, scene.track, FlatHeads(scene.track.times), None, CompositeOptions(edge))
        _, layer = next(composite.layers(0))
        row = layer.head[100]
        widths.append(float(row.sum()))
        softness.append(int(((row > 0.1) & (row < 0.9)).sum()))
    assert widths[0] - widths[1] == pytest.approx(12, abs=2)
    assert widths[2] - widths[0] == pytest.approx(12, abs=2)
    assert abs(widths[3] - widths[0]) < 3
    assert softness[3] - softness[0] > 40
