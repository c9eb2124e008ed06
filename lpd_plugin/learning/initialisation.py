"""Encoders that say something from the first step."""

from __future__ import annotations

import torch
from torch import nn

from ..networks.plain_encoder import PlainEncoder


@torch.no_grad()
def whiten_output(encoder: PlainEncoder, pictures: torch.Tensor, batch: int = 16) -> None:
    """Set the last layer of an untrained encoder so that its outputs over `pictures` are uncorrelated
    with mean 0 and variance 1: the principal directions of its random features, each at unit scale.

    Averaged random features are nearly the same for every picture; with a default last layer the generator
    hears one constant and spends its first hundreds of steps on an average face. pictures (N, 3, S, S),
    N above the output size. Source of the idea: data-dependent initialisation, Mishkin and Matas 2016.
    """
    layer, seen = encoder.output, []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for part in pictures.split(batch):
        encoder(part)
    hook.remove()
    features = torch.cat(seen).double()
    mean = features.mean(0)
    _, values, directions = torch.linalg.svd(features - mean, full_matrices=False)
    count = min(layer.out_features, len(values))
    scale = values[:count] / len(features) ** 0.5
    # Directions that random features hardly vary in are mostly noise: damp them instead of blowing them up.
    weight = directions[:count] / (scale + 0.05 * scale[0])[:, None]
    layer.weight[:count] = weight.to(layer.weight)
    layer.bias[:count] = -(weight @ mean).to(layer.bias)


def fill_plain_encoders(model: nn.Module, pictures: torch.Tensor, driving: torch.Tensor) -> None:
    """Whiten the identity and pose encoders of a new model where they are plain ones."""
    for encoder, seen in ((model.identity_encoder, pictures), (model.pose_encoder, driving)):
        if isinstance(encoder.backbone, PlainEncoder):
            whiten_output(encoder.backbone, seen)
