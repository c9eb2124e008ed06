"""Which of a person's pictures a moment is painted from, and how much of each.

Moving pixels turns a head better than it closes its eyes, and a picture with the right mouth has the outline and the hair of
another turn. So faces are painted from the pictures whose lids and mouth are nearest to what is wanted, and everything around them
from those whose heads are held most alike.
"""

from __future__ import annotations

import torch

from ..networks.face_reader import NAMES, OPENED
from ..networks.model import ReenactmentModel

# How much each number that is read counts in how near a picture is to a pose, where that is not 1 (docs/weights.md).
FACE_COUNTS = {"eyes open": 4.0} | {name: 2.0 for name in OPENED}
AROUND_COUNTS = {"roll": 3.0, "yaw": 3.0, "pitch": 3.0} | dict.fromkeys(
    ("mouth width", "corners up", "eyes open", "brows up", "gaze"), 0.25
)  # fmt: skip
FACE_BY, AROUND_BY = 2, 3  # pictures that faces, and what is around them, are painted from, at most
UNSEEN = 0.03  # a share below which a picture is not worth painting from
SAME_POSE = 0.05  # mean squared distance, in spreads of the bank: pictures nearer than that are as good as each other
# Where a face is, from its brows to its chin, in units of the mean face (whose jaws are 1.9 from its middle): its middle below that
# of the points which the reader fits, its half axes, and how much further on it is gone.
MIDDLE, HALF_AXES, FADES = 0.7, (1.6, 2.0), 0.3


def counts_of(model: ReenactmentModel, counts: dict[str, float]) -> torch.Tensor:
    """What squared differences of the face reader's numbers are multiplied by, (face_size,): `counts`, over the squared spread of
    the weights' bank of poses."""
    device, bank = model.pose_bank.device, model.pose_bank[:, model.configuration.pose_size :].float()
    spread = bank.std(0) + 1e-3 if len(bank) > 1 else torch.ones(model.configuration.face_size, device=device)
    return torch.tensor([counts.get(name, 1.0) for name in NAMES], device=device) / spread.square()


def shares_of(wanted: torch.Tensor, pictures: torch.Tensor, counts: torch.Tensor, by: int) -> torch.Tensor:
    """How much of each moment is painted from each picture, (B, K), of what is read of both, (B, face_size) and (K, face_size): the
    nearest `by` at most, fading so that none pops in or out."""
    distance = ((wanted[:, None] - pictures[None]).square() * counts).mean(2)
    near, rows = distance.topk(min(by + 1, distance.shape[1]), dim=1, largest=False)
    weights = ((near[:, :1] + SAME_POSE) / (near + SAME_POSE)).square()  # relative: however far apart pictures lie
    if weights.shape[1] > by:  # a picture enters with the weight 0 when it is as near as the one it replaces
        weights = weights - weights[:, -1:]
    weights = (weights - UNSEEN * weights.sum(1, keepdim=True)).clamp_min(0)
    shares = torch.zeros_like(distance).scatter_(1, rows, weights)
    alike = distance == near[:, :1]  # pictures that are all as near: nothing is left of the differences
    shares = torch.where(shares.sum(1, keepdim=True) > 1e-6, shares, alike.to(shares))
    return shares / shares.sum(1, keepdim=True)


def face_area(poses: torch.Tensor, model: ReenactmentModel, side: int) -> torch.Tensor:
    """Where the faces of poses (B, descriptor_size) are in a crop: (B, 1, side, side) in [0, 1], an ellipse that fades out."""
    reader = model.pose_encoder.face
    held = slice(model.configuration.pose_size, model.configuration.pose_size + 4)
    x, y, size, roll = (poses[:, held] * reader.spread[:4] + reader.centre[:4]).to(torch.float32).T[..., None, None]
    axis = (torch.arange(side, device=poses.device) + 0.5) / side - 0.5
    right, down = (axis - x) / size.exp(), (axis[:, None] - y) / size.exp()
    across, along = roll.cos() * right + roll.sin() * down, roll.cos() * down - roll.sin() * right
    away = torch.hypot(across / HALF_AXES[0], (along - MIDDLE) / HALF_AXES[1])
    return ((1 + FADES - away) / FADES).clamp(0, 1)[:, None]
