"""What the head finder learns from: scenes whose boxes lie on the faces, targets that decode to those boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lpd_plugin.learning.finder_cut_outs import CUT_OUT_SIDE, CutOut
from lpd_plugin.learning.finder_scenes import SceneMaker
from lpd_plugin.learning.train_finder import finder_loss, finder_targets, save_finder
from lpd_plugin.networks.finder import HeadFinder, boxes_from_maps
from lpd_plugin.video.tracking.detectors import overlap
from lpd_plugin.video.tracking.finder import HeadFinderDetector, load_finder


@pytest.fixture(scope="module")
def cut_out(astronaut):
    picture = cv2.imread(str(astronaut))[21:221, 124:324, ::-1]  # the crop rule about the face
    rgb = cv2.resize(picture, (CUT_OUT_SIDE, CUT_OUT_SIDE), interpolation=cv2.INTER_AREA)
    mask = np.zeros((CUT_OUT_SIDE, CUT_OUT_SIDE), np.uint8)
    cv2.ellipse(mask, (96, 96), (62, 78), 0, 0, 360, 255, -1)
    face = np.array([54.1, 44.0, 145.5, 155.4]) * CUT_OUT_SIDE / 200
    return CutOut(rgb, mask, face)


def test_targets_decode_to_the_boxes_they_were_made_from():
    faces = np.array([[30, 40, 70, 92], [120, 100, 182, 176]], np.float32)
    heat, geometry, _ = finder_targets(faces, np.zeros((0, 4), np.float32), 192)
    logit = np.log(np.clip(heat, 1e-4, 1 - 1e-4) / (1 - np.clip(heat, 1e-4, 1 - 1e-4)))
    maps = torch.from_numpy(np.concatenate([logit[None], geometry]).astype(np.float32))
    rows = boxes_from_maps(maps, 0.9).numpy()
    assert len(rows) == 2
    for face in faces:
        assert max(overlap(face, row[:4]) for row in rows) > 0.99


def test_the_loss_rewards_right_maps_and_leaves_hidden_faces_unjudged():
    face, hidden = np.array([[30, 40, 70, 92]], np.float32), np.array([[120, 100, 182, 176]], np.float32)
    heat, geometry, weight = (torch.from_numpy(one)[None] for one in finder_targets(face, hidden, 192))
    right = torch.cat([torch.where(heat == 1, 8.0, -8.0)[:, None], geometry], dim=1)
    nothing, invented, unjudged = right.clone(), right.clone(), right.clone()
    nothing[:, 0] = -8.0
    invented[:, 0, 20, 3] = 8.0
    unjudged[:, 0, 17, 18] = 8.0  # inside the hidden face
    losses = [float(finder_loss(maps, heat, geometry, weight)) for maps in (right, nothing, invented, unjudged)]
    assert losses[0] < 0.01 and losses[1] > 5 and losses[2] > 5
    assert losses[3] == pytest.approx(losses[0])


def test_scenes_are_the_same_for_the_same_seed_and_their_boxes_lie_on_faces(cut_out):
    first, second = (SceneMaker([cut_out], [], seed=4) for _ in range(2))
    finder, agreeing, boxes = HeadFinderDetector(), 0, 0
    for _ in range(24):
        picture, faces, hidden = first.scene()
        again, faces_again, _ = second.scene()
        assert np.array_equal(picture, again) and np.array_equal(faces, faces_again)
        assert picture.shape == (192, 192, 3) and picture.dtype == np.uint8
        found = [one.box for one in finder.detect(picture)]
        for face in faces[(faces[:, 3] - faces[:, 1] > 24)]:
            boxes += 1
            agreeing += any(overlap(face, box) > 0.5 for box in found)
    assert boxes >= 10 and agreeing >= 0.6 * boxes


def test_saved_weights_give_the_same_maps_but_for_half_precision(tmp_path):
    finder = load_finder()
    save_finder(finder, tmp_path / "finder.safetensors")
    assert (tmp_path / "finder.safetensors").stat().st_size < 1_000_000
    again = load_finder(tmp_path / "finder.safetensors")
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(finder(picture), again(picture))
    assert [path.name for path in tmp_path.iterdir()] == ["finder.safetensors"]


def test_the_network_takes_any_multiple_of_32(tmp_path):
    with torch.no_grad():
        assert HeadFinder().eval()(torch.zeros(2, 3, 96, 160)).shape == (2, 5, 12, 20)
