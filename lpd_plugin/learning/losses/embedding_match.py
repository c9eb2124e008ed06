"""The identity embedding should be what the discriminator learned about that video."""

from __future__ import annotations

import torch


def embedding_match(identity: torch.Tensor, label_embedding: torch.Tensor) -> torch.Tensor:
    """mean(|e - w|): identity embedding of the first identity picture (B, E) against the label's (B, E).

    The release matches the first picture's embedding, not the mean. No gradient into the label's side.
    """
    return (identity - label_embedding.detach()).abs().mean()
