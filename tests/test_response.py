"""Mouths open as far as they are asked to, whoever they belong to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.networks.face_reader import OPENED
from lpd_plugin.reenactment.adapted import adapt_identity
from lpd_plugin.reenactment.crops import encode_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import RESPONSE, Identity, encode_identity
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.reenactment.response import Response, response_of
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_matte, load_model


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def closed(carphone, model) -> Identity:
    """The man, of pictures in which his mouth is closed: what is inside it, no picture shows."""
    frames = list(open_clip(carphone).frames())
    crops = np.stack([crop_square(frames[k].rgb(), CropBox(30, 5, 110), 256) for k in range(0, 40, 4)])
    return encode_identity(model, crops)


def mouth(model) -> list[int]:
    return model.columns_of(OPENED)


def opened(identity: Identity, model, poses: np.ndarray) -> np.ndarray:
    """What is read of the mouth's opening (N,) where somebody is painted in poses (N, D)."""
    pose = Pose(np.arange(len(poses)) / 25, poses, np.ones(len(poses), bool), len(poses) / 25, model.digest)
    heads = [h.rgb * h.matte[..., None] + 0.5 * (1 - h.matte[..., None]) for h in GeneratedHeads(identity, pose, model)]
    pictures = (np.stack(heads).clip(0, 1) * 255).round().astype(np.uint8)
    return encode_crops(model, pictures)[:, mouth(model)].mean(1)


def test_more_is_asked_of_a_mouth_that_opens_less_than_asked_and_nothing_else_of_the_pose_changes(model):
    poses = torch.zeros(3, model.configuration.descriptor_size)
    poses[:, mouth(model)] = torch.tensor([[-0.4], [0.2], [0.8]])
    asked = Response(offset=-0.1, slope=0.8).asking(poses, model)
    assert torch.allclose(asked[:, mouth(model)].mean(1), torch.tensor([-0.375, 0.375, 1.125]))
    others = [k for k in range(poses.shape[1]) if k not in mouth(model)]
    assert torch.equal(asked[:, others], poses[:, others])
    assert Response().asking(poses, model) is poses


def test_a_mouth_that_hardly_follows_is_asked_for_twice_as_much_and_never_for_the_impossible(model):
    poses = torch.zeros(2, model.configuration.descriptor_size)
    poses[:, mouth(model)] = torch.tensor([[0.5], [4.0]])
    asked = Response(offset=0.0, slope=0.02).asking(poses, model)[:, mouth(model)].mean(1)
    assert asked.tolist() == pytest.approx([1.0, 4.6])


def test_who_was_only_seen_with_a_closed_mouth_opens_it_about_as_far_as_asked(model, closed):
    assert closed.response.slope < 0.95
    rows = np.argsort(model.pose_bank[:, mouth(model)].float().mean(1).numpy())[5:-20:25]
    poses = model.pose_bank[rows.tolist()].float().numpy()
    wanted = poses[:, mouth(model)].mean(1)
    as_asked, as_wanted = opened(replace(closed, response=Response()), model, poses), opened(closed, model, poses)
    missed = [np.polyval(np.polyfit(wanted, read, 1), wanted) - wanted for read in (as_asked, as_wanted)]
    before, after = (np.sqrt(np.square(by).mean()) for by in missed)  # by the line through all, in spreads
    assert before > 0.05 and after < 0.6 * before


def test_pictures_are_still_chosen_by_what_is_wanted(model, closed):
    answers = Painting(replace(closed, response=Response(-0.5, 0.6)), model, model.generator)
    chosen, seen = answers.shares, []
    answers.shares = lambda poses: seen.append(poses) or chosen(poses)
    answers.painted(closed.embedding[None], model.pose_bank[:1].float())
    assert torch.equal(seen[0], model.pose_bank[:1].float())


def test_a_saved_identity_keeps_its_response_and_one_saved_before_there_was_any_has_none(closed, tmp_path):
    closed.save(tmp_path / "man.lpd.safetensors")
    assert Identity.load(tmp_path / "man.lpd.safetensors").response == closed.response != Response()
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(tmp_path / "man.lpd.safetensors", "pt") as file:
        metadata = {k: v for k, v in file.metadata().items() if k != RESPONSE}
    save_file(load_file(tmp_path / "man.lpd.safetensors"), tmp_path / "before.lpd.safetensors", metadata)
    assert Identity.load(tmp_path / "before.lpd.safetensors").response == Response()


def test_who_is_adapted_is_measured_again_and_other_heads_are_other_results(model, closed):
    adapted = adapt_identity(closed, model, load_matte(), AdaptationConfig(steps=2, batch=1, foreign=1, painter_rate=1e-3))
    assert adapted.response == response_of(adapted, model) != closed.response
    pose = Pose(np.zeros(1), model.pose_bank[:1].float().numpy(), np.ones(1, bool), 0.04, model.digest)
    without = replace(closed, response=Response())
    assert GeneratedHeads(closed, pose, model).fingerprint() != GeneratedHeads(without, pose, model).fingerprint()


def test_an_identity_without_pictures_has_no_response(model, closed):
    assert response_of(replace(closed, pictures=closed.pictures[:0], mattes=closed.mattes[:0]), model) == Response()
