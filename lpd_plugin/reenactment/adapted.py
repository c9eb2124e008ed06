"""An identity adapted to its person."""

from __future__ import annotations

from dataclasses import replace

from ..learning.adaptation import AdaptationConfig, adapt
from ..networks.matte import HeadMatte
from ..networks.model import ReenactmentModel
from ..progress import Progress
from .identity import Identity, require_same_weights


def adapt_identity(
    identity: Identity, model: ReenactmentModel, matte: HeadMatte, config: AdaptationConfig, progress: Progress | None = None
) -> Identity:
    """The identity with its own generator, fitted to the identity's pictures; `config.steps` 0 changes nothing."""
    require_same_weights(identity, model, "The identity")
    adapted = adapt(model, matte, identity.pictures, identity.embedding, config, progress)
    about = {**identity.about, "adaptation_steps": config.steps}
    return replace(identity, embedding=adapted.embedding, adapted=adapted.changed, about=about)
