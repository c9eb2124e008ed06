"""Head crops of footage: what networks are shown of a person."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lpd_plugin.reenactment.crops import chosen_crops, head_crop, head_crops
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

LARGE = CropBox(60.3, 22.8, 380.5)  # of the astronaut: made smaller
BEYOND = CropBox(110, -105.4, 330)  # its upper third lies above the picture


@pytest.mark.parametrize("box", [LARGE, BEYOND, CropBox(180, 60, 130.7)])
def test_a_crop_is_the_square_of_the_whole_picture_give_or_take_a_code(astronaut, box):
    frame = next(open_clip(astronaut).frames())
    read, cut = head_crop(frame.picture, box), crop_square(frame.rgb(), box, 256)
    difference = np.abs(read.astype(int) - cut)
    assert read.dtype == np.uint8 and difference.mean() < 0.5 and np.percentile(difference, 99.9) <= 2


def test_a_square_beyond_the_picture_shows_no_head(astronaut):
    assert head_crop(next(open_clip(astronaut).frames()).picture, CropBox(600, 0, 100)) is None


def test_crops_and_descriptors_are_the_same_to_the_last_bit_however_many_threads_read_them(carphone, one_thread):
    clip, model = open_clip(carphone, None, "1"), load_model()
    track = track_head(clip)
    one, chosen = encode_pose(model, clip, track), chosen_crops([(clip, track)], 5, model)
    torch.set_num_threads(3)
    three, again = encode_pose(model, clip, track), chosen_crops([(clip, track)], 5, model)
    torch.set_num_threads(1)
    assert one.present.all() and np.array_equal(one.descriptors, three.descriptors)
    assert np.array_equal(chosen, again)


def test_chosen_crops_are_crops_of_the_clip_in_different_poses(carphone, one_thread):
    clip, model = open_clip(carphone, None, "2"), load_model()
    track = track_head(clip)
    every = [crop for crop in head_crops(clip, track) if crop is not None]
    chosen = chosen_crops([(clip, track)], 4, model)
    rows = [next(i for i, crop in enumerate(every) if np.array_equal(crop, one)) for one in chosen]
    assert len(set(rows)) == 4
    poses = encode_pose(model, clip, track).descriptors
    apart = np.linalg.norm(poses[rows][:, None] - poses[rows][None], axis=2)[np.triu_indices(4, 1)].min()
    usual = np.linalg.norm(np.diff(poses, axis=0), axis=1)
    assert apart > 2 * np.median(usual)
