"""Generators trained on, exported with and driven by another pose descriptor than the latent one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from heads_media import heads_folder
from quarters import DARK, calls, crops_of, talking_man
from training_runs import exported_run, small_run, two_persons

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.learning.adaptation.adapt import adaptation_run
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.checkpoint import module_state, read_checkpoint
from lpd_plugin.learning.contact_sheet import training_sheet
from lpd_plugin.learning.data.any_heads import open_heads
from lpd_plugin.learning.data.sampling import Sampler
from lpd_plugin.learning.data.store import HeadClip, HeadStore
from lpd_plugin.learning.export import export_run
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.pose_sources import described, registry
from lpd_plugin.learning.pose_sources.rows import RowPoses
from lpd_plugin.learning.validation import held_out_measures
from lpd_plugin.reenactment.adapted import adapt_identity, curve_of
from lpd_plugin.reenactment.crops import chosen_crops, encode_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.track import Origin, Track
from lpd_plugin.weights.files import load_matte, load_model, weights_info


@pytest.fixture(autouse=True)
def nothing_opened():
    registry._opened.cache_clear()
    calls.clear()


@pytest.fixture(scope="module")
def store(carphone, astronaut) -> HeadStore:
    """Two people, 128 px; the man's first clip has three dark rows, all of his second clip is dark."""
    store = two_persons(carphone, astronaut)
    store.frames[[2, 5, 6, *range(15, 30)]] = 0
    return store


def driven_run(**changes):
    return small_run(**{"pose": "quarters", "held_out": "", **changes})


@pytest.fixture(scope="module")
def heads(tmp_path_factory, carphone, astronaut):
    return heads_folder(tmp_path_factory.mktemp("heads"), carphone, astronaut)


@pytest.fixture(scope="module")
def exported(heads, tmp_path_factory):
    """A run of a few steps over a heads folder, and its weights file."""
    return exported_run(heads, tmp_path_factory.mktemp("exported"), pose="quarters", steps=3, average=0.0)


def whole_track(clip: BatchClip, side: int) -> Track:
    """The whole of a square clip's frames."""
    times = np.array([float(frame.time) for frame in clip.frames()])
    count = len(times)
    found = np.full(count, Origin.MANUAL, np.uint8)
    centre = np.full((count, 2), side / 2, np.float32)
    return Track(times, centre, np.full(count, side, np.float32), np.ones(count, np.float32), found, (side, side))


@pytest.fixture(scope="module")
def driver(carphone):
    return talking_man(carphone)


# Trained on


def test_a_generator_learns_from_the_descriptor_and_its_picture_depends_on_it(store, tmp_path):
    run = MetaLearning(driven_run(), store, tmp_path / "run")
    run.train_step()
    size = run.model.configuration.identity_size
    first = run.model.generator.projector[0].weight
    assert first.shape[1] == size + 5 and (first.grad[:, size : size + 4].abs().sum(0) > 0).all()
    kept = [name for name in run.model.state_dict() if name.startswith("pose_encoder")]
    assert sorted(kept) == ["pose_encoder.mean", "pose_encoder.spread"]
    identity, poses = torch.zeros(1, size), torch.tensor([[0.3, 0.5, 0.3, 0.5, 0.25], [0.5, 0.3, 0.5, 0.3, 0.25]])
    one, other = (run.average.generator(identity, run.average.pose_encoder(pose[None]))[0] for pose in poses)
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("sampling", ["person", "video"])
@pytest.mark.parametrize("augmentation", ["published", "strong"])
def test_every_target_comes_with_its_own_descriptor_mirrored_or_not(store, tmp_path, sampling, augmentation, monkeypatch):
    monkeypatch.setattr("lpd_plugin.learning.shown.recoloured_persons", lambda *groups: groups)
    bare = HeadStore(store.frames, np.full_like(store.masks, 255), store.clips)
    config = driven_run(side=128, targets=3, sampling=sampling, augmentation=augmentation)
    shown, mirrored = MetaLearning(config, bare, tmp_path / "run").shown, 0
    for step in range(4):
        sample = shown.at(step, 0)
        pictures = (sample["target"] * 255).round().byte().permute(0, 2, 3, 1).numpy()
        assert np.allclose(described("quarters")(pictures), sample["pose"].numpy(), atol=1e-5)
        mirrored += shown.sampler.draw().mirrored.sum()
    assert (mirrored > 0) == (sampling == "person")


