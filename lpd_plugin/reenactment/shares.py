"""Which of a person's pictures a moment is painted from, how much of each, and where.

Moving pixels turns a head better than it closes its eyes, and a picture with the right mouth may have the wrong eyes, and the
outline and the hair of another turn. So each part of a head is painted from the pictures that are nearest to what is wanted there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..networks.face_reader import NAMES, OPENED
from ..networks.model import ReenactmentModel
from .lids import ALIKE, as_open, below_open, left_open, wanted_open
from .rest import rest_of


@dataclass(frozen=True)
class Part:
    """Some of a head: how much each number that is read counts in how near a picture is to a pose, 1 where nothing is said
    (docs/weights.md), how many pictures it is painted from, at most, and what counts are multiplied by where a picture reads more
    than is wanted."""

    counts: dict[str, float]
    pictures: int
    more: dict[str, float] = field(default_factory=dict)


# Eyes that are too far open do sooner than eyes that are shut: lids come down over them (see lids.py), and nothing opens shut ones.
EYES = Part(
    {"eyes open": 16.0, "gaze": 4.0, "mouth width": 0.5, "corners up": 0.5} | dict.fromkeys(OPENED, 0.5), 2, {"eyes open": 0.25}
)
MOUTH = Part(
    {"mouth width": 2.0, "corners up": 2.0, "eyes open": 0.5, "brows up": 0.25, "gaze": 0.25} | dict.fromkeys(OPENED, 4.0), 2
)  # fmt: skip
AROUND = Part(
    dict.fromkeys(("roll", "yaw", "pitch"), 3.0)
    | dict.fromkeys(("mouth width", "corners up", "eyes open", "brows up", "gaze"), 0.25),
    3,
)
PARTS = EYES, MOUTH, AROUND
LIDS, GAZE = NAMES.index("eyes open"), NAMES.index("gaze")
OPEN = 0.9  # how far open eyes are whose gaze is one
UNSEEN = 0.1  # a share below which a picture is not worth painting from
SAME_POSE = 0.05  # mean squared distance, in spreads of the bank: pictures nearer than that are as good as each other
# Where a face is, from its brows to its chin, in units of the mean face (whose jaws are 1.9 from its middle): its middle below that
# of the points which the reader fits, its half axes, how much further on it is gone, and where it is more and more the mouth's.
MIDDLE, HALF_AXES, FADES, HALVES = 0.7, (1.6, 2.0), 0.3, (0.3, 0.8)


class Choice:
    """Which of a person's pictures, with descriptors (K, descriptor_size), poses are painted from."""

    def __init__(self, descriptors: torch.Tensor, model: ReenactmentModel):
        self.model, self.counts = model, [counts_of(part, model) for part in PARTS]
        own = descriptors - torch.from_numpy(rest_of(model, descriptors.cpu().numpy())).to(descriptors)
        opened, gaze = wanted_open(own, model), descriptors[:, model.configuration.pose_size + GAZE]
        seeing = gaze[opened > OPEN] if (opened > OPEN).any() else gaze
        self.usual_gaze, self.farthest = seeing.median(), (seeing.min(), seeing.max())
        self.pictures = self._told(descriptors, own)

    def __call__(self, poses: torch.Tensor) -> torch.Tensor:
        """How much of each of the PARTS of poses (B, descriptor_size) is painted from each picture: (len(PARTS), B, K)."""
        wanted = self._told(poses, poses)
        return torch.stack([shares_of(wanted, self.pictures, counts, part.pictures) for counts, part in zip(self.counts, PARTS)])

    def _told(self, descriptors: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """What tells descriptors (N, descriptor_size) apart, (N, face_size): what was read, but for eyes. `own`: the same without
        how the person's eyes look at rest, which is no narrowing; narrow eyes that are open are no shut ones. Gaze counts less
        where it is further than any of the person's open eyes look: half-shut ones, which read as straight ahead, are hardly nearer
        to what is out of reach. And where eyes are shut there is none, and what is read as one does not count."""
        faces = descriptors[:, self.model.configuration.pose_size :].clone()
        if len(self.model.pose_bank):
            below = below_open(own, self.model)
            faces[:, LIDS] = as_open(below)
            looking = torch.lerp(faces[:, GAZE].clamp(*self.farthest), faces[:, GAZE], ALIKE)
            faces[:, GAZE] = torch.lerp(self.usual_gaze, looking, left_open(below).square())
        return faces


def counts_of(part: Part, model: ReenactmentModel) -> torch.Tensor:
    """What squared differences of the face reader's numbers are multiplied by, where pictures read less than is wanted and where
    more, (2, face_size): the part's counts, over the squared spread of the weights' bank of poses."""
    device, bank = model.pose_bank.device, model.pose_bank[:, model.configuration.pose_size :].float()
    spread = bank.std(0) + 1e-3 if len(bank) > 1 else torch.ones(model.configuration.face_size, device=device)
    counts, more = (torch.tensor([some.get(name, 1.0) for name in NAMES], device=device) for some in (part.counts, part.more))
    return torch.stack((counts, counts * more)) / spread.square()


def shares_of(wanted: torch.Tensor, pictures: torch.Tensor, counts: torch.Tensor, most: int) -> torch.Tensor:
    """How much of each moment is painted from each picture, (B, K), of what is read of both, (B, face_size) and (K, face_size), by
    `counts_of`: the nearest, `most` at most, fading so that none pops in or out."""
    further = pictures[None] - wanted[:, None]
    distance = (further.square() * torch.where(further > 0, counts[1], counts[0])).mean(2)
    near, rows = distance.topk(min(most + 1, distance.shape[1]), dim=1, largest=False)
    weights = ((near[:, :1] + SAME_POSE) / (near + SAME_POSE)).square()  # relative: however far apart pictures lie
    if weights.shape[1] > most:  # a picture enters with the weight 0 when it is as near as the one it replaces
        weights = weights - weights[:, -1:]
    weights = (weights - UNSEEN * weights.sum(1, keepdim=True)).clamp_min(0)
    shares = torch.zeros_like(distance).scatter_(1, rows, weights)
    alike = distance == near[:, :1]  # pictures that are all as near: nothing is left of the differences
    shares = torch.where(shares.sum(1, keepdim=True) > 1e-6, shares, alike.to(shares))
    return shares / shares.sum(1, keepdim=True)


def areas(poses: torch.Tensor, model: ReenactmentModel, side: int) -> torch.Tensor:
    """Where the PARTS of heads in poses (B, descriptor_size) are in a crop, together 1: (len(PARTS), B, 1, side, side) in [0, 1].
    A face is an ellipse that fades out, its upper half the eyes', its lower half the mouth's."""
    numbers = model.pose_encoder.face.measured(poses[:, model.configuration.pose_size :]).float()
    x, y, size, roll = numbers[:, :4].T[..., None, None]
    axis = (torch.arange(side, device=poses.device) + 0.5) / side - 0.5
    right, down = (axis - x) / size.exp(), (axis[:, None] - y) / size.exp()
    across, along = roll.cos() * right + roll.sin() * down, roll.cos() * down - roll.sin() * right
    away = torch.hypot(across / HALF_AXES[0], (along - MIDDLE) / HALF_AXES[1])
    face = ((1 + FADES - away) / FADES).clamp(0, 1)
    low = ((along - HALVES[0]) / (HALVES[1] - HALVES[0])).clamp(0, 1)
    return torch.stack((face * (1 - low), face * low, 1 - face))[:, :, None]
