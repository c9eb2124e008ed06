"""The painter: the person's own pixels, moved into the pose that the generator drew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from heads_media import heads_folder
from training_runs import two_persons

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.data.store import HeadStore
from lpd_plugin.learning.export import _means, export_run
from lpd_plugin.learning.losses.painting import point_loss
from lpd_plugin.learning.painter_pairs import displaced
from lpd_plugin.learning.painter_training import PainterConfig, PainterTraining
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.face_reader import NAMES
from lpd_plugin.networks.model import ReenactmentModel, at_size
from lpd_plugin.networks.painter import Painter, moved_by
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_model, weights_path


@pytest.fixture(scope="module")
def store(carphone, astronaut) -> HeadStore:
    return two_persons(carphone, astronaut)


@pytest.fixture(scope="module")
def run_of_a_generator(tmp_path_factory):
    """A checkpoint as meta-learning at the drawn size writes it, untrained."""
    from lpd_plugin.learning.checkpoint import save_checkpoint

    path = tmp_path_factory.mktemp("generator") / "checkpoint.safetensors"
    torch.manual_seed(0)
    model = ReenactmentModel(at_size(configuration("compact"), 128))
    save_checkpoint(path, {"average": model}, {}, {"config": {"configuration": "compact", "side": 128}})
    return path


@pytest.fixture(scope="module")
def run_of_a_reader(tmp_path_factory):
    """A checkpoint as the face reader's training writes it, untrained."""
    from lpd_plugin.learning.checkpoint import save_checkpoint

    path = tmp_path_factory.mktemp("reader") / "checkpoint.safetensors"
    torch.manual_seed(1)
    save_checkpoint(path, {"average": ReenactmentModel(configuration("compact")).pose_encoder.face}, {}, {})
    return path


@pytest.fixture(scope="module")
def man(carphone) -> np.ndarray:
    """Four moments of the talking man, 256 px."""
    frames = list(open_clip(carphone).frames())[::32]
    return np.stack([crop_square(frame.rgb(), CropBox(30, 5, 110), 256) for frame in frames])


def premultiplied(store: HeadStore, rows) -> torch.Tensor:
    pictures, masks = store.pictures(np.array(rows))
    return torch.cat((pictures * masks, masks), 1)


def test_an_untrained_painter_shows_the_reference_where_it_is(store):
    reference, other = premultiplied(store, [0, 30]), premultiplied(store, [10, 35])
    painted, motion = Painter(16)(other, reference, reference, torch.randn(2, 32))
    assert motion.abs().max() == 0
    assert torch.allclose(painted, reference, atol=1e-5)


def test_a_motion_says_where_to_look_in_half_sides(store):
    picture = premultiplied(store, [0])
    motion = torch.zeros(1, 2, 64, 64)
    motion[:, 0], motion[:, 1] = 0.25, -0.125  # 16 pixels to the right, 8 up
    moved = moved_by(picture, motion)
    assert torch.allclose(moved[:, :, 8:, :112], picture[:, :, :-8, 16:], atol=1e-5)


def test_hair_that_the_crop_cuts_off_is_not_drawn_out_above_and_a_body_goes_on_below():
    picture = torch.ones(1, 4, 128, 128)
    motion = torch.zeros(1, 2, 64, 64)
    motion[:, 1] = -0.25  # everything comes down by 16 pixels
    down = moved_by(picture, motion)
    assert down[:, :, :12].max() == 0 and down[:, :, 16:].min() == 1
    assert moved_by(picture, -motion).min() == 1


def test_a_painters_run_stopped_and_resumed_learns_the_same(store, run_of_a_generator, run_of_a_reader, tmp_path):
    config, beginning = PainterConfig(pairs=3, steps=4), {"start": run_of_a_generator, "reader": run_of_a_reader}
    whole = PainterTraining(config, store, tmp_path / "whole", **beginning)
    for _ in range(4):
        whole.train_step()
    first = PainterTraining(config, store, tmp_path / "parts", **beginning)
    first.train_step(), first.train_step()
    (tmp_path / "parts").mkdir()
    first.save()
    again = PainterTraining(config, store, tmp_path / "parts")
    assert again.step == 2
    again.run()
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name
    assert (tmp_path / "parts" / "sheet.png").stat().st_size > 1000


def test_a_painter_learns_and_leaves_generator_and_encoders_alone(store, run_of_a_generator, run_of_a_reader, tmp_path):
    run = PainterTraining(PainterConfig(pairs=3), store, tmp_path / "run", run_of_a_generator, reader=run_of_a_reader)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.train_step()
    changed = {n for n, v in run.model.state_dict().items() if not torch.equal(v, before[n])}
    assert changed and all(n.startswith("painter.") for n in changed)


def test_a_painters_run_is_exported_only_where_heads_are_named(store, run_of_a_generator, run_of_a_reader, tmp_path):
    run = PainterTraining(PainterConfig(pairs=3), store, tmp_path, run_of_a_generator, reader=run_of_a_reader)
    run.save()
    with pytest.raises(BadInput, match="does not say which heads .*: --heads FOLDER"):
        export_run(tmp_path, tmp_path / "weights.safetensors")
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_painters_run_can_be_exported_as_the_mean_with_what_it_went_on_from(store, carphone, astronaut, tmp_path):
    heads = heads_folder(tmp_path / "heads", carphone, astronaut)
    run = PainterTraining(PainterConfig(pairs=3, rate=0.1, average=0.0), store, tmp_path, weights_path("compact"))
    run.train_step()
    run.save()
    export_run(tmp_path, tmp_path / "run.safetensors", str(heads))
    export_run(tmp_path, tmp_path / "mean.safetensors", str(heads), mean_with=weights_path("compact"))
    began, run, mean = (
        load_model(path).state_dict() for path in ("compact", tmp_path / "run.safetensors", tmp_path / "mean.safetensors")
    )
    moved = max((run[k] - began[k]).abs().max() for k in run if k.startswith("painter."))
    assert moved > 1e-4
    for name in (k for k in run if k != "pose_bank"):
        torch.testing.assert_close(mean[name], (run[name] + began[name]) / 2, rtol=1e-3, atol=1e-6)
    with pytest.raises(BadInput, match="holds other networks than the run"):
        _means({"painter.more": torch.zeros(1)}, "compact")


