"""Adapting to a person: what learns, what is kept, what is written, what is refused."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.learning.adaptation import judge as adaptation_judge
from lpd_plugin.learning.adaptation.adapt import adapt
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.adaptation.curve import Curve
from lpd_plugin.learning.adaptation.generator import GeneratorAdaptation
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.discriminator import Discriminator
from lpd_plugin.networks.matte import HeadMatte
from lpd_plugin.networks.model import ReenactmentModel, at_size
from lpd_plugin.progress import Progress
from lpd_plugin.reenactment.adapted import adapt_identity, curve_of, with_pictures
from lpd_plugin.reenactment.crops import chosen_crops, encode_crops, head_crops
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

SHORT = AdaptationConfig(limit=3, batch=1, foreign=1)


@pytest.fixture(scope="module")
def small() -> ReenactmentModel:
    """A model of the compact kind that draws 32 px, as it is before any training."""
    torch.manual_seed(3)
    widths = {"identity_widths": (16, 16, 32), "pose_widths": (16, 16, 32), "identity_size": 32, "pose_size": 16}
    compact = at_size(configuration("compact"), 32)
    tiny = replace(compact, base_channels=16, max_channels=32, encoder_size=32, discriminator_blocks=3, **widths)
    model = ReenactmentModel(tiny).eval().requires_grad_(False)
    model.pose_bank = torch.randn(40, tiny.pose_size)
    model.digest = "small"
    return model


@pytest.fixture
def without_a_bank(small) -> ReenactmentModel:
    model = copy.deepcopy(small)
    model.pose_bank = model.pose_bank[:0]
    return model


@pytest.fixture(scope="module")
def matte() -> HeadMatte:
    torch.manual_seed(4)
    return HeadMatte().eval()


@pytest.fixture(scope="module")
def talking(carphone):
    """The talking man's clip with his head's track."""
    clip = open_clip(carphone)
    return clip, track_head(clip)


@pytest.fixture(scope="module")
def person(talking, small) -> Identity:
    """Ten of his frames at 32 px."""
    clip, track = talking
    crops = [crop for crop in head_crops(clip, track, 32) if crop is not None][::12]
    return encode_identity(small, np.stack(crops))


def content_error(run: GeneratorAdaptation) -> float:
    return run.judge.measure(run.average, run.average_embedding, 0).reconstruction


def test_adaptation_learns_the_person_where_it_was_not_shown_and_leaves_the_encoders_and_the_shared_model(
    small, matte, person
):
    before = {k: v.clone() for k, v in small.state_dict().items()}
    with torch.enable_grad():
        run = GeneratorAdaptation(small, matte, person.pictures, person.embedding, AdaptationConfig(seed=1))
        start = content_error(run)
        for _ in range(15):
            run.step()
    assert content_error(run) < 0.8 * start
    embedding, changed = run.kept()
    assert not torch.equal(embedding, person.embedding) and changed
    assert all(torch.equal(v, before[k]) for k, v in small.state_dict().items())
    assert all(k in small.state_dict() and v.dtype == torch.float16 for k, v in changed.items())


def test_what_was_chosen_is_what_is_given_back_and_the_curve_stands_in_the_file(small, matte, person, tmp_path):
    adapted = adapt_identity(person, small, matte, replace(SHORT, limit=30))
    curve = curve_of(adapted)
    assert [m.step for m in curve.measurements][:2] == [0, 15] and curve.measurements[-1].step == 30
    assert adapted.about["adaptation"]["steps"] == curve.chosen.step
    adapted.save(tmp_path / "a.lpd.safetensors")
    assert curve_of(Identity.load(tmp_path / "a.lpd.safetensors")) == curve
    with torch.enable_grad():  # going there again gives the same parameters
        torch.manual_seed(0)
        run = GeneratorAdaptation(small, matte, person.pictures, person.embedding, replace(SHORT, limit=30))
        while run.taken < curve.chosen.step:
            run.step()
    assert all(torch.equal(v, adapted.adapted[k]) for k, v in run.kept()[1].items())


def test_the_search_gives_back_an_earlier_moment_when_going_on_harms(small, matte, person, monkeypatch):
    scores = iter([(0.8, 1.0), (0.5, 1.0), (0.4, 1.6), (0.3, 2.0), (0.2, 3.0)])

    def measured(self):
        from lpd_plugin.learning.adaptation.curve import Measurement

        taken.append(self.kept()[0])
        return Measurement(self.taken, *next(scores), 0.4)

    taken: list[torch.Tensor] = []
    monkeypatch.setattr(GeneratorAdaptation, "measure", measured)
    adapted = adapt(small, matte, person.pictures, person.embedding, replace(SHORT, limit=41))
    assert adapted.steps == 15 and torch.equal(adapted.embedding, taken[1]) and not torch.equal(taken[1], taken[-1])


def test_the_same_seed_gives_the_same_identity_and_another_seed_another(small, matte, person):
    def made(seed):
        torch.manual_seed(seed + 77)  # whatever else the host draws does not matter
        return adapt(small, matte, person.pictures, person.embedding, replace(SHORT, steps=3, seed=seed))

    first, again, other = made(5), made(5), made(6)
    assert torch.equal(first.embedding, again.embedding) and not torch.equal(first.embedding, other.embedding)
    assert all(torch.equal(v, again.changed[k]) for k, v in first.changed.items())


def test_the_hosts_random_numbers_are_left_alone(small, matte, person):
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    adapt(small, matte, person.pictures, person.embedding, replace(SHORT, steps=1))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_it_adapts_in_a_hosts_inference_mode_to_any_number_of_frames(small, matte, person, count):
    with torch.inference_mode():
        identity = encode_identity(small, person.pictures[:count])
        adapted = adapt_identity(identity, small, matte, SHORT)
    judged_by = adapted.about["adaptation"]["judged_by"]
    assert curve_of(adapted).measurements[-1].step == 3
    assert judged_by == ("pictures held out" if count == 10 else "altered views of the pictures")


def test_weights_without_a_bank_of_poses_are_judged_by_the_persons_own(without_a_bank, matte, person):
    adapted = adapt(without_a_bank, matte, person.pictures, person.embedding, SHORT)
    assert all(np.isfinite((m.pose, m.reconstruction, m.identity)).all() for m in adapted.curve.measurements)


def test_heads_in_foreign_poses_keep_their_outline_where_such_poses_are_trained_on(small, matte, person):
    def change(foreign):
        with torch.enable_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            config = AdaptationConfig(foreign=foreign, keep_pose=20.0)
            run = GeneratorAdaptation(small, matte, person.pictures, person.embedding, config)
            for _ in range(20):
                run.step()
        poses = run.judged  # not those that were trained on
        before = small.generator(person.embedding.expand(len(poses), -1), poses)[1]
        return float((run.average(run.average_embedding.expand(len(poses), -1), poses)[1] - before).abs().mean())

    assert change(2) < 0.7 * change(0)


def test_a_discriminator_becomes_the_persons_own_and_changes_what_is_learned(small, matte, person):
    torch.manual_seed(5)
    discriminator = Discriminator(small.configuration, 7)
    before = {k: v.clone() for k, v in discriminator.state_dict().items()}
    with torch.enable_grad():
        run = GeneratorAdaptation(small, matte, person.pictures, person.embedding, replace(SHORT, batch=2), discriminator)
        row = run.adversary.discriminator.label_embedding.weight
        assert row.shape == (1, small.configuration.identity_size) and torch.equal(row[0], person.embedding)
        first = run.adversary.discriminator.blocks[0].convolution1.weight_orig.clone()
        for _ in range(2):
            run.step()
    assert not torch.equal(run.adversary.discriminator.blocks[0].convolution1.weight_orig, first)
    assert not torch.equal(run.adversary.discriminator.label_embedding.weight[0], person.embedding)
    assert all(torch.equal(v, before[k]) for k, v in discriminator.state_dict().items())  # ours was a copy
    alone = adapt(small, matte, person.pictures, person.embedding, replace(SHORT, steps=2))
    joined = adapt(small, matte, person.pictures, person.embedding, replace(SHORT, steps=2), discriminator=discriminator)
    assert not torch.equal(alone.embedding, joined.embedding)


def test_adapting_again_starts_anew_instead_of_adding_up(small, matte, person):
    once = adapt_identity(person, small, matte, replace(SHORT, steps=2))
    twice = adapt_identity(once, small, matte, replace(SHORT, steps=2))
    assert torch.equal(once.embedding, twice.embedding)


def test_an_identity_without_pictures_or_of_other_weights_is_refused(small, matte, person):
    with pytest.raises(BadInput, match="holds no pictures"):
        adapt_identity(replace(person, pictures=person.pictures[:0]), small, matte, SHORT)
    with pytest.raises(BadInput, match="made with other weights"):
        adapt_identity(replace(person, weights="0" * 64), small, matte, SHORT)
    with pytest.raises(BadInput, match="made with other weights"):
        with_pictures(replace(person, weights="0" * 64), person.pictures, small)


def test_chosen_frames_lie_farther_apart_in_pose_than_evenly_spaced_ones_and_come_from_every_clip(talking, astronaut):
    model, still = load_model(), open_clip(astronaut)
    crops = chosen_crops([talking, (still, track_head(still))], 8, model)
    evenly = np.stack([crop for crop in head_crops(*talking) if crop is not None][::15])
    assert crops.shape == evenly.shape == (8, 256, 256, 3)

    def nearest(some):
        poses = encode_crops(model, some)
        return (np.linalg.norm(poses[:, None] - poses[None], axis=2) + 1e9 * np.eye(len(poses))).min()

    assert nearest(crops) > 1.5 * nearest(evenly)
    portrait = chosen_crops([(still, track_head(still))], 8, model)
    assert portrait.shape == (1, 256, 256, 3)  # no frame is there twice
    assert [np.array_equal(crop, portrait[0]) for crop in crops].count(True) == 1  # the still is among the man's frames


class _Stopping(Progress):
    """Cancels when an adaptation has made two steps."""

    def advanced(self, task):
        if "adapting" in task.label and task.done == 2:
            raise Cancelled()


def lpd(capsys, *arguments) -> tuple[int, str, str]:
    try:
        main([str(a) for a in arguments])
        code = 0
    except SystemExit as exit:
        code = exit.code or 0
    return code, *capsys.readouterr()


def test_lpd_adapt_writes_an_identity_and_its_curve(capsys, astronaut, tmp_path, monkeypatch):
    monkeypatch.setattr(AdaptationConfig, "__init__", _limited(AdaptationConfig.__init__))
    monkeypatch.setattr(adaptation_judge, "JUDGED_POSES", 3)
    output, table = tmp_path / "her.lpd.safetensors", tmp_path / "her.csv"
    code, out, err = lpd(capsys, "adapt", astronaut, "-o", output, "--curve", table, "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["files"] == [str(output), str(table)] and record["pictures"] == 1
    identity = Identity.load(output)
    assert table.read_text() == curve_of(identity).csv() and table.read_text().count("\n") == 3
    assert output.stat().st_size < 12e6


def _limited(initialise):
    def limited(self, *arguments, **values):
        initialise(self, *arguments, **{"limit": 2, "batch": 1, **values})

    return limited


def test_lpd_adapt_with_no_steps_writes_an_identity_that_is_small(capsys, astronaut, tmp_path):
    output = tmp_path / "her.lpd.safetensors"
    code, out, err = lpd(capsys, "adapt", astronaut, "-o", output, "--steps", "0")
    assert code == 0, err
    assert "1 pictures, without adaptation" in out and output.stat().st_size < 0.3e6
    assert not Identity.load(output).adapted and curve_of(Identity.load(output)) == Curve()


def test_a_cancelled_lpd_adapt_leaves_nothing(capsys, astronaut, tmp_path, monkeypatch):
    from lpd_plugin.cli import adapt as command

    class Managed(_Stopping):
        def __enter__(self):
            return self

        def __exit__(self, *_): ...

    monkeypatch.setattr(command, "progress_for", lambda as_json: Managed())
    code, _, err = lpd(capsys, "adapt", astronaut, "-o", tmp_path / "her.lpd.safetensors", "--steps", "5")
    assert code == 130 and "cancelled" in err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "her.mp4"), "no name for an identity"),
        (("-o", "her.lpd.safetensors", "--curve", "her.txt"), "give the file the suffix .csv"),
        (("-o", "nowhere/her.lpd.safetensors"), "does not exist"),
        (("-o", "kept.safetensors"), "exists already"),
        (("-o", "her.safetensors", "--weights", "none.safetensors"), "There are no weights at none.safetensors"),
    ],
)
def test_what_cannot_be_written_or_used_is_refused_before_any_work(
    capsys, astronaut, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept.safetensors").write_text("precious")
    code, _, err = lpd(capsys, "adapt", astronaut, *arguments)
    assert code == 2 and said in err and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["kept.safetensors"]


def test_footage_without_a_head_is_named_among_several(capsys, astronaut, tmp_path):
    import cv2

    plain = tmp_path / "plain.png"
    cv2.imwrite(str(plain), np.full((240, 320, 3), 90, np.uint8))
    code, _, err = lpd(capsys, "adapt", astronaut, plain, "-o", tmp_path / "her.safetensors")
    assert code == 2 and "No head was found in plain.png; leave it out" in err
