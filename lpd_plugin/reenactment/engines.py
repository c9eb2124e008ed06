"""What computes networks: torch itself, or what does the same sums faster.

An engine takes over the parts of drawing a head that it knows by name. Another one is a function from a part to what computes it
and an entry in ENGINES; which one works on a CPU is measured (engine_choice.py).
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..networks.generator import Generator
from ..networks.painter import MOTION_SIDE, Painter

Computation = Callable[..., tuple[torch.Tensor, ...]]
AT_ONCE = 16  # heads, or pictures that are looked up, that devices other than CPUs compute together


@dataclass(frozen=True)
class Part:
    """A piece of a network: of inputs like `sample` (float32, one picture each), what `by_torch` gives.

    tolerances: of each output, the largest difference between two engines that is rounding and nothing else.
    """

    name: str
    network: nn.Module
    by_torch: Computation
    sample: tuple[torch.Tensor, ...]
    tolerances: tuple[float, ...]

    @property
    def shape(self) -> str:
        """Says how much there is to compute, for any weights."""
        return f"{self.name} of {sum(p.numel() for p in self.network.parameters())} parameters"


def motion_part(painter: Painter) -> Part:
    """`Painter.motion`."""
    random = torch.Generator().manual_seed(0)
    device = painter.film[0].weight.device
    pictures = torch.rand(3, 1, 4, MOTION_SIDE, MOTION_SIDE, generator=random).to(device)
    faces = torch.randn(1, painter.film[0].in_features, generator=random).to(device)
    return Part("motion", painter, lambda *given: (painter.motion(*given),), (*pictures, faces), (1e-4,))


def generator_part(generator: Generator, identity: torch.Tensor, pose: torch.Tensor) -> Part:
    """`Generator.render`; identity (1, identity_size) and pose (1, descriptor_size): of a head to try it on."""
    with torch.inference_mode():
        affine = generator.affine_parameters(identity, pose)
    return Part("generator", generator, generator.render, (affine,), (1e-3, 1e-3))


@dataclass(frozen=True)
class Engine:
    """packages: modules that it needs, the one whose version tells results apart last. computation: of a part and a number of
    threads, what computes the part; raises whatever the packages raise. devices: kinds of device it works on. half: whether it
    computes in half precision where that is asked for."""

    name: str
    packages: tuple[str, ...]
    computation: Callable[[Part, int], Computation]
    devices: tuple[str, ...] = ("cpu",)
    half: bool = False

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.packages if importlib.util.find_spec(package) is None]

    @property
    def version(self) -> str:
        return str(getattr(importlib.import_module(self.packages[-1]), "__version__", "unknown"))


def _by_torch(part: Part, threads: int) -> Computation:
    return part.by_torch


def _by_onnx(part: Part, threads: int) -> Computation:
    import onnxruntime

    from ..networks import onnx_graphs

    build, inputs, outputs = {
        "motion": (onnx_graphs.motion_graph, onnx_graphs.MOTION_INPUTS, onnx_graphs.MOTION_OUTPUTS),
        "generator": (onnx_graphs.generator_graph, onnx_graphs.GENERATOR_INPUTS, onnx_graphs.GENERATOR_OUTPUTS),
    }[part.name]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait leave the cores to others
    options.log_severity_level = 3  # errors
    # Its arena of memory stays: measured with four threads at once it holds 30 MB, and the system's allocator as many or more.
    session = onnxruntime.InferenceSession(build(part.network), options, providers=["CPUExecutionProvider"])

    def computed(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feed = {name: value.contiguous().numpy() for name, value in zip(inputs, given)}
        return tuple(torch.from_numpy(value) for value in session.run(list(outputs), feed))

    return computed


def compiled(part: Part, threads: int = 1, **how: object) -> Computation:
    """What torch.compile makes of a part: of hundreds of small operations few large ones, recorded once (CUDA graphs) and then
    started together. how: instead of that, arguments of torch.compile.

    Only batches of AT_ONCE are computed, since every other size would be compiled and recorded for itself: smaller ones are filled up.
    """
    work = torch.compile(part.by_torch, fullgraph=True, dynamic=False, **(how or {"mode": "reduce-overhead"}))

    def computed(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        done = []
        for pieces in zip(*(one.split(AT_ONCE) for one in given)):
            count = len(pieces[0])
            torch.compiler.cudagraph_mark_step_begin()  # the recording's results are overwritten by its next start: copied
            done.append([one[:count].clone() for one in work(*(_filled(piece) for piece in pieces))])
        return tuple(torch.cat(parts) for parts in zip(*done))

    return computed


def _filled(rows: torch.Tensor) -> torch.Tensor:
    """AT_ONCE rows, the last one repeated."""
    return torch.cat((rows, rows[-1:].expand(AT_ONCE - len(rows), *rows.shape[1:])))


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("torch", ("torch",), _by_torch, ("cpu", "cuda", "mps"), half=True),
        Engine("onnx", ("onnx", "onnxruntime"), _by_onnx),
        Engine("compiled", ("torch",), compiled, ("cuda",), half=True),  # on CPUs it is slower: benchmarks/generator.md
    )
}
