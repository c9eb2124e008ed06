"""All networks of one configuration, held together."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from .configurations import Configuration
from .encoders import IdentityEncoder, PoseEncoder
from .generator import Generator


class ReenactmentModel(nn.Module):
    """Identity encoder, pose encoder and generator: what it takes to reenact.

    The discriminator belongs to training, the matte network to compositing; both are separate.
    """

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        self.identity_encoder = IdentityEncoder(configuration)
        self.pose_encoder = PoseEncoder(configuration)
        self.generator = Generator(configuration)


def at_size(configuration: Configuration, side: int) -> Configuration:
    """The same configuration rendering `side` pixels: the generator's last blocks are left off, so that
    a model grown from it keeps every block (widths at each resolution stay what they were)."""
    base = configuration.channels_at(side)
    return replace(configuration, image_size=side, base_channels=base)
