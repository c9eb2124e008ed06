"""Initial weights of networks without spectral norm."""

from __future__ import annotations

import torch
from torch import nn

from ..networks.model import ReenactmentModel
from ..networks.plain_encoder import PlainEncoder


@torch.no_grad()
def initialise(model: ReenactmentModel) -> None:
    """Projector and last layers of plain encoders at unit gain, biases 0; published configurations stay as they are.

    torch's default draws linear layers with a third of that gain: what the encoders say reaches the AdaIN
    scales at a hundredth of their size, and the generator begins by ignoring it. Where spectral norm
    divides the size out, it does not matter.
    Projector: He et al. 2015 (std sqrt(2 / fan_in)); encoders: std 1 / sqrt(fan_in).
    """
    if model.configuration.spectral_norm:
        return
    for layer in model.generator.projector:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    for backbone in model.backbones:
        if isinstance(backbone, PlainEncoder):
            layer = backbone.output
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