def test_a_painter_without_a_face_reader_is_refused(store, run_of_a_generator, tmp_path):
    with pytest.raises(BadInput, match="holds no face reader: train one"):
        PainterTraining(PainterConfig(), store, tmp_path / "run", run_of_a_generator)


def test_a_motion_that_leads_points_to_where_they_are_in_the_reference_costs_nothing():
    random = torch.Generator().manual_seed(0)
    places = torch.rand(2, 68, 2, generator=random) - 0.5
    motion = torch.tensor([0.1, -0.2])[None, :, None, None].expand(2, 2, 64, 64)
    assert point_loss(motion, places, places + torch.tensor([0.1, -0.2])) < 1e-6
    assert point_loss(motion, places, places) == pytest.approx(0.3, abs=1e-5)
    assert point_loss(motion, places[:, :0], places[:, :0]) == 0


def test_points_move_with_the_picture_that_is_displaced():
    torch.manual_seed(3)
    pictures, points = torch.zeros(8, 1, 128, 128), torch.tensor([[0.2, -0.3]]).repeat(8, 1, 1)
    pictures[:, :, 43:47, 75:79] = 1  # around (0.2, -0.3) in half sides
    moved, there = displaced(pictures, points)
    axis = (torch.arange(128) * 2 + 1) / 128 - 1
    weight = moved[:, 0] / moved.sum((1, 2, 3))[:, None, None]
    found = torch.stack(((weight * axis).sum((1, 2)), (weight * axis[:, None]).sum((1, 2))), 1)
    assert (there[:, 0] - points[:, 0]).abs().max() > 0.1
    assert torch.allclose(found, there[:, 0], atol=0.02)


def test_a_painter_without_a_generator_to_start_from_is_refused(store, tmp_path):
    with pytest.raises(BadInput, match="holds no painter's run yet"):
        PainterTraining(PainterConfig(), store, tmp_path / "run")
    with pytest.raises(BadInput, match="'published' has no painter"):
        PainterTraining(PainterConfig(configuration="published"), store, tmp_path / "run")


def test_a_person_driven_by_its_own_picture_is_that_picture(man):
    """Among several pictures the one in the wanted pose is painted from, and is hardly changed."""
    model = load_model()
    identity = encode_identity(model, man)
    painting = Painting(identity, model, model.generator)
    with torch.inference_mode():
        rgb, mask = painting(identity.embedding.expand(len(man), -1), painting.descriptors)
    inside = torch.from_numpy(identity.mattes).float() / 255 > 0.9
    error = (rgb - torch.from_numpy(man).permute(0, 3, 1, 2) / 255).abs().mean(1)
    assert error[inside].mean() < 0.06  # features move by a pixel or two; strangers' poses move them by ten
    assert ((mask[:, 0] > 0.5) == (torch.from_numpy(identity.mattes) > 127)).float().mean() > 0.95


def test_a_portrait_tilts_its_head_and_opens_its_mouth_when_the_driver_does(astronaut, carphone):
    """One smiling picture of a woman, driven by a man who talks; read off the painted heads by the embedded face reader."""
    model, clip = load_model(), list(open_clip(carphone).frames())
    portrait = crop_square(next(iter(open_clip(astronaut).frames())).rgb(), CropBox(122, 18, 202), 256)
    # Upright and tilted, mouth closed and open (moments 60 and 110).
    driver = np.stack([crop_square(clip[k].rgb(), CropBox(25, 5, 110), 256) for k in (0, 20, 30, 50, 60, 61, 70, 90, 100, 110)])
    identity = encode_identity(model, portrait[None])
    with torch.inference_mode():
        poses = model.pose_encoder(torch.from_numpy(driver).permute(0, 3, 1, 2) / 255)
        rgb, mask = Painting(identity, model, model.generator)(identity.embedding.expand(len(poses), -1), poses)
        shown = model.pose_encoder.read_face(rgb * mask + 0.5 * (1 - mask)).numpy()
    wanted = poses[:, model.configuration.pose_size :].numpy()
    for name in ("roll", "lips apart"):
        assert np.corrcoef(shown[:, NAMES.index(name)], wanted[:, NAMES.index(name)])[0, 1] > 0.7, name


def veil(mattes: torch.Tensor) -> float:
    """mean(m (1 - m)): 0 for zeros and ones alone."""
    return float((mattes * (1 - mattes)).mean())


def test_where_pictures_do_not_agree_about_the_outline_no_veil_is_left(man):
    model = load_model()
    person = encode_identity(model, man)
    painting, identity = Painting(person, model, model.generator), person.embedding[None]
    with torch.inference_mode():
        pose = painting.descriptors[[0, 3]].mean(0, keepdim=True)
        veiled, (_, mask) = painting.painted(identity, pose)[:, 3:].clamp(0, 1), painting(identity, pose)
    assert veil(mask) < 0.45 * veil(veiled)
    assert ((mask >= 0.5) == (veiled >= 0.5)).float().mean() > 0.998


def test_an_identity_without_pictures_cannot_be_painted(man):
    model = load_model()
    identity = replace(encode_identity(model, man), pictures=man[:0])
    with pytest.raises(BadInput, match="holds no pictures to paint from"):
        Painting(identity, model, model.generator)