@pytest.mark.parametrize("sampling", ["person", "video"])
def test_rows_without_a_face_are_never_targets_but_may_show_who_it_is(store, sampling):
    seen = store.frames.mean((1, 2, 3)) >= DARK
    assert (~seen).sum() == 18
    sampler = Sampler(store, 2, 2, 2, seed=3, by=sampling, seen=seen)
    anyone = Sampler(store, 2, 2, 2, seed=3, by=sampling)
    samples, others = ([s.draw() for _ in range(60)] for s in (sampler, anyone))
    assert all(seen[sample.target_rows].all() and (sample.label != 1).all() for sample in samples)
    assert set(np.concatenate([s.target_rows.ravel() for s in samples])) == set(np.flatnonzero(seen))
    assert not all(seen[sample.target_rows].all() for sample in others)
    if sampling == "person":
        assert any((sample.identity.amax((1, 2, 3, 4)) == 0).any() for sample in samples)  # from the man's other clip
    no_man = Sampler(store, 2, 2, 2, seed=3, by=sampling, seen=seen & (np.arange(40) >= 30))
    assert all((no_man.draw().label == 2).all() for _ in range(10))


def test_descriptors_are_standardised_over_the_rows_that_are_shown(store, tmp_path):
    run = MetaLearning(driven_run(), store, tmp_path / "run")
    values = np.concatenate([described("quarters")(store.frames[..., ::turn, :]) for turn in (1, -1)])
    values = values[np.isfinite(values).all(1)]
    assert len(values) == 2 * (40 - 18)
    for model in (run.model, run.average):
        told = model.pose_encoder(torch.from_numpy(values))
        assert told.mean(0).abs().max() < 1e-3 and (told[:, :4].std(0, correction=0) - 1).abs().max() < 1e-3
    assert told[:, 4].abs().max() < 1e-3  # never varies: not blown up
    far, nowhere = (run.model.pose_encoder(torch.full((1, 5), value)) for value in (1e6, np.nan))
    assert far.max() == 5 and nowhere.isnan().all()


def test_heads_without_any_face_are_refused(store, tmp_path):
    dark = HeadStore(np.zeros_like(store.frames), store.masks, store.clips)
    with pytest.raises(BadInput, match="'quarters' sees no face in any of the 40 training heads"):
        MetaLearning(driven_run(), dark, tmp_path / "run")


def test_rows_are_described_once_from_the_pictures_as_they_are_kept(store, tmp_path):
    small = HeadStore(store.frames[:, ::2, ::2], store.masks[:, ::2, ::2], store.clips)
    MetaLearning(driven_run(), small, tmp_path / "run", kept=lambda: store)
    assert sum(calls) == 2 * 40  # as they are, and mirrored
    kept = RowPoses(np.load(tmp_path / "run" / "poses-quarters.npz")["values"])
    assert np.array_equal(kept.values[0], described("quarters")(store.frames), equal_nan=True)
    calls.clear()
    MetaLearning(driven_run(), small, tmp_path / "run", kept=lambda: pytest.fail("described again"))
    assert not calls
    fewer = HeadStore(store.frames[:15], store.masks[:15], store.clips[:1])
    with pytest.raises(BadInput, match="poses-quarters.npz is of 40 pictures, the data of 15: delete it"):
        MetaLearning(driven_run(), fewer, tmp_path / "run")


def test_descriptors_of_another_file_are_not_taken_for_this_ones(store, tmp_path):
    (tmp_path / "one.txt").write_text("1")
    config = driven_run(pose="scaled quarters", pose_file=str(tmp_path / "one.txt"))
    MetaLearning(config, store, tmp_path / "run")
    (tmp_path / "one.txt").write_text("2")
    with pytest.raises(BadInput, match="is of another descriptor or file: delete it"):
        MetaLearning(config, store, tmp_path / "run")


def test_a_run_of_another_descriptor_is_refused_and_nothing_is_described_for_it(store, tmp_path):
    MetaLearning(driven_run(steps=1), store, tmp_path / "driven").run()
    MetaLearning(small_run(steps=1), store, tmp_path / "latent").run()
    calls.clear()
    with pytest.raises(BadInput, match="holds a run with pose quarters, not latent: choose another folder"):
        MetaLearning(small_run(), store, tmp_path / "driven")
    with pytest.raises(BadInput, match="holds a run with pose latent, not quarters: choose another folder"):
        MetaLearning(driven_run(), store, tmp_path / "latent")
    assert not calls
    start = str(tmp_path / "latent" / "checkpoint.safetensors")
    with pytest.raises(BadInput, match="is driven by the pose descriptor 'latent', this run by 'quarters'"):
        MetaLearning(driven_run(side=64, grow_from=start), store, tmp_path / "grown")


