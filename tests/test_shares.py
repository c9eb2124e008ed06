"""Which pictures a moment is painted from: eyes by lids and gaze, mouths by their opening, the rest by how the head is held."""

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
from lpd_plugin.reenactment.shares import PARTS, Choice, areas
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


@pytest.fixture(scope="module")
def read(model, man) -> torch.Tensor:
    """What is read of the man's pictures: (4, descriptor_size)."""
    with torch.inference_mode():
        return model.pose_encoder(torch.from_numpy(man).permute(0, 3, 1, 2) / 255).clone()


@pytest.fixture(scope="module")
def wide(model) -> float:
    """How far people's open eyes read as open."""
    return float(model.pose_bank[:, model.columns_of(["eyes open"])].float().quantile(0.9))


def test_what_is_painted_changes_without_a_jump_from_one_picture_to_the_next(model, read):
    """A picture that comes at once comes at once however small the step is that brings it."""
    choice, stops = Choice(read, model), (read[0], *model.pose_bank[:40:8].float(), read[3])

    def greatest_changes(steps: int) -> torch.Tensor:
        along = torch.linspace(0, 1, steps)[:, None]
        shares = choice(torch.cat([torch.lerp(a[None], b[None], along) for a, b in zip(stops, stops[1:])]))
        assert torch.allclose(shares.sum(2), torch.ones(1)) and shares[2, 0].argmax() == 0 and shares[2, -1].argmax() == 3
        return shares.diff(dim=1).abs().amax((1, 2))

    assert (greatest_changes(1600) < 0.4 * greatest_changes(200)).all()


def test_a_picture_that_would_hardly_be_seen_is_not_painted_from(model, read):
    """Each one costs as much as one that is seen throughout."""
    turn, around = model.columns_of(["yaw"]), 2
    pictures, spread = read[:1].repeat(2, 1), model.pose_bank[:, turn].float().std()

    def seen(turned: float) -> float:
        pictures[1, turn] = pictures[0, turn] + turned * spread
        return float(Choice(pictures, model)(pictures[:1])[around, 0, 1])

    assert seen(0.9) == 0 and 0.05 < seen(0.5) < 0.2 and seen(0.0) == 0.5


@pytest.mark.parametrize(("part", "name"), [(0, "eyes open"), (0, "gaze"), (1, "lips apart"), (1, "jaw down")])
def test_eyes_and_mouths_come_from_pictures_that_have_the_wanted_ones_and_the_rest_by_the_turn(model, read, wide, part, name):
    """Moving pixels turns a head, but closes no eyes and shows no inside of a mouth."""
    pictures, lids = read[:1].repeat(2, 1), model.columns_of(["eyes open"])
    pictures[:, lids] = wide  # open eyes, the man's and the driver's
    pose, spread = pictures[:1].clone(), model.pose_bank.float().std(0)
    turn, kept = model.columns_of(["yaw"]), model.columns_of([name])
    pictures[0, turn] += 1.2 * spread[turn]
    pictures[1, kept] -= (1.6 if kept == lids else 1.1) * spread[kept]
    shares = Choice(pictures, model)(pose)[:, 0]
    assert shares[part, 0] > shares[part, 1] and shares[2, 0] < shares[2, 1]
    pictures[0, turn] += 3 * spread[turn]
    shares = Choice(pictures, model)(pose)[:, 0]
    assert shares[part, 0] < shares[part, 1], "a head that is turned far is worse than lids and lips that are not quite as wanted"


def test_blinks_are_left_out_where_narrow_eyes_are_open(model, read, wide):
    """A driver whose open eyes read narrower than anybody's but the person's blinks do does not keep the person's shut."""
    pictures, lids = read[:1].repeat(2, 1), model.columns_of(["eyes open"])
    pictures[0, lids], pictures[1, lids] = wide + 0.7, wide - 1.6
    pose = pictures[:1].repeat(3, 1)
    pose[:, lids] = wide - torch.tensor([[0.9], [1.2], [2.5]])
    open_eyed, between, shut = Choice(pictures, model)(pose)[0, :, 0]
    assert open_eyed > 0.9 and shut < 0.3
    assert between > 0.5, "lids come down over open eyes, and nothing opens shut ones"


