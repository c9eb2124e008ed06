"""Heads come out the same by every engine, and the faster one on this machine is found once and kept."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.graph.workflow import Workflow
from lpd_plugin.learning.adaptation.adapt import adaptation_run
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.devices import advance_spectral_norm
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.layers import fold_spectral_norm
from lpd_plugin.networks.painter import MOTION_SIDE, Painter
from lpd_plugin.progress import Progress
from lpd_plugin.reenactment import engine_choice, engines
from lpd_plugin.reenactment.engine_choice import computed_by
from lpd_plugin.reenactment.engines import ENGINES, Engine, Part, generator_part, motion_part
from lpd_plugin.reenactment.generate import GeneratedHeads, drawing_for
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.rendering.run import run_workflow
from lpd_plugin.video.crop import CropBox, crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.weights.files import load_matte, load_model

pytestmark = pytest.mark.usefixtures("one_thread")
with_onnx = pytest.mark.skipif(bool(ENGINES["onnx"].missing), reason="onnx and onnxruntime are not installed (lpd[fast])")


def generator_of_the_model() -> Part:
    model = load_model()
    return generator_part(model.generator, torch.randn(1, model.configuration.identity_size), model.pose_bank[:1])


@pytest.fixture(autouse=True)
def a_fresh_machine(monkeypatch, tmp_path):
    """Nothing is remembered and no engine asked for."""
    monkeypatch.setenv("LPD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LPD_ENGINE", raising=False)


@pytest.fixture(scope="module")
def man(carphone):
    """Eight moments of the talking man, 256 px."""
    frames = list(open_clip(carphone).frames())[::15]
    return np.stack([crop_square(frame.rgb(), CropBox(30, 5, 110), 256) for frame in frames])


@pytest.fixture(scope="module")
def person(man):
    return encode_identity(load_model(), man[:4])


@pytest.fixture(scope="module")
def performance(man):
    """The other four moments."""
    model = load_model()
    with torch.inference_mode():
        poses = model.pose_encoder(torch.from_numpy(man[4:]).permute(0, 3, 1, 2).float() / 255).numpy()
    return Pose(np.arange(len(poses)) / 25, poses, np.ones(len(poses), bool), 25.0, model.digest)


def scattered(network):
    """Random weights in every layer, those that begin as zeros too."""
    torch.manual_seed(3)
    for value in network.parameters():
        value.data.add_(0.02 * torch.randn_like(value))
    return network.eval().requires_grad_(False)


def far_apart(part: Part, *inputs: torch.Tensor) -> float:
    """The largest difference of an onnx graph's outputs from torch's, in tolerances of the part."""
    with torch.inference_mode():
        results = zip(ENGINES["onnx"].computation(part, 1)(*inputs), part.by_torch(*inputs), part.tolerances, strict=True)
        return max(float((one - other).abs().max()) / most for one, other, most in results if one.shape == other.shape or 1 / 0)


@with_onnx
@pytest.mark.parametrize("painter", [lambda: load_model().painter, lambda: scattered(Painter(5))], ids=["embedded", "random"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_graph_of_a_painters_motion_gives_its_motion(painter, batch):
    part = motion_part(painter())
    inputs = [torch.rand(batch, 4, MOTION_SIDE, MOTION_SIDE) for _ in range(3)]
    assert far_apart(part, *inputs, torch.randn(batch, part.network.film[0].in_features)) < 1


def small(name: str, side: int) -> Generator:
    sizes = {"image_size": side, "base_channels": 8, "max_channels": 24, "identity_size": 16, "pose_size": 8}
    generator = scattered(Generator(replace(configuration(name), **sizes)))
    for _ in range(20):
        advance_spectral_norm(generator)  # of fresh weights it is far too small, and rounding grows with what is drawn
    return generator


@with_onnx
@pytest.mark.parametrize(
    "generator", [lambda: load_model().generator, lambda: small("compact", 32), lambda: fold_spectral_norm(small("published", 64))],
    ids=["embedded", "compact", "published"],
)  # fmt: skip
def test_the_graph_of_a_generator_draws_what_it_draws(generator):
    generator = generator()
    sizes = generator.configuration
    part = generator_part(generator, torch.randn(1, sizes.identity_size), torch.randn(1, sizes.pose_size))
    assert far_apart(part, *part.sample) < 1
    assert far_apart(part, torch.randn_like(part.sample[0])) < 1


@with_onnx
def test_a_generator_whose_spectral_norms_are_not_folded_has_no_graph_and_is_drawn_by_torch(monkeypatch):
    monkeypatch.setenv("LPD_ENGINE", "onnx")
    said, part = [], generator_part(small("published", 16), torch.randn(1, 16), torch.randn(1, 8))
    assert computed_by(part, said.append) is None and len(said) == 1 and "spectral norms have to be folded" in said[0]


def heads(identity, performance, said=None):
    return list(GeneratedHeads(identity, performance, load_model(), 1, note=said.append if said is not None else None))


def psnr(one, other) -> float:
    both = [np.concatenate([np.dstack((h.rgb * h.matte[..., None], h.matte)) for h in many]) for many in (one, other)]
    return -10 * np.log10(np.square(both[0] - both[1]).mean())


@with_onnx
def test_painted_heads_are_the_same_by_both_engines_and_to_the_last_bit_however_many_threads_draw(person, performance, monkeypatch):
    drawn = {}
    for name in ("torch", "onnx"):
        monkeypatch.setenv("LPD_ENGINE", name)
        drawn[name] = heads(person, performance, said := [])
        assert not said
    assert any(not np.array_equal(a.rgb, b.rgb) for a, b in zip(*drawn.values())), "one engine drew both"
    assert psnr(*drawn.values()) >= 60
    torch.set_num_threads(2)
    together = heads(person, performance)
    torch.set_num_threads(1)
    both = zip(drawn["onnx"], together, strict=True)
    assert all(np.array_equal(a.rgb, b.rgb) and np.array_equal(a.matte, b.matte) for a, b in both)


@with_onnx
def test_an_adapted_person_is_painted_with_its_own_weights(person, performance, monkeypatch):
    name = "painter.flows.4.bias"
    moved = load_model().painter.flows[4].bias + torch.tensor([0.1, 0.0, 0.0])
    adapted = replace(person, adapted={name: moved.half()})
    monkeypatch.setenv("LPD_ENGINE", "torch")
    by_torch = heads(adapted, performance)
    monkeypatch.setenv("LPD_ENGINE", "onnx")
    by_onnx, others = heads(adapted, performance), heads(person, performance)
    assert psnr(by_torch, by_onnx) >= 60 and psnr(by_onnx, others) < 40


@with_onnx
def test_a_painter_that_is_learning_is_not_replaced(man, person, monkeypatch):
    monkeypatch.setenv("LPD_ENGINE", "onnx")
    model = load_model()
    for learning in (Painter(14), Painter(14).requires_grad_(False), Painter(14).eval()):
        assert computed_by(motion_part(learning), pytest.fail) is None
    assert computed_by(motion_part(Painter(14).eval().requires_grad_(False)), pytest.fail) is not None
    assert Painting(person, model, model.generator).motion_by is None
    with torch.enable_grad():
        run = adaptation_run(model, load_matte(), man[:3], person.embedding, AdaptationConfig(steps=1, batch=1, foreign=0))
    assert run.painting.motion_by is None and run.painting.generator is model.generator


# From here on another engine, so that nothing depends on what is installed and how fast it is.


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


@pytest.mark.parametrize("made", [lambda: motion_part(load_model().painter), generator_of_the_model], ids=["motion", "generator"])
def test_what_a_compiler_sees_is_the_whole_part_in_batches_of_one_size(made, monkeypatch):
    monkeypatch.setattr(engines, "AT_ONCE", 3)
    part, sizes = made(), []

    def backend(module, inputs):
        sizes.append({len(one) for one in inputs if one.dim() > 1 and not isinstance(one, torch.nn.Parameter)})
        return module.forward

    computed = engines.compiled(part, backend=backend)
    with torch.inference_mode():
        for count in (1, 3, 5):
            inputs = [torch.rand(count, *one.shape[1:]) for one in part.sample]
            for one, other, most in zip(computed(*inputs), part.by_torch(*inputs), part.tolerances, strict=True):
                assert one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=most)
    assert len(sizes) == 1, "every size of batch is compiled anew"


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


def test_the_measurement_gives_the_least_time_of_each_and_ends_soon(part):
    calls = {"torch": 0, "other": 0}

    def counting(name):
        def computed(*inputs):
            calls[name] += 1
            return part.by_torch(*inputs) if name == "torch" else ()

        return computed

    with torch.inference_mode():
        taken = engine_choice.seconds({name: counting(name) for name in calls}, part.sample)
    assert 0 <= taken["other"] < taken["torch"] < 2
    assert calls["torch"] == calls["other"] <= engine_choice.ROUNDS