def test_a_run_of_the_same_descriptor_is_grown_with_what_standardises_it(store, tmp_path):
    MetaLearning(driven_run(steps=1), store, tmp_path / "small").run()
    start = str(tmp_path / "small" / "checkpoint.safetensors")
    her = HeadStore(store.frames[30:], store.masks[30:], [HeadClip("her", "a", 0, 10)])
    grown = MetaLearning(driven_run(side=64, videos=1, grow_from=start), her, tmp_path / "grown")
    kept = module_state(read_checkpoint(start)[0], "average")
    assert torch.equal(grown.average.pose_encoder.mean, kept["pose_encoder.mean"])
    assert grown.train_step()["content_laplacian"] > 0


def test_a_driven_run_stopped_and_resumed_learns_the_same(store, tmp_path):
    MetaLearning(driven_run(steps=2), store, tmp_path / "parts").run()
    again, whole = (MetaLearning(driven_run(), store, tmp_path / name) for name in ("parts", "whole"))
    assert again.step == 2
    again.run(), whole.run()
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name


def test_precision_and_layout_do_without_a_pose_encoder(store, tmp_path):
    config = driven_run(precision="bfloat16", channels_last=True, adversarial_from=0)
    terms = MetaLearning(config, store, tmp_path / "run").train_step()
    assert all(np.isfinite(value) for value in terms.values())


def test_validation_and_sheets_leave_out_what_is_not_seen(store, tmp_path):
    run = MetaLearning(driven_run(), store, tmp_path / "run", held_out=store)
    assert all(np.isfinite(v) for v in held_out_measures(run.average, store, run.device, run.driving).values())
    sheet = training_sheet(run.average, store, 0, driving=run.driving)
    man = sheet[:128] if (sheet[:128, 4 * 128 : 5 * 128] == 0).all() else sheet[128:]  # his other clip is dark
    assert (man[:, 4 * 128 : 7 * 128] == 0).all() and (man[:, 2 * 128 : 3 * 128] > 0).any()
    dark = HeadStore(np.zeros_like(store.frames), store.masks, store.clips)
    with pytest.raises(BadInput, match="No face is seen in the held-out heads"):
        held_out_measures(run.average, dark, run.device, run.driving)


# Exported and driven by


def test_what_was_exported_and_loaded_draws_what_the_average_drew(exported, driver):
    run, path = exported
    model, clip = load_model(path), BatchClip(driver)
    pose = encode_pose(model, clip, whole_track(clip, 128))
    identity = encode_identity(model, driver[:2], str(path))
    heads = list(GeneratedHeads(identity, pose, model))
    assert [head is not None for head in heads] == [True] * 8 + [False] * 4
    average = run.average
    crops = crops_of(driver[:8])
    embedding = average.embedding_of(torch.from_numpy(driver[:2]).permute(0, 3, 1, 2) / 255)[None]
    with torch.no_grad():
        told = average.pose_encoder(torch.from_numpy(described("quarters")(crops)))
        rgb, mask = average.generator(embedding.expand(8, -1), told)
    drawn = np.stack([head.rgb for head in heads[:8]])
    assert np.abs(drawn - rgb.clamp(0, 1).permute(0, 2, 3, 1).numpy()).max() < 5e-3  # half precision
    assert np.abs(np.stack([head.matte for head in heads[:8]]) - mask[:, 0].numpy()).max() < 5e-3
    assert np.abs(drawn[0] - drawn[4]).max() > 2e-2  # and the driver is followed at all


def test_frames_in_which_nothing_is_seen_are_absent_and_a_driver_of_such_frames_is_refused(exported, driver):
    model, clip = load_model(exported[1]), BatchClip(driver)
    pose = encode_pose(model, clip, whole_track(clip, 128))
    assert pose.present.tolist() == [True] * 8 + [False] * 4 and np.isfinite(pose.descriptors).all()
    dark = BatchClip(driver[8:])
    with pytest.raises(BadInput, match="The pose descriptor 'quarters' sees no face in a batch of 4 images"):
        encode_pose(model, dark, whole_track(dark, 128))


def test_pictures_for_an_identity_are_chosen_by_the_descriptor_among_those_seen(exported, driver):
    clip = BatchClip(driver)
    crops = chosen_crops([(clip, whole_track(clip, 128))], 4, load_model(exported[1]))
    assert len(crops) == 4 and (crops.mean((1, 2, 3)) > DARK).all()


