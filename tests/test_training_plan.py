"""Plans: several trainings as one command, and runs whose convolutions are length and direction."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from heads_media import heads_folder
from training_runs import small_run, two_persons

from lpd_plugin.cli.training import train
from lpd_plugin.errors import BadInput, WorkFailed
from lpd_plugin.learning.export import export_run
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.plan import Stage, carry_out, load_plan
from lpd_plugin.learning.training_config import load_training_config
from lpd_plugin.weights.files import load_model, weights_info

EMBEDDED = Path(__file__).parent.parent / "training" / "embedded.yaml"
TWO = """
stages:
  - name: matte
    run: train matte -o {runs}/matte --heads {heads} --steps 1 --side 64
  - {name: weights, run: [train, export, "{runs}/matte", -o, "{runs}/matte.safetensors"]}
"""


@pytest.fixture
def plan(tmp_path, carphone, astronaut) -> list[str]:
    """The arguments of a plan of two stages over a small heads folder."""
    heads = heads_folder(tmp_path / "some heads", carphone, astronaut)
    (tmp_path / "two.yaml").write_text(TWO)
    return ["plan", str(tmp_path / "two.yaml"), "-o", str(tmp_path / "runs"), "--heads", str(heads)]


def test_a_plan_trains_and_exports_and_passes_over_what_is_done(plan, tmp_path):
    first = CliRunner().invoke(train, plan)
    assert first.exit_code == 0, first.output
    assert weights_info(tmp_path / "runs" / "matte.safetensors").kind == "matte"
    written = (tmp_path / "runs" / "matte.safetensors").stat().st_mtime_ns
    second = CliRunner().invoke(train, plan)
    assert second.output.splitlines() == ["1/2 matte: done before", "2/2 weights: done before"]
    assert (tmp_path / "runs" / "matte.safetensors").stat().st_mtime_ns == written


def test_a_changed_stage_goes_on_and_so_do_those_after_it(plan, tmp_path):
    CliRunner().invoke(train, plan)
    (tmp_path / "two.yaml").write_text(TWO.replace("--steps 1", "--steps 2"))
    assert "done before" not in CliRunner().invoke(train, plan).output
    assert weights_info(tmp_path / "runs" / "matte.safetensors").training["steps"] == 2


def test_a_stage_that_fails_ends_the_plan_and_is_not_called_done(tmp_path):
    said, stages = [], [Stage("good", ("--version",)), Stage("bad", ("train", "no-such.yaml", "-o", "x")), Stage("never", ("--help",))]
    with pytest.raises(WorkFailed, match="Stage 'bad' ended with exit code 2"):
        carry_out(stages, tmp_path, said.append)
    said.clear()
    with pytest.raises(WorkFailed, match="bad"):
        carry_out(stages, tmp_path, said.append)
    assert said[0] == "1/3 good: done before" and not any("never" in line for line in said)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("stages: [{name: a, run: 'train {heads} {recogniser}'}]", r"stage a: \{recogniser\} has no value; give --set recogniser="),
        ("stages: [{name: a, run: x}, {name: a, run: y}]", "two stages are called 'a'"),
        ("stages: [train]", "is no training plan"),
        ("side: 64", "is no training plan"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_in_one_sentence(text, wrong, tmp_path):
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(BadInput, match=wrong):
        load_plan(tmp_path / "plan.yaml", {"heads": "HEADS"})


def test_the_plan_of_the_embedded_weights_names_commands_and_configurations_that_there_are():
    words = {"runs": "RUNS", "heads": "HEADS", "plan": str(EMBEDDED.parent)}
    words |= {"face_features": "F.safetensors", "points": "P.onnx", "more_points": "M.xml"}
    for stage in load_plan(EMBEDDED, words):
        assert stage.arguments[0] == "train"
        arguments = list(stage.arguments[1:])
        if arguments[0].endswith(".yaml"):
            load_training_config(arguments[0])
            arguments.insert(0, "model")
        command = train.commands[arguments[0]]
        command.make_context(arguments[0], arguments[1:])  # raises for an option that it does not have


def test_a_run_of_length_and_direction_learns_resumes_and_exports_plain_weights(tmp_path, carphone, astronaut):
    heads = heads_folder(tmp_path / "heads", carphone, astronaut)
    config = small_run(weight_norm=True, weights={"ssim": 0.0, "mask_pyramid": 0.3}, heads=str(heads), held_out="", side=128)
    store, folder = two_persons(carphone, astronaut), tmp_path / "run"
    whole = MetaLearning(config, store, tmp_path / "whole")
    losses = [whole.train_step() for _ in range(3)]
    folder.mkdir()
    first = MetaLearning(config, store, folder)
    before = [first.train_step() for _ in range(2)]
    first.save()
    second = MetaLearning(config, store, folder)
    assert before + [second.train_step()] == losses and losses[0]["mask_pyramid"] > 0
    second.save()
    export_run(folder, tmp_path / "plain.safetensors", str(heads), generator_only=True)
    plain, own = load_model(tmp_path / "plain.safetensors"), second.average.generator
    assert not any("parametrizations" in key for key in plain.generator.state_dict())
    identity, pose = torch.randn(1, plain.configuration.identity_size), torch.randn(1, plain.configuration.pose_size)
    with torch.no_grad():
        assert torch.allclose(plain.generator(identity, pose)[0], own(identity, pose)[0], atol=0.02)


def test_length_and_direction_are_refused_for_spectrally_normalised_networks(tmp_path):
    (tmp_path / "run.yaml").write_text("configuration: published\nside: 256\nweight_norm: true")
    with pytest.raises(BadInput, match="weight_norm is set, but published is spectrally normalised"):
        load_training_config(tmp_path / "run.yaml")
