"""Networks as ONNX graphs, built from their weights directly: torch's exporter takes seconds, and every adapted person has
weights of its own. Needs the package onnx; what computes the graphs is another's business (reenactment/engines.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .generator import Generator, ResidualBlock
from .layers import INSTANCE_NORM_EPS
from .painter import MOTION_SIDE, REACH, MotionBlock, Painter

OPSET, IR_VERSION = 17, 8  # of 2022: any onnxruntime since 1.12 reads it
MOTION_INPUTS, MOTION_OUTPUTS = ("drawn", "drawn_reference", "reference", "faces"), ("motion",)
GENERATOR_INPUTS, GENERATOR_OUTPUTS = ("affine",), ("rgb", "mask")


class Graph:
    """Nodes as they are added, each with one output or several, and the weights that they take."""

    def __init__(self):
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def add(self, operation: str, *inputs: str, count: int = 1, **attributes) -> str | list[str]:
        """Append an operation; the name of its output, or of its `count` outputs."""
        outputs = [f"{operation}{len(self._nodes)}_{k}" for k in range(count)]
        self._nodes.append(helper.make_node(operation, inputs, outputs, **attributes))
        return outputs[0] if count == 1 else outputs

    def weight(self, value: torch.Tensor | np.ndarray | Sequence[float] | float) -> str:
        """Keep numbers in the graph: floats as float32, integers as int64; their name."""
        value = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        value = np.ascontiguousarray(value, np.float32 if value.dtype.kind == "f" else np.int64)
        self._weights.append(numpy_helper.from_array(value, f"weight{len(self._weights)}"))
        return self._weights[-1].name

    def model(self, inputs: dict[str, Sequence], outputs: dict[str, str]) -> bytes:
        """The whole, serialised. inputs: shapes by name, a dimension being a number or a name; outputs: by which names what
        nodes give is to be asked for."""
        self._nodes += [helper.make_node("Identity", [given], [name]) for name, given in outputs.items()]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        begins = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        graph = helper.make_graph(self._nodes, "lpd", begins, ends, self._weights)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION).SerializeToString()

    def split(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        return self.add("Split", x, self.weight(list(sizes)), count=len(sizes), axis=axis)

    def reshaped(self, x: str, *shape: int) -> str:
        """0 keeps a dimension, -1 takes what is left."""
        return self.add("Reshape", x, self.weight(shape))

    def scaled(self, x: str, scale: str, shift: str) -> str:
        return self.add("Add", self.add("Mul", x, scale), shift)

    def convolved(self, x: str, layer: nn.Conv2d) -> str:
        given = [self.weight(layer.weight)] + ([] if layer.bias is None else [self.weight(layer.bias)])
        return self.add("Conv", x, *given, strides=list(layer.stride), pads=[*layer.padding, *layer.padding])

    def silu(self, x: str) -> str:
        return self.add("Mul", x, self.add("Sigmoid", x))

    def product(self, x: str, layer: nn.Linear) -> str:
        return self.add("Gemm", x, self.weight(layer.weight), self.weight(layer.bias), transB=1)


def motion_graph(painter: Painter) -> bytes:
    """`Painter.motion` of a painter as it stands, as a serialised ONNX model: MOTION_INPUTS to MOTION_OUTPUTS, shapes as there,
    float32, any batch."""
    graph, x, side = Graph(), "", MOTION_SIDE
    x, skips = graph.add("Concat", *MOTION_INPUTS[:3], axis=1), []
    for block in painter.d:
        side //= 2
        x = _block(graph, x, block, side)
        skips.append(x)
    hidden = graph.silu(graph.product("faces", painter.film[0]))
    *films, turn = graph.split(graph.product(hidden, painter.film[2]), [*painter.sizes, 6])
    x = _block(graph, x, painter.mid, side, films.pop(0))
    out = graph.convolved(x, painter.flows[0])
    for level, (block, end) in enumerate(zip(painter.u, list(painter.flows)[1:])):
        side *= 2
        x = graph.add("Concat", _twice(graph, x, "nearest"), skips[-2 - level], axis=1)
        x = _block(graph, x, block, side, films.pop(0) if films else None)
        out = graph.add("Add", _twice(graph, out, "linear"), graph.convolved(x, end))
    motion = graph.add("Mul", graph.add("Add", out, _turned(graph, turn, side)), graph.weight(REACH))
    picture = ("batch", 4, MOTION_SIDE, MOTION_SIDE)
    faces = ("batch", painter.film[0].in_features)
    inputs = dict(zip(MOTION_INPUTS, (picture, picture, picture, faces)))
    return graph.model(inputs, dict(zip(MOTION_OUTPUTS, (motion,))))


def _block(graph: Graph, x: str, block: MotionBlock, side: int, film: str | None = None) -> str:
    """`MotionBlock.forward`; side: of what comes out."""
    out = graph.silu(_normalised(graph, graph.convolved(x, block.a), block.n, side, film))
    out = _normalised(graph, graph.convolved(out, block.b), block.m, side)
    return graph.silu(graph.add("Add", out, graph.convolved(x, block.skip)))


def _normalised(graph: Graph, x: str, norm: nn.GroupNorm, side: int, film: str | None = None) -> str:
    """Group norm, as instance norm of groups, then scale and shift, `film`'s (B, 2 * channels) taken into the norm's own."""
    groups, channels = norm.num_groups, norm.num_channels
    ones, zeros = graph.weight(np.ones(groups)), graph.weight(np.zeros(groups))
    x = graph.add("InstanceNormalization", graph.reshaped(x, 0, groups, -1), ones, zeros, epsilon=norm.eps)
    x = graph.reshaped(x, 0, channels, side, side)
    scale, shift = (graph.weight(part[:, None, None]) for part in (norm.weight, norm.bias))
    if film is not None:
        more, moved = graph.split(graph.reshaped(film, 0, 2 * channels, 1, 1), [channels, channels])
        more = graph.add("Add", more, graph.weight(1.0))
        scale, shift = graph.add("Mul", scale, more), graph.scaled(shift, more, moved)
    return graph.scaled(x, scale, shift)


def _twice(graph: Graph, x: str, mode: str) -> str:
    """Maps of twice the side, as `F.interpolate` makes them: "nearest", or "linear" between centres."""
    ways = {"nearest": ("asymmetric", "floor"), "linear": ("half_pixel", "round_prefer_floor")}
    where, rounding = ways[mode]
    return graph.add(
        "Resize", x, "", graph.weight([1.0, 1.0, 2.0, 2.0]), mode=mode, coordinate_transformation_mode=where, nearest_mode=rounding
    )


def _turned(graph: Graph, turn: str, side: int) -> str:
    """`painter.turned`: (B, 2, side, side) of turn (B, 6)."""
    axis = (np.arange(side) * 2 + 1) / side - 1
    x, y = np.meshgrid(axis, axis, indexing="xy")
    places = graph.weight(np.stack((x, y, np.ones_like(x))).reshape(3, side * side))
    return graph.reshaped(graph.add("MatMul", graph.reshaped(turn, 0, 2, 3), places), 0, 2, side, side)


def generator_graph(generator: Generator) -> bytes:
    """`Generator.render` of a generator as it stands, as a serialised ONNX model: GENERATOR_INPUTS to GENERATOR_OUTPUTS, shapes as
    there, float32, one head at once. Raises ValueError where a spectral norm is not folded yet."""
    if any(key.endswith("weight_orig") for key in generator.state_dict()):
        raise ValueError("spectral norms have to be folded first")
    graph, widths = Graph(), generator.norm_widths
    parts = graph.split(graph.reshaped("affine", -1), [width for width in widths for _ in range(2)], axis=0)
    offset = graph.weight(float(generator.configuration.scale_offset))
    norms = [(graph.add("Add", scale, offset), bias) for bias, scale in zip(parts[::2], parts[1::2])]
    x = graph.weight(generator.constant)
    for index, block in enumerate(generator.blocks):
        x = _residual(graph, x, block, norms[2 * index : 2 * index + 2])
    x = graph.add("Tanh", graph.convolved(_steered(graph, x, norms[-1]), generator.to_image))
    rgb, mask = graph.split(x, [3, 1])
    half = graph.weight(0.5)
    rgb, mask = graph.scaled(rgb, graph.weight(0.75), half), graph.scaled(mask, half, half)
    return graph.model({"affine": (1, 2 * sum(widths))}, dict(zip(GENERATOR_OUTPUTS, (rgb, mask))))


def _residual(graph: Graph, x: str, block: ResidualBlock, norms: list[tuple[str, str]]) -> str:
    """`ResidualBlock.forward`."""
    out = _steered(graph, x, norms[0])
    out = _upsampled(graph, out, block.convolution1) if block.upsample else graph.convolved(out, block.convolution1)
    out = graph.convolved(_steered(graph, out, norms[1]), block.convolution2)
    skip = x if block.skip is None else graph.convolved(x, block.skip)
    return graph.add("Add", out, _twice(graph, skip, "nearest") if block.upsample else skip)


def _steered(graph: Graph, x: str, norm: tuple[str, str]) -> str:
    """AdaIN and ReLU of one sample; norm: scale and bias."""
    return graph.add("Relu", graph.add("InstanceNormalization", x, *norm, epsilon=INSTANCE_NORM_EPS))


def _upsampled(graph: Graph, x: str, layer: nn.Conv2d) -> str:
    """Nearest x2 upsampling and a 3x3 convolution without bias, as `layers.upsampled_convolution`.

    As four convolutions of 2x2, one for each pixel of a square: onnxruntime computes its transposed convolution in a plain way,
    which takes a tenth longer.
    """
    weight, squares = layer.weight.detach(), []
    for down in (0, 1):
        for right in (0, 1):
            taps = graph.weight(_taps(_taps(weight, 2, down), 3, right))
            squares.append(graph.add("Conv", x, taps, pads=[1 - down, 1 - right, down, right]))
    return graph.add("DepthToSpace", graph.add("Concat", *squares, axis=1), blocksize=2, mode="DCR")


def _taps(weight: torch.Tensor, along: int, later: int) -> torch.Tensor:
    """Three taps along a dimension as the two inputs that one of a square's pixels sees: its own, and the one before it or, for the
    later pixel, after it."""
    before, here, after = weight.unbind(along)
    return torch.stack((before + here, after) if later else (before, here + after), along)