@pytest.mark.parametrize("steps", [3, None])
def test_a_person_adapts_with_such_weights_from_the_frames_in_which_a_face_is_seen(exported, driver, steps):
    model = load_model(exported[1])
    identity = encode_identity(model, crops_of(driver))  # eight frames and four dark ones
    config = AdaptationConfig(steps=steps, limit=3, batch=2, foreign=1)
    adapted = adapt_identity(identity, model, load_matte(), config)
    assert adapted.adapted or steps is None  # where they are chosen, none may be best
    assert all(value.isfinite().all() for value in adapted.adapted.values())
    assert len(curve_of(adapted).measurements) == (2 if steps is None else 0)
    assert all(np.isfinite((m.pose, m.reconstruction)).all() for m in curve_of(adapted).measurements)
    run = adaptation_run(model, load_matte(), identity.pictures, identity.embedding, config)
    assert len(run.learned) + (len(run.held_out) if run.held_out else 0) == 8
    poses = encode_crops(model, run.learned.pictures.permute(0, 2, 3, 1).contiguous().numpy())
    assert np.allclose(run.poses.numpy(), poses)


def test_pictures_without_a_face_cannot_be_adapted_to(exported, driver):
    model = load_model(exported[1])
    identity = encode_identity(model, crops_of(driver[-4:]))
    with pytest.raises(BadInput, match="No face is seen by 'quarters' in any picture"):
        adapt_identity(identity, model, load_matte(), AdaptationConfig(steps=1, batch=1, foreign=1))


def test_the_weights_say_what_drives_them(exported, capsys):
    main(["weights", "info", str(exported[1])])
    assert "pose: quarters, 5 numbers\n" in capsys.readouterr().out
    info = weights_info(exported[1])
    assert info.side == 32 and info.networks().drawn_size == info.networks().face_size == 0
    bank = load_model(exported[1]).pose_bank
    assert bank.shape == (256, 5) and bank.isfinite().all() and 0.5 < bank[:, :4].std() < 2


def test_the_file_that_drove_the_training_drives_the_weights(heads, tmp_path, driver, monkeypatch):
    (tmp_path / "run.txt").write_text("3")
    monkeypatch.setenv("LPD_POSE_FILE_SCALED_QUARTERS", str(tmp_path / "run.txt"))
    config = driven_run(pose="scaled quarters", heads=str(heads), steps=1)
    MetaLearning(config, open_heads(heads, "train", 128), tmp_path / "run").run()
    path = tmp_path / "weights" / "w.safetensors"
    path.parent.mkdir()
    export_run(tmp_path / "run", path)
    model, crops = load_model(path), crops_of(driver[:2])
    assert weights_info(path).descriptor.file == "run.txt"
    wanted = model.pose_encoder(torch.from_numpy(3 * described("quarters")(crops))).numpy()
    assert np.allclose(encode_crops(model, crops), wanted, atol=1e-5)
    monkeypatch.delenv("LPD_POSE_FILE_SCALED_QUARTERS")
    with pytest.raises(BadInput, match="There is no file .*run.txt: these weights are driven by 'scaled quarters'"):
        encode_crops(model, crops)
    (path.parent / "run.txt").write_text("4")
    with pytest.raises(BadInput, match="run.txt is not the run.txt that these weights were trained with"):
        encode_crops(model, crops)
    (path.parent / "run.txt").write_text("3")
    assert np.allclose(encode_crops(model, crops), wanted, atol=1e-5)


def test_the_commands_train_export_and_compare_with_a_latent_generator(heads, tmp_path):
    for pose in ("quarters", "latent"):
        lines = [f"pose: {pose}", "side: 32", "videos: 2", "identity_pictures: 1", "steps: 2", "adam_eps: 1e-8"]
        (tmp_path / "c.yaml").write_text("\n".join(lines))
        commands = (
            ["train", tmp_path / "c.yaml", "-o", tmp_path / pose, "--heads", heads, "--device", "cpu"],
            ["train", "export", tmp_path / pose, "-o", tmp_path / f"{pose}.safetensors", "--heads", heads, "--generator-only"],
        )
        for command in commands:
            main([str(part) for part in command])
    driven, latent = (load_model(tmp_path / f"{pose}.safetensors") for pose in ("quarters", "latent"))
    assert driven.configuration.image_size == latent.configuration.image_size == 32
    assert latent.painter is None and latent.pose_bank.shape == (256, latent.configuration.pose_size)
