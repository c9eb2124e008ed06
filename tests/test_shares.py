"""Which pictures a moment is painted from: faces by lids and mouth, everything around them by how the head is held."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lpd_plugin.networks.face_reader import OPENED
from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.reenactment.shares import face_area
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def man(carphone) -> np.ndarray:
    """Four moments of the talking man, (4, 256, 256, 3) uint8."""
    clip = open_clip(carphone)
    return np.stack(list(head_crops(clip, track_head(clip)))[::32])


def two_of_one_picture(model, man) -> Painting:
    """A painting from two pictures whose descriptors are one picture's."""
    painting = Painting(encode_identity(model, man[:2]), model, model.generator)
    painting.descriptors = painting.descriptors[:1].repeat(2, 1)
    return painting


def test_what_is_painted_changes_without_a_jump_from_one_picture_to_the_next(model, man):
    painting = Painting(encode_identity(model, man), model, model.generator)
    steps = torch.linspace(0, 1, 41)[:, None]
    for shares in painting.shares(torch.lerp(painting.descriptors[:1], painting.descriptors[3:4], steps)):
        assert torch.allclose(shares.sum(1), torch.ones(len(steps)))
        assert shares[0].argmax() == 0 and shares[-1].argmax() == 3
        assert shares.diff(dim=0).abs().max() < 0.25


@pytest.mark.parametrize("name", ["eyes open", *OPENED])
def test_faces_come_from_pictures_with_the_wanted_lids_and_mouth_and_the_rest_from_those_with_the_wanted_turn(model, man, name):
    """Moving pixels turns a head, but closes no eyes and shows no inside of a mouth."""
    painting = two_of_one_picture(model, man)
    pose, spread = painting.descriptors[:1].clone(), model.pose_bank.std(0)
    turn, kept = model.columns_of(["yaw"]), model.columns_of([name])
    painting.descriptors[0, turn] += 1.2 * spread[turn]
    painting.descriptors[1, kept] += 1.1 * spread[kept]
    faces, around = painting.shares(pose)
    assert faces[0, 0] > faces[0, 1] and around[0, 0] < around[0, 1]
    painting.descriptors[0, turn] += 2.5 * spread[turn]
    faces, _ = painting.shares(pose)
    assert faces[0, 0] < faces[0, 1], "a head that is turned far is worse than lids and lips that are not quite as wanted"


def test_each_picture_is_seen_where_it_has_its_share(model, man):
    identity = encode_identity(model, man[:2])
    red, green = (np.broadcast_to(np.array(colour, np.uint8), man[0].shape) for colour in ((200, 0, 0), (0, 200, 0)))
    mattes = np.full((2, *man.shape[1:3]), 255, np.uint8)
    painting = Painting(replace(identity, pictures=np.stack((red, green)), mattes=mattes), model, model.generator)
    pose = model.pose_encoder(torch.from_numpy(man[:1]).permute(0, 3, 1, 2) / 255)
    painting.shares = lambda poses: (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    with torch.inference_mode():
        painted = painting.painted(identity.embedding[None], pose)
    middle = slice(48, -48)  # what lies near an edge may have come from beyond it
    red, green, _, mask = painted[0, :, middle, middle]
    area = face_area(pose, model, painted.shape[-1])[0, 0, middle, middle]
    assert (red - 200 / 255 * area).abs().max() < 0.01 and (green - 200 / 255 * (1 - area)).abs().max() < 0.01
    assert area.min() == 0 and area.max() == 1 and mask.min() > 0.99


def test_a_face_is_where_its_eyes_and_mouth_are_and_ends_before_its_hair(model, man):
    """Wherever it is in the crop, however large and tilted."""
    side = man.shape[1]
    upright = np.array([[1.0, 0, 0], [0, 1, 0]], np.float32)
    placed = [upright, upright + ((0, 0, 24), (0, 0, -16)), cv2.getRotationMatrix2D((side / 2, side / 2), 20, 0.8)]
    pictures = [cv2.warpAffine(man[0], np.float32(how), (side, side), borderMode=cv2.BORDER_REPLICATE) for how in placed]
    pictures = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        points, _ = model.pose_encoder.face_points(pictures)
        area = face_area(model.pose_encoder(pictures), model, side)
    brow, chin = points[:, 27], points[:, 8]
    above = brow - 0.6 * (chin - brow)  # where a forehead ends
    inner, jaws = points[:, 36:68], points[:, [0, 16]]
    within, ends, hair = (F.grid_sample(area, p[:, None], align_corners=False)[:, 0, 0] for p in (inner, jaws, above[:, None]))
    assert within.min() > 0.9 and ends.max() < 0.75 and hair.max() == 0
