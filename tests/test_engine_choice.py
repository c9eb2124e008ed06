"""The faster engine on this machine is found once and kept; what fails is said, and torch draws.

The other engine here is one of the tests' own, so that nothing depends on what is installed and how fast it is.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from engine_media import a_fresh_machine, heads, man, performance, person, scattered  # noqa: F401  fixtures

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.graph.workflow import Workflow
from lpd_plugin.networks.painter import Painter
from lpd_plugin.progress import Progress
from lpd_plugin.reenactment import engine_choice, engines
from lpd_plugin.reenactment.engine_choice import computed_by
from lpd_plugin.reenactment.engines import ENGINES, Engine, motion_part
from lpd_plugin.reenactment.generate import GeneratedHeads, drawing_for
from lpd_plugin.rendering.run import run_workflow
from lpd_plugin.weights.files import load_model

pytestmark = pytest.mark.usefixtures("one_thread")


class Measured:
    """In place of the measurement: what it gives, and what was measured."""

    def __init__(self, monkeypatch, **milliseconds):
        self.milliseconds, self.parts = milliseconds, 0
        monkeypatch.setattr(engine_choice, "seconds", self)

    def __call__(self, computations, sample):
        self.parts += 1
        return {name: self.milliseconds[name] / 1000 for name in computations}


@pytest.fixture
def other(monkeypatch):
    """The only engine beside torch: computes by torch, and counts; `wrong` is added to what it computes."""

    class Other:
        calls, wrong, raises = 0, 0.0, None

        def computation(self, part, threads):
            if self.raises:
                raise self.raises

            def computed(*inputs):
                self.calls += 1
                return tuple(value + self.wrong for value in part.by_torch(*inputs))

            return computed

    engine = Other()
    known = {"torch": ENGINES["torch"], "other": Engine("other", ("json",), engine.computation)}
    for module in (engines, engine_choice):
        monkeypatch.setattr(module, "ENGINES", known)
    return engine


@pytest.fixture
def part():
    return motion_part(scattered(Painter(5)))


@pytest.mark.parametrize("milliseconds, faster", [(4.0, True), (8.9, True), (9.1, False), (12.0, False)])
def test_what_is_a_tenth_faster_is_chosen_and_what_is_not_is_left(other, part, monkeypatch, milliseconds, faster):
    Measured(monkeypatch, torch=10.0, other=milliseconds)
    assert (computed_by(part, pytest.fail) is not None) == faster


def test_the_choice_is_remembered_for_networks_of_one_size_and_measured_again_for_others(other, part, monkeypatch, capsys):
    measured = Measured(monkeypatch, torch=10.0, other=5.0)
    assert computed_by(part, pytest.fail) is not None and measured.parts == 1
    measured.milliseconds["other"] = 20.0
    assert computed_by(part, pytest.fail) is not None
    assert computed_by(motion_part(scattered(Painter(5))), pytest.fail) is not None and measured.parts == 1
    main(["weights", "info", "compact"])
    assert "threads: 1: other (torch 10.0 ms, other 5.0 ms)" in capsys.readouterr().out
    assert computed_by(motion_part(scattered(Painter(6))), pytest.fail) is None and measured.parts == 2
    torch.set_num_threads(2)
    assert computed_by(part, pytest.fail) is None and measured.parts == 3
    torch.set_num_threads(1)
    monkeypatch.setattr(json, "__version__", "next", raising=False)  # the package whose version counts
    assert computed_by(part, pytest.fail) is None and measured.parts == 4


def test_of_two_processes_that_measure_at_once_the_first_is_followed(other, part, monkeypatch):
    class Slow(Measured):
        def __call__(self, computations, sample):
            if not self.parts:
                self.parts = 1
                monkeypatch.setattr(engine_choice, "seconds", Measured(monkeypatch, torch=10.0, other=20.0))
                assert computed_by(part, pytest.fail) is None
            return super().__call__(computations, sample)

    Slow(monkeypatch, torch=10.0, other=5.0)
    assert computed_by(part, pytest.fail) is None


def test_a_record_that_is_damaged_is_made_again(other, part, monkeypatch, tmp_path):
    measured = Measured(monkeypatch, torch=10.0, other=5.0)
    computed_by(part, pytest.fail)
    [record] = (tmp_path / "cache" / "engines").iterdir()
    for damaged in ("", "[]", "{}", '{"engine": 3}', '{"engine": "gone"}'):
        record.write_text(damaged)
        assert computed_by(part, pytest.fail) is not None
    assert measured.parts == 6 and json.loads(record.read_text())["engine"] == "other"


def test_where_nothing_can_be_remembered_torch_draws_and_it_is_said(other, part, monkeypatch, tmp_path):
    Measured(monkeypatch, torch=10.0, other=5.0)
    (tmp_path / "cache").write_text("not a folder")
    assert computed_by(part, (said := []).append) is None
    assert len(said) == 1 and "cannot be remembered" in said[0] and "set LPD_CACHE" in said[0]


def test_an_engine_that_computes_something_else_or_fails_is_not_used_and_that_is_said_once(other, person, performance, monkeypatch):
    Measured(monkeypatch, torch=10.0, other=5.0)
    monkeypatch.setenv("LPD_ENGINE", "torch")
    wanted = heads(person, performance)
    for asked in (None, "other"):
        monkeypatch.delenv("LPD_ENGINE") if asked is None else monkeypatch.setenv("LPD_ENGINE", asked)
        for other.wrong, other.raises, sentence in (
            (0.01, None, "the engine 'other' computes something else than torch for the generator: torch draws"),
            (float("nan"), None, "the engine 'other' computes something else than torch for the generator: torch draws"),
            (0.0, RuntimeError("no kernel\nat all"), "the engine 'other' does not work here (no kernel): torch draws"),
        ):  # fmt: skip
            drawn = heads(person, performance, said := [])
            assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(wanted, drawn))
            assert said[0] == sentence and len(said) == len(set(said)) == (1 if other.raises else 2)
    other.wrong, other.raises = 0.0, None
    monkeypatch.delenv("LPD_ENGINE")
    assert drawing_for(person, load_model(), pytest.fail).motion_by is not None  # nothing of that was remembered


def test_a_package_that_is_there_and_cannot_be_imported_is_said_and_torch_draws(other, part, monkeypatch, tmp_path):
    (tmp_path / "broken_engine.py").write_text("raise OSError('libsomething.so is missing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    engine_choice.ENGINES["other"] = Engine("other", ("broken_engine",), other.computation)
    assert computed_by(part, (said := []).append) is None
    assert said == ["the engine 'other' does not work here (libsomething.so is missing): torch draws"]


def test_where_gradients_or_half_precision_are_asked_for_torch_computes(other, part, monkeypatch):
    monkeypatch.setenv("LPD_ENGINE", "other")
    computed = computed_by(part, pytest.fail)
    tried = other.calls
    with torch.inference_mode():
        computed(*part.sample)
        assert other.calls == tried + 1
        with torch.autocast("cpu", torch.bfloat16):
            computed(*part.sample)
    with torch.enable_grad():
        computed(*part.sample)
    assert other.calls == tried + 1


def test_a_compiler_for_graphics_cards_leaves_a_cpu_to_torch(part, monkeypatch):
    monkeypatch.setenv("LPD_ENGINE", "compiled")
    assert computed_by(part, pytest.fail) is None


def test_a_wrong_name_and_missing_packages_are_said_in_one_sentence_before_any_work(person, performance, monkeypatch):
    for name, sentence in (
        ("onnnx", "The variable LPD_ENGINE asks for the engine 'onnnx', which there is not: choose one of torch, onnx, compiled."),
        (
            "onnx",
            "The variable LPD_ENGINE asks for the engine 'onnx', which needs onnxruntime: pip install onnxruntime, or unset it.",
        ),
    ):
        monkeypatch.setenv("LPD_ENGINE", name)
        monkeypatch.setitem(sys.modules, "onnx", json)  # whatever is installed
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        for work in (lambda: GeneratedHeads(person, performance, load_model()), lambda: run_workflow(Workflow({}), Progress())):
            with pytest.raises(BadInput) as error:
                work()
            assert str(error.value) == sentence


def test_without_another_engine_nothing_is_measured_and_nothing_written(part, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(engine_choice, "seconds", lambda *_: pytest.fail("measured"))
    assert computed_by(part, pytest.fail) is None and not (tmp_path / "cache").exists()
    monkeypatch.undo()
    monkeypatch.setenv("LPD_ENGINE", "torch")
    assert computed_by(part, pytest.fail) is None


def test_the_measurement_gives_the_least_time_of_each_and_ends_soon(part, monkeypatch):
    now, calls = [0.0], {"torch": 0, "other": 0}
    monkeypatch.setattr(engine_choice.time, "thread_time", lambda: now[0])
    monkeypatch.setattr(engine_choice.time, "perf_counter", lambda: now[0])

    def working(name, *milliseconds):
        def computed(*inputs):
            now[0] += milliseconds[calls[name] % len(milliseconds)] / 1000
            calls[name] += 1

        return computed

    taken = engine_choice.seconds({"torch": working("torch", 30, 20, 25), "other": working("other", 9, 12, 10)}, part.sample)
    assert taken == pytest.approx({"torch": 0.020, "other": 0.009}) and calls == dict.fromkeys(calls, engine_choice.ROUNDS)
    calls.update(dict.fromkeys(calls, 0))
    engine_choice.seconds({"torch": working("torch", 500), "other": working("other", 400)}, part.sample)
    assert calls == {"torch": 1, "other": 1}
