"""The judge of likeness: whom it tells apart, how it is taught, and what it does in an adaptation."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from training_runs import two_persons

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.likeness_training import LikenessConfig, LikenessTraining
from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_likeness
from lpd_plugin.whole_files import write_tensors


@pytest.fixture(scope="module")
def man(carphone) -> np.ndarray:
    """(10, 256, 256, 3): every twelfth crop of the talking man, as the product tracks and crops him."""
    clip = open_clip(carphone)
    return np.stack([crop for crop in list(head_crops(clip, track_head(clip), 256))[::12] if crop is not None])


def her(astronaut) -> np.ndarray:
    picture = cv2.imread(str(astronaut))[..., ::-1]
    return crop_square(np.ascontiguousarray(picture), CropBox(110, -5, 230), 256)[None]


def seen(pictures: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return load_likeness()(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)[-1]


@pytest.fixture(scope="module")
def people(carphone, astronaut):
    return two_persons(carphone, astronaut)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    """A recogniser's file: the embedded judge's own, which teaches another as it was taught."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    write_tensors(path, load_likeness().state_dict(), {})
    return str(path)


def test_the_embedded_judge_knows_the_man_again_and_tells_him_from_her(man, astronaut):
    him, woman = seen(man), seen(her(astronaut))
    darker = seen(np.uint8(her(astronaut) * 0.7))
    assert torch.allclose(him.norm(dim=1), torch.ones(len(him)), atol=1e-4)
    among = (him @ him.T)[~torch.eye(len(him), dtype=bool)]
    assert among.mean() > (him @ woman.T).max() + 0.2
    assert (woman @ darker.T).item() > 0.8


def test_a_pupil_comes_nearer_to_its_teacher_and_a_resumed_one_learns_the_same(people, teacher, tmp_path):
    config = LikenessConfig(teacher, steps=6, batch=6, rate=3e-3)
    straight = LikenessTraining(config, people, tmp_path / "a")
    losses = [straight.train_step()["loss"] for _ in range(6)]
    assert losses[-1] < 0.9 * losses[0]
    (tmp_path / "b").mkdir()
    first = LikenessTraining(config, people, tmp_path / "b")
    again = [first.train_step()["loss"] for _ in range(3)]
    first.save()
    second = LikenessTraining(config, people, tmp_path / "b")
    assert second.step == 3 and again + [second.train_step()["loss"] for _ in range(3)] == pytest.approx(losses, rel=1e-5)


def test_what_it_is_asked_about_follows_from_the_seed_and_is_mixed_of_two(people, teacher, tmp_path):
    def shown(**more):
        run = LikenessTraining(replace(LikenessConfig(teacher, batch=4), **more), people, tmp_path)
        return run.shown(run.store, np.random.default_rng(5))

    plain = shown(mixed=0.0)
    assert plain.shape == (4, 3, 200, 200) and 0 <= plain.min() and plain.max() <= 1
    assert torch.equal(plain, shown(mixed=0.0)) and (shown(mixed=1.0) - plain).abs().mean() > 0.01


def test_held_out_persons_and_files_that_are_no_recogniser_are_refused(people, teacher, tmp_path):
    with pytest.raises(BadInput, match="held"):
        LikenessTraining(LikenessConfig(teacher), replace(people, clips=[replace(clip, split="val") for clip in people.clips]), tmp_path)
    write_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(BadInput, match="is not MobileFaceNet's weights file"):
        LikenessTraining(LikenessConfig(str(tmp_path / "other.safetensors")), people, tmp_path)
