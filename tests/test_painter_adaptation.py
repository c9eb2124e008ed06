"""Adapting where a painter draws: the person's pictures learn to become each other, and strangers are still followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lpd_plugin.learning.adaptation.adapt import adapt, adaptation_run
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.losses.painting import followed_loss, roughness, shift
from lpd_plugin.learning.adaptation.painter import PainterAdaptation
from lpd_plugin.networks.face_reader import OPENED
from lpd_plugin.networks.painter import moved_by
from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.reenactment.generate import GeneratedHeads, drawing_for
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.reenactment.response import Response
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_likeness, load_matte, load_model

SHORT = AdaptationConfig(steps=2, batch=1, foreign=1)


@pytest.fixture(scope="module")
def man(carphone) -> Identity:
    """Ten frames of the talking man, tracked and cropped as the product does."""
    clip = open_clip(carphone)
    crops = list(head_crops(clip, track_head(clip), 256))[::12]
    return encode_identity(load_model(), np.stack([crop for crop in crops if crop is not None]))


def own_error(run: PainterAdaptation) -> float:
    """Content error of the person's frames made out of others, always the same ones."""
    before, run.random = run.random, np.random.default_rng(7)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(7)
        error = np.mean([float(run._own_frames()[0]) for _ in range(8)])
    run.random = before
    return error


@torch.no_grad()
def unlikeness(run: PainterAdaptation) -> float:
    """1 - cosine to the person of what the judge of likeness sees in the strangers' poses that are learned from."""
    parts = zip(run.foreign.split(4), np.split(run.foreign_rows, range(4, len(run.foreign), 4)))
    seen = torch.cat([run._whose(run._painted(*part)[0]) for part in parts])
    return float(1 - F.cosine_similarity(seen, run.person[None]).mean())


def test_a_persons_frames_are_made_of_each_other_more_exactly_and_strangers_are_followed_and_look_more_like_the_person(man):
    model = load_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        run = adaptation_run(model, load_matte(), man.pictures, man.embedding, AdaptationConfig(batch=2), likeness=load_likeness())
        assert isinstance(run, PainterAdaptation) and len(run.held_out) == 2 and len(run.learned) == 8
        start, error, stranger = run.measure(), own_error(run), unlikeness(run)
        for _ in range(32):
            run.step()
        end = run.measure()
        assert own_error(run) < 0.98 * error and unlikeness(run) < 0.98 * stranger
    # Poses that were not learned from: of this man hardly more like him, and no less.
    assert end.step == 32 and end.pose < 1.015 * start.pose and end.identity < 1.02 * start.identity
    assert end.pose != start.pose, "what is measured is what has been learned"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())  # the shared model stays


def test_what_the_face_reader_always_misreads_of_a_person_is_not_learned_and_what_drives_still_is(man):
    with torch.enable_grad():
        run = adaptation_run(load_model(), load_matte(), man.pictures, man.embedding, SHORT, likeness=load_likeness())
    with torch.no_grad():
        read = torch.cat([run._read(heads.float() / 255) for heads in run.foreign_heads.split(4)])
    driving = run.foreign[:, -read.shape[1] :]
    assert (read - driving).mean(0).abs().max() > 0.2, "nothing is misread"
    assert (run.foreign_wanted - read).mean(0).abs().max() < 0.05  # bytes are rounded
    assert torch.allclose(run.foreign_wanted - run.foreign_wanted[:1], driving - driving[:1], atol=1e-4)


def test_what_is_learned_from_is_what_a_render_shows_mouths_and_all(man):
    """Of one picture: lips that part in a render are seen to part by what teaches."""
    model, one = load_model(), replace(man, pictures=man.pictures[:1], mattes=man.mattes[:1], response=Response())
    with torch.enable_grad():
        run = adaptation_run(model, load_matte(), one.pictures, one.embedding, SHORT, likeness=None)
    poses = run.painting.descriptors.repeat(2, 1)
    poses[1, model.columns_of(OPENED)] += 3
    with torch.no_grad():
        taught, motion = run._painted(poses, np.zeros(2, int))
        unparted = moved_by(run.painting.references(torch.zeros(2, dtype=int)), motion)
        shown = run.painting.painted(one.embedding[None].expand(2, -1), poses)
    assert (taught - shown).abs().max() < 2e-3
    assert (taught - unparted).abs().amax((1, 2, 3))[1] > 0.1, "a mouth that opens has lips that part"


