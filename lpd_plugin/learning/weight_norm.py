"""Convolutions split into length and direction, g v / |v| (Salimans and Kingma 2016): for generators without spectral norm.

Once outlines are right, the scale of a plain generator's blocks drifts and detail stops being learned
(docs/weights.md); with the length apart, directions go on turning at the same rate.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrizations

from ..networks.generator import Generator


def split_weights(generator: Generator) -> None:
    """In place, for every convolution of the blocks and of the picture; what is computed stays the same. Raises ValueError for a
    spectrally normalised generator, whose lengths are fixed."""
    if generator.configuration.spectral_norm:
        raise ValueError("a spectrally normalised generator has no free lengths")
    for layer in [m for m in generator.modules() if isinstance(m, nn.Conv2d)]:
        parametrizations.weight_norm(layer, dim=0)


def without_weight_norm(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict whose split layers hold plain weights; others stay as they are."""
    plain = {}
    for key, value in state.items():
        layer, parametrised, part = key.rpartition(".parametrizations.weight.original")
        if not parametrised:
            plain[key] = value
        elif part == "1":
            plain[layer + ".weight"] = torch._weight_norm(value, state[layer + parametrised + "0"], 0)
    return plain
