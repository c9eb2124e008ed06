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
        if key.startswith("to_image") or key not in own:
            continue
        if own[key].shape == value.shape:
            own[key] = value
        else:  # the projector's last layer: rows in the order in which norms are met
            rows = min(len(value), len(own[key]))
            own[key][:rows] = value[:rows]
    grown.load_state_dict(own)
