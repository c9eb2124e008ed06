"""How far a person's painted mouth opens when it is asked to: for some, whose pictures show it closed, not as far as for others.

The same reader that reads drivers reads some painted heads; from then on poses ask for so much that the reader would read what
was wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..networks.face_reader import OPENED
from ..networks.model import ReenactmentModel
from ..weights.residency import at_work

if TYPE_CHECKING:
    from .identity import Identity

ASKED = 24  # poses of the weights' bank, from the most closed mouth to the most open one
LEAST_SLOPE = 0.5  # a mouth that hardly follows is not asked for more than twice as much
# Spreads that a pose is changed by at most: further, lips that no picture shows apart are drawn out like a tongue, though the
# reader takes that for an open mouth.
FARTHEST = 0.6
BACKGROUND = 0.5
MICRO_BATCH = 4


@dataclass(frozen=True)
class Response:
    """What is read of a painted mouth's opening, in spreads of the face reader: offset + slope x what was asked for."""

    offset: float = 0.0
    slope: float = 1.0

    def asking(self, poses: torch.Tensor, model: ReenactmentModel) -> torch.Tensor:
        """Pose descriptors (B, descriptor_size) that are answered as these should be."""
        if self == Response():
            return poses
        columns, asked = model.columns_of(OPENED), poses.clone()
        needed = (poses[:, columns] - self.offset) / max(self.slope, LEAST_SLOPE)
        asked[:, columns] += (needed - poses[:, columns]).clamp(-FARTHEST, FARTHEST)
        return asked


@torch.inference_mode()
def response_of(identity: Identity, model: ReenactmentModel) -> Response:
    """Measured by a line through what is asked for and what is read (least squares); none for weights without a painter or with
    hardly a bank of poses, and for identities without pictures."""
    from .generate import drawing_for  # which needs identities, and they this

    if model.painter is None or not model.reads_faces or len(model.pose_bank) < ASKED or not len(identity.pictures):
        return Response()
    at_work(model)
    bank = model.pose_bank.float()
    columns = model.columns_of(OPENED)
    order = bank[:, columns].mean(1).argsort()
    rows = order[torch.from_numpy(np.linspace(0, len(order) - 1, ASKED).round().astype(int)).to(order.device)]
    poses = bank[rows]
    draw, embedding = drawing_for(replace(identity, response=Response()), model), identity.embedding.to(poses.device)
    read = []
    for part in poses.split(MICRO_BATCH):
        rgb, mask = draw(embedding.expand(len(part), -1), part)
        read.append(model.pose_encoder(rgb * mask + BACKGROUND * (1 - mask)))
    asked, answer = (both[:, columns].double().mean(1).cpu().numpy() for both in (poses, torch.cat(read)))
    slope, offset = np.polyfit(asked, answer, 1)
    return Response(round(float(offset), 4), round(float(slope), 4))
