"""Heads come out the same by every engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_media import a_fresh_machine, heads, man, performance, person, scattered  # noqa: F401  fixtures

from lpd_plugin.learning.adaptation.adapt import adaptation_run
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.devices import advance_spectral_norm
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.layers import fold_spectral_norm
from lpd_plugin.networks.painter import MOTION_SIDE, Painter
from lpd_plugin.reenactment import engines
from lpd_plugin.reenactment.engine_choice import computed_by
from lpd_plugin.reenactment.engines import ENGINES, Part, generator_part, motion_part
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.weights.files import load_matte, load_model

pytestmark = pytest.mark.usefixtures("one_thread")
with_onnx = pytest.mark.skipif(bool(ENGINES["onnx"].missing), reason="onnx and onnxruntime are not installed (lpd[fast])")


def generator_of_the_model() -> Part:
    model = load_model()
    return generator_part(model.generator, torch.randn(1, model.configuration.identity_size), model.pose_bank[:1])


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
    moved = load_model().painter.flows[4].bias + torch.tensor([0.1, 0.0])
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


@pytest.mark.parametrize("made", [lambda: motion_part(load_model().painter), generator_of_the_model], ids=["motion", "generator"])
def test_what_a_compiler_sees_is_the_whole_part_in_batches_of_one_size(made, monkeypatch):
    monkeypatch.setattr(engines, "AT_ONCE", 3)
    part, graphs = made(), []

    def backend(module, inputs):
        graphs.append(module)
        return module.forward

    computed = engines.compiled(part, backend=backend)
    with torch.inference_mode():
        for count in (1, 3, 5):
            inputs = [torch.rand(count, *one.shape[1:]) for one in part.sample]
            for one, other, most in zip(computed(*inputs), part.by_torch(*inputs), part.tolerances, strict=True):
                assert one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=most)
    assert len(graphs) == 1, "every size of batch is compiled anew"
