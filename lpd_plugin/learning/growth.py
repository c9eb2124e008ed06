"""Growing a generator to the next size: everything it learned stays, new blocks start near the identity."""

from __future__ import annotations

import torch

from ..networks.generator import Generator


@torch.no_grad()
def grow_generator(state: dict[str, torch.Tensor], grown: Generator) -> None:
    """Load the state dict of a smaller generator into a larger one of the same widths.

    Blocks, constant and projector rows are copied; the rows of the old last norm go to the first norm of
    the first new block, which meets the same activations. What has no predecessor keeps its initial value.
    Source of the idea: Karras et al. 2018, progressive growing.
    """
    own = grown.state_dict()
    for key, value in state.items():
        if key not in own or (key.startswith("to_image") and own[key].shape != value.shape):
            continue
        if own[key].shape == value.shape:
            own[key] = value
        else:  # the projector's last layer: rows in the order in which norms are met
            rows = min(len(value), len(own[key]))
            own[key][:rows] = value[:rows]
    grown.load_state_dict(own)


@torch.no_grad()
def level_residual_stream(generator: Generator, identity: torch.Tensor, pose: torch.Tensor) -> list[float]:
    """Rescale the upsampling blocks so that what leaves each has standard deviation 1; returns what it was.

    Every reader of the stream normalises it, so its scale is free and drifts upwards in training without
    spectral norm (measured: 1 at 4 px, 266 at 64 px); then the last blocks' detail is a few percent of what
    it is added to and hardly learns. The pictures stay the same up to rounding and the norms' epsilon.
    identity (B, identity_size), pose (B, pose_size): embeddings and descriptors of real pictures.
    Raises ValueError for a spectrally normalised generator, whose weights cannot be rescaled.
    """
    if generator.configuration.spectral_norm:
        raise ValueError("a spectrally normalised generator keeps its own scale")
    scales: list[float] = []
    hooks = [b.register_forward_hook(lambda _, __, out: scales.append(float(out.std((2, 3)).mean()))) for b in generator.blocks]
    try:
        generator(identity, pose)
    finally:
        for hook in hooks:
            hook.remove()
    before = 1.0
    for block, scale in zip(generator.blocks, scales):
        if block.skip is None:  # an identity skip cannot change the scale
            continue
        block.convolution2.weight.div_(scale)
        block.skip.weight.mul_(before / scale)
        block.skip.bias.div_(scale)
        before = scale
    return scales
