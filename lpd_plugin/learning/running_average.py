"""The running average of a network's parameters, which is what is measured and kept (Polyak and Juditsky 1992)."""

from __future__ import annotations

import torch
from torch import nn


def memory(most: float, step: int, delay: int = 10) -> float:
    """How much of an average stays at a step, from 0: min(most, (1 + step) / (delay + step)). A young average would remember
    the start, so its memory grows with the run."""
    return min(most, (1 + step) / (delay + step))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """a <- keep a + (1 - keep) p for every parameter and statistic, counters as they are; the networks are of one kind."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values()):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
