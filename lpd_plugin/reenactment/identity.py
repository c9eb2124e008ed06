"""Who somebody is: an identity embedding, the pictures it came from, and what adaptation changed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from ..errors import BadInput
from ..networks.model import ReenactmentModel
from ..weights.files import OWN_IDENTITY, file_digest, load_matte
from ..weights.residency import at_work
from ..whole_files import write_tensors
from .mattes import crop_mattes
from .response import Response, response_of


# In files; renamed when heads are painted otherwise, since what an older file says of them is true no more.
RESPONSE = "response of a head in parts"
ADAPTED_PARTS = ("generator.", "painter.")


@dataclass(frozen=True)
class Identity:
    """One person for one set of weights.

    embedding (identity_size,) float32; pictures (K, S, S, 3) uint8 RGB head crops; mattes (K, S, S) uint8, of the heads in
    them, where the weights have a painter, else (0, S, S); adapted: changed parameters of generator or painter by their names
    in the model (half precision), empty without adaptation; weights: digest of the model file;
    about: how it was made; response: how far the painted mouth opens when
    asked to.
    """

    embedding: torch.Tensor
    pictures: np.ndarray
    mattes: np.ndarray
    weights: str
    weights_name: str = "compact"
    adapted: dict[str, torch.Tensor] = field(default_factory=dict)
    about: dict = field(default_factory=dict)
    response: Response = Response()

    def save(self, path: str | os.PathLike) -> None:
        """Write one safetensors file (custom suffix .lpd.safetensors), whole or not at all."""
        tensors = {"embedding": self.embedding, "pictures": torch.from_numpy(self.pictures)}
        tensors["mattes"] = torch.from_numpy(self.mattes)
        tensors |= {f"adapted.{k}": v for k, v in self.adapted.items()}
        metadata = {
            "kind": "identity", "weights": self.weights, "weights_name": self.weights_name, "about": json.dumps(self.about),
            RESPONSE: json.dumps(asdict(self.response)),
        }  # fmt: skip
        write_tensors(path, tensors, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Identity":
        """Read a saved identity, or the one that weights fine-tuned to a person hold (without pictures).

        Raises `BadInput` for a missing, damaged or foreign file.
        """
        try:
            with safe_open(str(path), "pt") as file:
                metadata = file.metadata() or {}
                if OWN_IDENTITY in file.keys():
                    return cls._of_weights(Path(path).absolute(), file.get_tensor(OWN_IDENTITY))
                tensors = {key: file.get_tensor(key) for key in file.keys()} if metadata.get("kind") == "identity" else {}
        except (OSError, SafetensorError) as error:
            raise BadInput(f"Cannot read the identity {path}: {error}.") from error
        if metadata.get("kind") != "identity":
            raise BadInput(f"{path} is not an LPD identity; make one with SaveIdentity.")
        adapted = {k.removeprefix("adapted."): v for k, v in tensors.items() if k.startswith("adapted.")}
        # Files from before there was a painter name the generator's parameters without saying whose they are.
        adapted = {k if k.startswith(ADAPTED_PARTS) else f"generator.{k}": v for k, v in adapted.items()}
        return cls(
            tensors["embedding"], tensors["pictures"].numpy(), tensors["mattes"].numpy(), metadata["weights"], metadata["weights_name"],
            adapted, json.loads(metadata["about"]), Response(**json.loads(metadata.get(RESPONSE, "{}"))),
        )  # fmt: skip


    @classmethod
    def _of_weights(cls, path: Path, embedding: torch.Tensor) -> "Identity":
        pictures = np.zeros((0, 256, 256, 3), np.uint8)
        return cls(embedding.float(), pictures, pictures[..., 0], file_digest(path), str(path), about={"fine-tuned": path.name})


def require_same_weights(identity: Identity, model: ReenactmentModel, what: str) -> None:
    """Raise `BadInput` if an identity was made with other weights than `model`."""
    if identity.weights != model.digest:
        raise BadInput(f"{what} was made with other weights than the ones loaded; make it again with these weights.")


@torch.inference_mode()
def encode_identity(model: ReenactmentModel, crops: np.ndarray, weights_name: str = "compact") -> Identity:
    """The identity of a person from head crops (K, S, S, 3) uint8 RGB, K >= 1: the mean of their embeddings.

    Weights fine-tuned to one person know that person alone: with them, the embedding is always theirs.
    """
    at_work(model)
    device = model.generator.constant.device
    pictures = torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    embedding = model.embedding_of(pictures)
    mattes = np.zeros((0, *crops.shape[1:3]), np.uint8)
    if model.painter is not None:
        mattes = crop_mattes(load_matte(device=str(device)), crops)
    about = {"pictures": len(crops)}
    identity = Identity(embedding.cpu().clone(), np.asarray(crops), mattes, model.digest, weights_name, about=about)
    return replace(identity, response=response_of(identity, model))