def test_somebody_whose_eyes_always_read_narrow_has_open_ones_and_shut_ones(model, read, wide):
    """By half of how they read: were all of it how the person looks, eyes that are nearly shut throughout would count as open."""
    pictures, lids = read[:1].repeat(24, 1), model.columns_of(["eyes open"])
    pictures[:20, lids], pictures[20:, lids] = wide - 1.8, wide - 2.9
    pose = pictures[:1].repeat(2, 1)
    pose[:, lids] = wide - torch.tensor([[0.9], [2.1]])
    open_eyed, shut = Choice(pictures, model)(pose)[0, :, :20].sum(1)
    assert open_eyed > 0.9 and shut < 0.1


def test_what_is_read_as_the_gaze_of_shut_eyes_tells_no_blinks_apart(model, read, wide):
    """Of training people's eyes that are nearly shut the reader's gaze agrees with the landmarker's by 0.3, of shut ones not at
    all, and of open ones by 0.8 (docs/weights.md)."""
    lids, gaze = (model.columns_of([name]) for name in ("eyes open", "gaze"))
    pictures, aside = read[:1].repeat(4, 1), 2 * model.pose_bank[:, gaze].float().std()
    pictures[:2, lids], pictures[2:, lids] = wide, wide - 2.4
    pictures[1::2, gaze], pictures[::2, gaze] = aside, 0.0
    pose = pictures[:4].clone()
    pose[2:, lids] -= 0.1
    straight, looking_aside, *shut = Choice(pictures, model)(pose)[0]
    assert straight[0] > 0.9 and looking_aside[1] > 0.9
    assert all(0.45 < share < 0.55 for moment in shut for share in moment[2:])


def test_where_no_picture_looks_where_the_driver_does_gaze_brings_no_half_shut_eyes(model, read, wide):
    """They look less far aside than open ones; where a picture does look there, it is taken."""
    lids, gaze = (model.columns_of([name]) for name in ("eyes open", "gaze"))
    spread = model.pose_bank[:, gaze].float().std()
    pictures, pose = read[:1].repeat(4, 1), read[:1].clone()
    pose[:, lids], pose[:, gaze] = wide, spread
    pictures[:3, lids], pictures[3, lids] = wide, wide - 1.3
    pictures[:, gaze] = spread * torch.tensor([[-1.5], [-1.5], [-1.5], [-0.8]])
    assert Choice(pictures, model)(pose)[0, 0, 3] < 0.25
    pictures[2, gaze] = spread
    assert Choice(pictures, model)(pose)[0, 0, 2] > 0.9
    pictures[2, gaze], pictures[3, gaze], pictures[3, lids] = -1.5 * spread, spread, wide - 1.5
    assert Choice(pictures, model)(pose)[0, 0, 3] < 0.25, "what half-shut eyes read as is nowhere that the person looks"


def test_the_further_a_driver_looks_beyond_what_the_person_does_the_more_the_farthest_look_is_taken(model, read, wide):
    lids, gaze = (model.columns_of([name]) for name in ("eyes open", "gaze"))
    spread = model.pose_bank[:, gaze].float().std()
    pictures = read[:1].repeat(2, 1)
    pictures[:, lids], pictures[:, gaze] = wide, spread * torch.tensor([[-0.5], [-0.7]])
    pose = pictures[:1].repeat(2, 1)
    pose[1, gaze] = 1.5 * spread
    just, beyond = Choice(pictures, model)(pose)[0, :, 0]
    assert beyond > just + 0.05


