"""An identity adapted to its person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import BadInput
from ..learning.adaptation.adapt import adapt
from ..learning.adaptation.config import AdaptationConfig
from ..learning.adaptation.curve import Curve
from ..networks.discriminator import Discriminator
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..progress import Progress
from ..weights.files import load_likeness
from .identity import Identity, encode_identity, require_same_weights
from .response import response_of


def adapt_identity(
    identity: Identity, model: ReenactmentModel, matte: HeadMatte, config: AdaptationConfig,
    progress: Progress | None = None, discriminator: Discriminator | None = None,
) -> Identity:  # fmt: skip
    """The identity with its own generator or painter, fitted to the identity's pictures; `config.steps` 0 changes nothing.

    How it went stands in `about` (see `curve_of`). An identity that was adapted before starts anew.
    Raises `BadInput` if the identity comes from other weights than `model`, or holds no pictures.
    """
    require_same_weights(identity, model, "The identity")
    if not len(identity.pictures):
        raise BadInput("The identity holds no pictures to adapt to; make one from footage of the person.")
    if config.steps == 0:
        return replace(identity, about={**identity.about, "adaptation": {"steps": 0, "curve": []}})
    if identity.adapted:
        identity = encode_identity(model, identity.pictures, identity.weights_name)
    likeness = load_likeness(device=str(model.generator.constant.device))
    adapted = adapt(model, matte, identity.pictures, identity.embedding, config, progress, discriminator, likeness)
    record = {
        "steps": adapted.steps, "chosen": config.steps is None, "seed": config.seed,
        "judged_by": "altered views of the pictures" if adapted.altered else "pictures held out",
        "curve": adapted.curve.as_rows(),
    }  # fmt: skip
    about = {**identity.about, "adaptation": record}
    own = replace(identity, embedding=adapted.embedding, adapted=adapted.changed, about=about)
    return replace(own, response=response_of(own, model))


def with_pictures(identity: Identity, crops: np.ndarray, model: ReenactmentModel) -> Identity:
    """The unadapted identity of the same person from its pictures and more head crops (K, S, S, 3) uint8 RGB."""
    require_same_weights(identity, model, "The identity")
    return encode_identity(model, np.concatenate((identity.pictures, crops)), identity.weights_name)


def curve_of(identity: Identity) -> Curve:
    """What was measured while the identity was adapted; empty without adaptation or with given steps."""
    return Curve.from_rows(identity.about.get("adaptation", {}).get("curve", []))


def adaptation_sentence(identity: Identity) -> str:
    """How the adaptation went, for people."""
    record = identity.about.get("adaptation", {})
    if not record.get("steps") and not record.get("curve"):
        return "without adaptation"
    if not record["curve"]:
        return f"{record['steps']} steps, as given"
    return f"{curve_of(identity).sentence()} (judged by {record['judged_by']})"
