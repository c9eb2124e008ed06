"""All networks of one configuration, held together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from .configurations import LATENT, Configuration
from .encoders import GivenDescriptor, IdentityEncoder, PoseEncoder
from .face_reader import NAMES
from .generator import Generator
from .painter import Painter


class ReenactmentModel(nn.Module):
    """Identity encoder, pose encoder (or what takes its place where poses are described otherwise), generator, and in small
    configurations a painter: what it takes to reenact.

    The discriminator belongs to training, the matte network to compositing; both are separate.
    """

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        self.identity_encoder = IdentityEncoder(configuration)
        latent = configuration.pose_source == LATENT
        self.pose_encoder = PoseEncoder(configuration) if latent else GivenDescriptor(configuration)
        drawn = configuration.drawn_size
        self.generator = Generator(at_size(configuration, drawn) if drawn else configuration)
        self.painter = Painter(configuration.face_size) if drawn else None
        # Descriptors of many people's poses, kept with the weights: adaptation checks on them that a
        # person's own generator still follows anybody. Empty until training fills it.
        self.register_buffer("pose_bank", torch.zeros(0, configuration.descriptor_size))
        # (identity_size,) where the generator is fine-tuned to one person, whom alone it can draw; else None.
        self.own_identity: torch.Tensor | None = None

    @property
    def backbones(self) -> list[nn.Module]:
        """The networks of the encoders there are."""
        encoders = (self.identity_encoder, self.pose_encoder)
        return [encoder.backbone for encoder in encoders if not isinstance(encoder, GivenDescriptor)]

    def embedding_of(self, pictures: torch.Tensor) -> torch.Tensor:
        """The identity embedding (identity_size,) to draw a person with, from pictures (K, 3, S, S) RGB in [0, 1]."""
        if self.own_identity is not None:
            return self.own_identity.to(pictures.device)
        return self.identity_encoder(pictures[None])[0]

    @property
    def reads_faces(self) -> bool:
        """Whether pose descriptors end in the face reader's numbers, `face_reader.NAMES`."""
        return self.configuration.pose_source == LATENT and self.configuration.face_size == len(NAMES)

    def columns_of(self, names: Sequence[str]) -> list[int]:
        """Where some of the face reader's numbers stand in a pose descriptor; see `reads_faces`."""
        return [self.configuration.pose_size + NAMES.index(name) for name in names]

    def _load_from_state_dict(self, state_dict, prefix, *arguments):
        bank = state_dict.get(prefix + "pose_bank")
        if bank is not None:  # of any length
            self.pose_bank = torch.zeros_like(bank, device=self.pose_bank.device, dtype=self.pose_bank.dtype)
        else:
            state_dict[prefix + "pose_bank"] = self.pose_bank
        super()._load_from_state_dict(state_dict, prefix, *arguments)


def at_size(configuration: Configuration, side: int) -> Configuration:
    """The same configuration with a generator alone that renders `side` pixels: its last blocks are left off, so that
    a model grown from it keeps every block (widths at each resolution stay what they were)."""
    base = configuration.channels_at(side)
    return replace(configuration, image_size=side, base_channels=base, drawn_size=0, face_size=0)
