"""One person painted from its own pictures: which of them each moment is taken from, and how they are mixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..errors import BadInput
from ..networks.face_reader import NAMES
from ..networks.model import ReenactmentModel
from ..networks.painter import Painter, resized
from .engines import AT_ONCE
from .identity import Identity
from .lids import lids_of, wanted_open, with_closed_lids
from .mouth import mouths_of, with_parted_lips
from .outline import one_outline
from .shares import Choice, areas

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
            points = [torch.cat(part) for part in zip(*map(model.pose_encoder.face_points, pictures))]
            self.mouths, self.lids = mouths_of(torch.cat(pictures), *points), lids_of(*points, self._units(self.descriptors))
            self.drawings = torch.cat([self.drawn(embedding.expand(len(part), -1), part) for part in parts])
            self.shares = Choice(self.descriptors, model)

    def __call__(self, identity: torch.Tensor, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """identity (B, identity_size), poses (B, descriptor_size) -> rgb (B, 3, S, S), straight; mask (B, 1, S, S): one outline."""
        painted = self.painted(identity, poses).clamp(0, 1)
        rgb, mask = painted[:, :3], painted[:, 3:]
        outlines = np.stack([one_outline(matte) for matte in mask[:, 0].cpu().numpy()])
        return (rgb / mask.clamp_min(1 / 255)).clamp(0, 1), torch.from_numpy(outlines)[:, None].to(mask)

    def painted(self, identity: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """The person's pictures, moved and averaged by their shares, veils and all: (B, 4, S, S), premultiplied."""
        side = self.model.configuration.image_size
        drawn, shares, where = self.drawn(identity, poses), self.shares(poses), areas(poses, self.model, side)
        lids = self.closing(poses)
        asked = self._faces(self.response.asking(poses, self.model))  # pictures are still chosen by what is wanted
        moments, rows = shares.sum(0).nonzero(as_tuple=True)
        together = 1 if poses.device.type == "cpu" else AT_ONCE  # alone, a picture's layers stay in a core's cache
        painted = torch.zeros(len(poses), 4, side, side, device=poses.device)
        for moment, row in zip(moments.split(together), rows.split(together)):
            numbers = torch.cat((asked[moment], self._faces(self.descriptors)[row]), 1)
            reference = self.references(row)
            moved, motion = self.painter(drawn[moment], self.drawings[row], reference, numbers, self.motion_by)
            parts = shares[:, moment, row]
            eyes, mouth, _ = (parts > 0).any(1).tolist()  # what is not seen of a picture need not be finished
            moved = self.finished(moved.float(), reference, motion.float(), row, lids[moment], eyes, mouth)
            painted.index_add_(0, moment, moved * (parts[..., None, None, None] * where[:, moment]).sum(0))
        return painted

    def closing(self, poses: torch.Tensor) -> torch.Tensor:
        """What `finished` needs to close lids in poses (B, descriptor_size), (B, 2): how far eyes are wanted open, see
        `wanted_open`, and one unit of the mean face, in half sides."""
        return torch.stack((wanted_open(poses, self.model), self._units(poses)), 1)

    def finished(
        self, moved: torch.Tensor, reference: torch.Tensor, motion: torch.Tensor, rows: torch.Tensor, closing: torch.Tensor,
        eyes: bool = True, mouth: bool = True,
    ) -> torch.Tensor:  # fmt: skip
        """What moving alone does not make of the pictures `rows` (B,): lips that part and lids that close, where `eyes` and the
        `mouth` are seen. The painter made `moved` of `reference` by `motion`, see Painter.forward; closing (B, 2): of the poses."""
        if mouth:
            moved = with_parted_lips(moved, reference, motion, self.mouths[rows])
        return with_closed_lids(moved, reference, motion, self.lids[rows], *closing.unbind(1)) if eyes else moved

    def drawn(self, identity: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
        """What the generator draws, premultiplied: (B, 4, s, s) in [0, 1]."""
        rgb, mask = self.generator(identity, poses)
        return torch.cat((rgb.clamp(0, 1) * mask, mask), 1)

    def _units(self, descriptors: torch.Tensor) -> torch.Tensor:
        """One unit of the mean face in pictures with these descriptors (N, descriptor_size), in half sides: (N,)."""
        return 2 * self.model.pose_encoder.face.measured(self._faces(descriptors))[:, NAMES.index("size")].exp()

    def _faces(self, descriptors: torch.Tensor) -> torch.Tensor:
        """What the face reader read, of descriptors (N, descriptor_size): (N, face_size)."""
        return descriptors[:, self.model.configuration.pose_size :]

    def references(self, rows: torch.Tensor) -> torch.Tensor:
        """The pictures of some rows, premultiplied: (B, 4, S, S)."""
        device, rows = self.descriptors.device, rows.cpu()
        pictures = self.pictures[rows].to(device).permute(0, 3, 1, 2).float() / 255
        mattes = self.mattes[rows].to(device)[:, None].float() / 255
        return resized(torch.cat((pictures * mattes, mattes), 1), self.model.configuration.image_size)