def test_the_gaze_of_eyes_half_shut_counts_by_less_than_half(model, read, wide):
    """It is read right less often than that (docs/weights.md)."""
    lids, gaze = (model.columns_of([name]) for name in ("eyes open", "gaze"))
    pictures, spread = read[:1].repeat(4, 1), model.pose_bank[:, gaze].float().std()
    pictures[:, lids] = wide - torch.tensor([[0.0], [0.0], [1.625], [1.625]])
    pictures[:, gaze] = spread * torch.tensor([[-0.5], [0.5], [-0.5], [0.5]])
    shares = Choice(pictures, model)(pictures)[0]
    assert shares[0, 1] < 0.1 and 0.2 < shares[2, 3] < 0.5


def test_closed_eyes_of_one_picture_and_an_open_mouth_of_another_are_painted_together(model, read):
    pictures = read[:1].repeat(2, 1)
    pose, spread = pictures[:1].clone(), model.pose_bank.std(0)
    lids, mouth = model.columns_of(["eyes open"]), model.columns_of(OPENED)
    pose[0, lids] -= 2 * spread[lids]
    pose[0, mouth] += 2 * spread[mouth]
    pictures[0, lids], pictures[1, mouth] = pose[0, lids], pose[0, mouth]
    eyes, mouths, _ = Choice(pictures, model)(pose)[:, 0]
    assert eyes[0] > 0.7 and mouths[1] > eyes[1] + 0.2


def test_each_picture_is_seen_where_it_has_its_share(model, man):
    identity = encode_identity(model, man[:3])
    pictures = np.stack([np.broadcast_to(np.array(colour, np.uint8), man[0].shape) for colour in 200 * np.eye(3, dtype=int)])
    mattes = np.full((3, *man.shape[1:3]), 255, np.uint8)
    painting = Painting(replace(identity, pictures=pictures, mattes=mattes), model, model.generator)
    pose = model.pose_encoder(torch.from_numpy(man[:1]).permute(0, 3, 1, 2) / 255)
    painting.shares = lambda poses: torch.eye(3)[:, None]
    with torch.inference_mode():
        painted = painting.painted(identity.embedding[None], pose)
    middle = slice(48, -48)  # what lies near an edge may have come from beyond it
    where = areas(pose, model, painted.shape[-1])[:, 0, 0, middle, middle]
    assert (painted[0, :3, middle, middle] - 200 / 255 * where).abs().max() < 0.01 and painted[0, 3, middle, middle].min() > 0.99
    assert where.amin() == 0 and (where.amax((1, 2)) > 1 - 1e-6).all()


def test_a_face_is_where_its_eyes_and_mouth_are_and_ends_before_its_hair(model, man):
    """Wherever it is in the crop, however large and tilted."""
    side = man.shape[1]
    upright = np.array([[1.0, 0, 0], [0, 1, 0]], np.float32)
    placed = [upright, upright + ((0, 0, 24), (0, 0, -16)), cv2.getRotationMatrix2D((side / 2, side / 2), 20, 0.8)]
    pictures = [cv2.warpAffine(man[0], np.float32(how), (side, side), borderMode=cv2.BORDER_REPLICATE) for how in placed]
    pictures = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        points, _ = model.pose_encoder.face_points(pictures)
        where = areas(model.pose_encoder(pictures), model, side)
    brow, chin = points[:, 27], points[:, 8]
    above = brow - 0.6 * (chin - brow)  # where a forehead ends

    def least_and_most(part: int, places: torch.Tensor) -> tuple[float, float]:
        seen = F.grid_sample(where[part], places[:, None], align_corners=False)
        return float(seen.min()), float(seen.max())

    assert torch.allclose(where.sum(0), torch.ones(1)) and len(where) == len(PARTS)
    assert least_and_most(0, points[:, 36:48])[0] > 0.85 and least_and_most(1, points[:, 48:68])[0] > 0.85
    assert least_and_most(2, points[:, [0, 16]])[0] > 0.25 and least_and_most(2, above[:, None])[0] > 1 - 1e-6
