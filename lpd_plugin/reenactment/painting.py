"""One person painted from its own pictures: which of them each moment is taken from, and how they are mixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..errors import BadInput
from ..networks.face_reader import NAMES, OPENED
from ..networks.model import ReenactmentModel
from ..networks.painter import Painter, resized
from .engines import AT_ONCE
from .identity import Identity
from .mouth import mouths_of, with_parted_lips
from .outline import one_outline

SHARED_BY = 3  # pictures that a moment is painted from, at most
UNSEEN = 0.03  # a share below which a picture is not worth painting from
SAME_POSE = 0.05  # mean squared distance, in spreads of the bank: pictures nearer than that are as good as each other
# How much each number that is read counts in how near a picture is to a pose, where that is not 1: what moving pixels makes least
# well, lids that close and an inside of the mouth, has to be there already (docs/weights.md).
COUNTS = {"eyes open": 5.0, "mouth width": 2.0, "corners up": 2.0} | {name: 4.0 for name in OPENED}
MICRO_BATCH = 8


class Painting:
    """The person's pictures, ready to be painted from; called like a generator.

    generator: draws, called as one. painter: the person's own, else the model's; only looked at when it paints, so that it may be
    learning. motion_by: computes its `motion` in its place, for one that does not change.
    Raises `BadInput` for an identity without pictures or mattes.
    """

    def __init__(
        self, identity: Identity, model: ReenactmentModel, generator: Callable[..., tuple[torch.Tensor, torch.Tensor]],
        painter: Painter | None = None, motion_by: Callable[..., tuple[torch.Tensor, ...]] | None = None,
    ):  # fmt: skip
        if not len(identity.pictures) or len(identity.mattes) != len(identity.pictures):
            raise BadInput("The identity holds no pictures to paint from; make it again from footage of the person.")
        self.model, self.generator, self.painter = model, generator, painter or model.painter
        self.motion_by, self.response = motion_by, identity.response
        self.pictures, self.mattes = torch.from_numpy(identity.pictures), torch.from_numpy(identity.mattes)
        device = model.generator.constant.device
        embedding = identity.embedding.to(device)
        with torch.inference_mode():
            pictures = [part.to(device).permute(0, 3, 1, 2).float() / 255 for part in self.pictures.split(MICRO_BATCH)]
            self.descriptors = torch.cat([model.pose_encoder(part) for part in pictures])
            parts = self.descriptors.split(MICRO_BATCH)
            self.mouths = mouths_of(torch.cat(pictures), *map(torch.cat, zip(*map(model.pose_encoder.face_points, pictures))))
            self.drawings = torch.cat([self.drawn(embedding.expand(len(part), -1), part) for part in parts])
        bank = model.pose_bank
        spread = bank.std(0) + 1e-3 if len(bank) > 1 else torch.ones_like(self.descriptors[0])
        counts = torch.tensor([COUNTS.get(name, 1.0) for name in NAMES], device=device)
        self.counts = counts / self._faces(spread[None])[0].square()

    def __call__(self, identity: torch.Tensor, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """identity (B, identity_size), poses (B, descriptor_size) -> rgb (B, 3, S, S), straight; mask (B, 1, S, S): one outline."""
        painted = self.painted(identity, poses).clamp(0, 1)
        rgb, mask = painted[:, :3], painted[:, 3:]
        outlines = np.stack([one_outline(matte) for matte in mask[:, 0].cpu().numpy()])
        return (rgb / mask.clamp_min(1 / 255)).clamp(0, 1), torch.from_numpy(outlines)[:, None].to(mask)

    def painted(self, identity: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """The person's pictures, moved and averaged by their shares, veils and all: (B, 4, S, S), premultiplied."""
        drawn, shares = self.drawn(identity, poses), self._shares(poses)
        asked = self._faces(self.response.asking(poses, self.model))  # pictures are still chosen by what is wanted
        moments, rows = shares.nonzero(as_tuple=True)
        together = 1 if poses.device.type == "cpu" else AT_ONCE  # alone, a picture's layers stay in a core's cache
        side = self.model.configuration.image_size
        painted = torch.zeros(len(poses), 4, side, side, device=poses.device)
        for moment, row in zip(moments.split(together), rows.split(together)):
            faces = torch.cat((asked[moment], self._faces(self.descriptors)[row]), 1)
            reference = self.references(row)
            moved, motion = self.painter(drawn[moment], self.drawings[row], reference, faces, self.motion_by)
            moved = with_parted_lips(moved.float(), reference, motion.float(), self.mouths[row])
            painted.index_add_(0, moment, moved * shares[moment, row][:, None, None, None])
        return painted

    def drawn(self, identity: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """What the generator draws, premultiplied: (B, 4, s, s) in [0, 1]."""
        rgb, mask = self.generator(identity, poses)
        return torch.cat((rgb.clamp(0, 1) * mask, mask), 1)

    def _shares(self, poses: torch.Tensor) -> torch.Tensor:
        """How much of each pose is painted from each picture, (B, K): the nearest few, fading so that none pops in or out."""
        apart = self._faces(poses)[:, None] - self._faces(self.descriptors)[None]
        distance = (apart.square() * self.counts).mean(2)
        near, rows = distance.topk(min(SHARED_BY + 1, distance.shape[1]), dim=1, largest=False)
        weights = ((near[:, :1] + SAME_POSE) / (near + SAME_POSE)).square()  # relative: however far apart pictures lie
        if weights.shape[1] > SHARED_BY:  # a picture enters with the weight 0 when it is as near as the one it replaces
            weights = weights - weights[:, -1:]
        weights = (weights - UNSEEN * weights.sum(1, keepdim=True)).clamp_min(0)
        shares = torch.zeros_like(distance).scatter_(1, rows, weights)
        alike = distance == near[:, :1]  # pictures that are all as near: nothing is left of the differences
        shares = torch.where(shares.sum(1, keepdim=True) > 1e-6, shares, alike.to(shares))
        return shares / shares.sum(1, keepdim=True)

    def _faces(self, descriptors: torch.Tensor) -> torch.Tensor:
        """What the face reader read, of descriptors (N, descriptor_size): (N, face_size)."""
        return descriptors[:, self.model.configuration.pose_size :]

    def references(self, rows: torch.Tensor) -> torch.Tensor:
        """The pictures of some rows, premultiplied: (B, 4, S, S)."""
        device, rows = self.descriptors.device, rows.cpu()
        pictures = self.pictures[rows].to(device).permute(0, 3, 1, 2).float() / 255
        mattes = self.mattes[rows].to(device)[:, None].float() / 255
        return resized(torch.cat((pictures * mattes, mattes), 1), self.model.configuration.image_size)
