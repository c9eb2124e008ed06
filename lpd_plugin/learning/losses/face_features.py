"""Content loss over the features of a face recogniser given as a file (never shipped with this product)."""

from __future__ import annotations

from pathlib import Path

import torch

from ...errors import BadInput
from ...networks.face_recogniser import TAPS, FaceRecogniser
from ...weights.plain_files import read_tensors

class FaceFeatures(FaceRecogniser):
    """A recogniser from a file, frozen. `weights`: a safetensors or .pth file.

    Raises `BadInput` for a file that cannot be read or lacks a parameter.
    """

    def __init__(self, weights: str | Path):
        super().__init__()
        given = read_tensors(weights, "face recogniser's weights")
        own = {k: v for k, v in self.state_dict().items() if not k.endswith("num_batches_tracked")}  # of training only
        wrong = next((k for k, v in own.items() if k not in given or given[k].shape != v.shape), None)
        if wrong is not None:
            raise BadInput(f"{weights} is not MobileFaceNet's weights file: '{wrong}' is missing or of another shape.")
        self.load_state_dict({k: given[k] for k in own}, strict=False)
        self.eval().requires_grad_(False)


def face_feature_loss(network: FaceRecogniser, picture: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """mean over taps of mean(|f(picture) - f(target)|) / mean(|f(target)|), plus 1 - cosine of the embeddings."""
    with torch.no_grad():
        wanted = network(target)
    got = network(picture)
    maps = sum((g - w).abs().mean() / w.abs().mean() for g, w in zip(got[:-1], wanted[:-1])) / len(TAPS)
    return maps + 1 - (got[-1] * wanted[-1]).sum(1).mean()
