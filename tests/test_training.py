"""Training: what is sampled, what is augmented, what a checkpoint keeps."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.augmentation import PoseAugmentation, patterned_backgrounds, recoloured_persons, shifted
from lpd_plugin.learning.data.heads_folder import read_heads
from lpd_plugin.learning.data.sampling import Sampler
from lpd_plugin.learning.data.store import HeadStore
from lpd_plugin.learning.losses.dice import dice_loss
from lpd_plugin.learning.losses.laplacian import centre_weight, laplacian_loss
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.training_config import load_training_config
from training_runs import small_run, two_persons


@pytest.fixture(scope="module")
def store(carphone, astronaut) -> HeadStore:
    return two_persons(carphone, astronaut)


def test_a_step_shows_identity_and_target_of_the_same_person(store):
    sample = Sampler(store, videos=2, identity_pictures=3, targets=2, seed=1).draw()
    assert sample.identity.shape == (2, 3, 3, 128, 128) and sample.target.shape == (2, 2, 3, 128, 128)
    people = [store.clips[int(label)].person for label in sample.label]
    assert sorted(people) == ["her", "man"]  # both persons, although one has twice the clips
    her = people.index("her")
    means = sample.identity.mean((1, 3, 4)), sample.target.mean((1, 3, 4))
    assert torch.allclose(means[0][her], means[1][her], atol=0.03)


def test_the_same_seed_draws_the_same_samples(store):
    one, two = (Sampler(store, 2, 1, 1, seed=5).draw() for _ in range(2))
    assert torch.equal(one.target, two.target) and torch.equal(one.label, two.label)


def test_new_colours_are_the_same_for_all_pictures_of_a_video(store):
    torch.manual_seed(0)
    pictures = store.pictures(np.array([[0], [30]]))[0]
    first, second = recoloured_persons(pictures, pictures, probability=1.0)
    assert torch.equal(first, second) and not torch.allclose(first, pictures, atol=0.02)


def test_a_shift_moves_picture_and_mask_alike(store):
    torch.manual_seed(3)
    pictures, masks = store.pictures(np.array([0, 30]))
    moved, moved_masks = shifted(masks.repeat(1, 3, 1, 1), masks)
    assert torch.allclose(moved[:, :1], moved_masks, atol=1e-6) and not torch.equal(moved_masks, masks)


def test_a_patterned_background_leaves_the_person_and_is_busier_than_what_was_there(store):
    torch.manual_seed(0)
    pictures, masks = store.pictures(np.array([0, 10, 20, 30]))
    before = patterned_backgrounds(pictures, masks, 1.0)
    inside, outside = (masks > 0.999).expand_as(pictures), (masks < 0.001).expand_as(pictures)
    assert torch.allclose(before[inside], pictures[inside], atol=2e-3) and before.min() >= 0 and before.max() <= 1
    assert (before - pictures).abs()[outside].mean() > 0.05
    edges = [(p[..., 1:] - p[..., :-1]).abs()[outside[..., 1:]].mean() for p in (before, pictures)]
    assert edges[0] > 1.5 * edges[1]
    assert torch.equal(patterned_backgrounds(pictures, masks, 0.0), pictures)


def test_pose_augmentation_changes_colours_and_keeps_the_range(store):
    torch.manual_seed(0)
    pictures = store.pictures(np.arange(0, 30, 4))[0]
    changed = PoseAugmentation()(pictures)
    assert changed.shape == pictures.shape and changed.min() >= 0 and changed.max() <= 1
    assert (changed - pictures).abs().mean() > 0.05


def test_losses_are_zero_where_nothing_is_wrong_and_grow_with_the_error(store):
    picture, mask = store.pictures(np.array([0]))
    weight = centre_weight(128, 5.0)
    assert weight.mean() == pytest.approx(1.0, abs=1e-5) and weight[0, 0, 64, 64] > 3 * weight[0, 0, 0, 0]
    assert float(laplacian_loss(picture, picture, weight)) == 0
    near, far = (float(laplacian_loss((picture + d).clamp(0, 1), picture, weight)) for d in (0.05, 0.2))
    assert 0 < near < far
    assert float(dice_loss(mask, mask)) == pytest.approx(0, abs=1e-5) and float(dice_loss(mask * 0.5, mask)) > 0.1


def test_training_stopped_and_resumed_gives_the_same_losses_and_weights_as_without(store, tmp_path):
    whole = MetaLearning(small_run(adversarial_from=1), store, tmp_path / "whole")
    losses = [whole.train_step() for _ in range(4)]
    first = MetaLearning(small_run(adversarial_from=1), store, tmp_path / "parts")
    (tmp_path / "parts").mkdir()
    before = [first.train_step() for _ in range(2)]
    first.save()
    second = MetaLearning(small_run(adversarial_from=1), store, tmp_path / "parts")
    after = [second.train_step() for _ in range(2)]
    assert before + after == losses and {"adversarial", "feature_matching", "discriminator"} <= set(after[-1])
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    assert not list((tmp_path / "parts").glob(".*part"))


def test_a_few_steps_bring_the_loss_down_and_leave_log_and_sheet(store, tmp_path):
    MetaLearning(small_run(steps=40, sheet_steps=40, log_steps=10), store, tmp_path / "run").run()
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    assert [row["step"] for row in rows] == ["10", "20", "30", "40"]
    assert float(rows[-1]["content_laplacian"]) < 0.9 * float(rows[0]["content_laplacian"])
    assert (tmp_path / "run" / "sheet.png").stat().st_size > 1000


def test_a_held_out_person_among_the_training_ones_is_refused(tmp_path):
    (tmp_path / "index.csv").write_text("split,person,clip,pad_fraction\ntrain,p1,clip0,0\nval,p1,clip1,0\n")
    with pytest.raises(BadInput, match="p1 is in split 'train' and in another one"):
        read_heads(tmp_path, "train", 64)


def test_the_training_split_of_the_shared_heads_holds_none_of_the_val_persons(shared):
    with (shared / "heads" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    val = {r["person"] for r in rows if r["split"] == "val"}
    train = {r["person"] for r in rows if r["split"] == "train"}
    assert len(val) == 12 and not train & val


def test_a_wrong_key_in_a_training_configuration_is_named(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("configuration: compact\nstepz: 5\n")
    with pytest.raises(BadInput, match="unknown key 'stepz'"):
        load_training_config(path)
    path.write_text("configuration: compact\nweights: {dise: 1.0}\n")
    with pytest.raises(BadInput, match="Unknown loss 'dise'"):
        load_training_config(path).loss_weights()
