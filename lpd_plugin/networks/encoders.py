"""Identity and pose encoders: which backbone a configuration uses, and how pictures reach it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .configurations import Configuration
from .face_reader import FACE_VIEW, FaceReader, face_view, mirrored
from .mobilenet import MobileNetV2
from .plain_encoder import PlainEncoder
from .resnext import ResNeXt50

FARTHEST = 5.0  # spreads from the mean: further than a generator ever saw, as a number that hardly varied may say


def _backbone(kind: str, outputs: int, widths: tuple[int, ...], size: int, keep_layout: bool) -> nn.Module:
    if kind == "resnext50_32x4d":
        return ResNeXt50(outputs)
    if kind == "mobilenet_v2":
        return MobileNetV2(outputs)
    return PlainEncoder(outputs, widths, size, keep_layout)


class _Encoder(nn.Module):
    def __init__(self, backbone: nn.Module, size: int | None):
        super().__init__()
        self.backbone, self.size = backbone, size

    def _sized(self, pictures: torch.Tensor) -> torch.Tensor:
        if self.size is not None and pictures.shape[-1] != self.size:
            pictures = F.interpolate(pictures, (self.size, self.size), mode="bilinear", antialias=True)
        return pictures


class IdentityEncoder(_Encoder):
    """Who it is: K pictures of one person to one embedding, the mean over the pictures."""

    def __init__(self, c: Configuration):
        size = c.encoder_size or c.image_size
        super().__init__(_backbone(c.identity_backbone, c.identity_size, c.identity_widths, size, False), c.encoder_size)

    def per_picture(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, K, 3, S, S) RGB in [0, 1] -> (B, K, identity_size)."""
        batch, count = pictures.shape[:2]
        return self.backbone(self._sized(pictures.flatten(0, 1))).unflatten(0, (batch, count))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, K, 3, S, S) RGB in [0, 1] -> (B, identity_size)."""
        return self.per_picture(pictures).mean(1)


class PoseEncoder(_Encoder):
    """How the head is held and what the face does: one picture to one latent pose descriptor."""

    def __init__(self, c: Configuration):
        size = c.encoder_size or c.image_size
        super().__init__(_backbone(c.pose_backbone, c.pose_size, c.pose_widths, size, True), c.encoder_size)
        # What a painter has to know beyond what the generator's drawing shows: see face_reader.py.
        self.face = FaceReader(c.face_size, c.pose_widths, size) if c.face_size else None

    def latent(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the generator is driven by: (B, 3, S, S) RGB in [0, 1] -> (B, pose_size)."""
        return self.backbone(self._sized(pictures))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """The pose descriptor: (B, 3, S, S) RGB in [0, 1] -> (B, descriptor_size), the latent pose first."""
        latent = self.latent(pictures)
        if self.face is None:
            return latent
        # Seen in a mirror, too: what the reader gets wrong of a face, it mostly gets wrong one way.
        both = self.read_face(torch.cat((pictures, pictures.flip(3)))).chunk(2)
        return torch.cat((latent, (both[0] + mirrored(both[1])) / 2), 1)

    def read_face(self, pictures: torch.Tensor) -> torch.Tensor:
        """How the head is held and what the face does, as numbers that mean the same for everybody:
        (B, 3, S, S) RGB in [0, 1] -> (B, face_size), standardised over training faces."""
        return self.face(self._face_view(pictures))

    def face_points(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The 68 points of faces, in 300-W's order: (B, 3, S, S) RGB in [0, 1] -> (B, 68, 2), x and y in half sides from the middle
        of the picture, and by how much each may be missed (B, 68): the root of its map's spread, in half sides."""
        _, points, spread = self.face.looked(self._face_view(pictures))
        return FACE_VIEW * points, FACE_VIEW * spread.sqrt()

    def _face_view(self, pictures: torch.Tensor) -> torch.Tensor:
        return face_view(pictures, self.size or pictures.shape[-1])


class GivenDescriptor(nn.Module):
    """Where something else describes poses, this takes the pose encoder's place: descriptors standardised by the mean and
    spread of the rows that were trained on, which are kept with the weights."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.name = c.pose_source
        self.register_buffer("mean", torch.zeros(c.pose_size))
        self.register_buffer("spread", torch.ones(c.pose_size))

    def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
        """(B, pose_size) as computed from pictures -> (B, pose_size), standardised, within 5 spreads; NaN stays."""
        return ((descriptors - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)

    def adopt(self, mean: torch.Tensor, spread: torch.Tensor) -> None:
        """Standardise by these from now on, both (pose_size,)."""
        self.mean.copy_(mean)
        self.spread.copy_(spread)