def test_only_the_painter_changes(man):
    adapted = adapt(load_model(), load_matte(), man.pictures, man.embedding, SHORT)
    assert adapted.changed and all(name.startswith("painter.") for name in adapted.changed)
    assert any(name.startswith("painter.flows.") for name in adapted.changed)
    assert all(value.dtype == torch.float16 for value in adapted.changed.values())
    assert torch.equal(adapted.embedding, man.embedding)


def test_an_adapted_person_is_painted_by_its_own_painter_and_its_heads_are_others(man):
    model = load_model()
    adapted = adapt(model, load_matte(), man.pictures, man.embedding, SHORT)
    person = replace(man, adapted=adapted.changed)
    drawing = drawing_for(person, model)
    assert drawing.painter is not model.painter and drawing.generator is model.generator
    assert drawing_for(man, model).painter is model.painter
    own = next(k for k in adapted.changed if k.endswith("flows.4.weight"))
    assert torch.equal(drawing.painter.state_dict()[own.removeprefix("painter.")].half(), adapted.changed[own])
    pose = Pose(np.zeros(1), drawing.descriptors[:1].numpy(), np.ones(1, bool), 1.0, model.digest)
    one, other = (next(iter(GeneratedHeads(i, pose, model))) for i in (man, person))
    assert 0 < np.abs(one.rgb - other.rgb).mean() < 0.1
    assert GeneratedHeads(man, pose, model).fingerprint() != GeneratedHeads(person, pose, model).fingerprint()


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pictures_are_enough_and_their_altered_views_judge(man, count):
    with torch.inference_mode():
        adapted = adapt(load_model(), load_matte(), man.pictures[:count], man.embedding, replace(SHORT, steps=None, limit=1))
    assert adapted.altered and len(adapted.curve.measurements) == 2
    assert all(np.isfinite((m.pose, m.reconstruction, m.identity)).all() for m in adapted.curve.measurements)


def test_the_same_seed_gives_the_same_painter_and_another_seed_another(man):
    first, again, other = (
        adapt(load_model(), load_matte(), man.pictures[:3], man.embedding, replace(SHORT, seed=seed)) for seed in (5, 5, 6)
    )
    name = next(k for k in first.changed if k.endswith("flows.4.weight"))
    assert torch.equal(first.changed[name], again.changed[name]) and not torch.equal(first.changed[name], other.changed[name])


def test_an_identity_file_from_before_painters_is_the_generators(man, tmp_path):
    replace(man, adapted={"constant": torch.zeros(2).half()}).save(tmp_path / "old.lpd.safetensors")
    assert list(Identity.load(tmp_path / "old.lpd.safetensors").adapted) == ["generator.constant"]


def test_what_is_asked_of_painted_heads_has_its_least_value_where_it_should():
    still = torch.full((1, 2, 4, 4), 0.3)
    assert roughness(still) == 0 and roughness(still * torch.arange(4.0)) == pytest.approx(0.3, abs=1e-6)
    read = torch.zeros(1, 14)
    nod, place = (torch.nn.functional.one_hot(torch.tensor([k]), 14).float() for k in (5, 0))
    assert followed_loss(read, read) == 0 and followed_loss(read, nod) > 2 * followed_loss(read, place) > 0


def test_a_head_that_went_as_a_whole_is_told_from_one_that_changed_in_place():
    heads = torch.zeros(1, 1, 64, 64)
    heads[..., 16:48, 16:48] = 1
    before = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.1
    gone = torch.tensor([0.02, -0.01])[None, :, None, None]
    assert shift(before + gone, before, heads) == pytest.approx(0.03, abs=1e-6)
    bent = torch.linspace(-0.1, 0.1, 32).expand(1, 2, 32, 32)  # as far to one side as to the other
    assert shift(before + bent, before, heads) == pytest.approx(0, abs=1e-6)
    assert shift(before + gone * (F.interpolate(heads, (32, 32)) == 0), before, heads) == pytest.approx(0, abs=1e-6)
