"""The face reader: where the points of a face are, and from them how the head is held and what mouth and eyes do.

Numbers straight off a picture's features say more of who somebody is than they should: a long nose is read as a nod. Points
found in place, as the centres of maps, are found alike on faces that were never seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .face_pose import FITTED, POINTS, Held, fit_held, rough_shape
from .plain_encoder import PlainEncoder, Stage, normed

FACE_VIEW = 0.75  # of a crop's side: the middle, where crops have their faces, is all that a face reader looks at
NAMES = (
    "x", "y", "size", "roll", "yaw", "pitch", "lips apart", "jaw down", "mouth width", "corners up", "eyes open", "brows up",
    "lips forward", "gaze",
)  # fmt: skip
HELD = 6  # the first so many numbers say how the head is held, the rest what the face does
SEEN = ("lips apart", "jaw down", "lips forward")  # read off the picture itself: lips a little apart lie where closed ones do
OPENED = ("lips apart", "jaw down")  # both say how far the mouth is open (learning/face_measures.py)
# So much of how wide a mouth is, both in spreads, is taken off how far it is open: lips that a grin draws apart are no opened
# mouth. Chosen by training people and a judge of jaws (docs/weights.md).
GRIN = 0.2
ODD = ("x", "roll", "yaw", "gaze")  # what is the other way round in a mirror
LEAST_MAP_WIDTH = 48
OWN_SCALE = 5.0  # what a face has beyond the mean one, in numbers of the size that layers like


def face_view(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """The middle of head crops (B, 3, S, S) at `size` pixels."""
    border = round(pictures.shape[-1] * (1 - FACE_VIEW) / 2)
    middle = pictures[..., border : pictures.shape[-2] - border, border : pictures.shape[-1] - border]
    return F.interpolate(middle, (size, size), mode="bilinear", antialias=True)


def mirrored(numbers: torch.Tensor) -> torch.Tensor:
    """What is read (B, len(NAMES)), of the mirror images; the mean of ODD ones over training faces is 0, by their mirrors."""
    return numbers * torch.tensor([-1.0 if name in ODD else 1.0 for name in NAMES], device=numbers.device, dtype=numbers.dtype)


class Finer(nn.Module):
    """A map at twice the side, with what the way down saw at that side: 1x1 of both, then a residual 3x3."""

    def __init__(self, inputs: int, skipped: int, outputs: int):
        super().__init__()
        self.coarse, self.skip = nn.Conv2d(inputs, outputs, 1), nn.Conv2d(skipped, outputs, 1)
        self.conv, self.norm = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), normed(outputs)

    def forward(self, x: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(self.coarse(x), skipped.shape[-2:], mode="nearest") + self.skip(skipped)
        return x + F.silu(self.norm(self.conv(F.silu(x))))


class FaceReader(nn.Module):
    """Views of faces (B, 3, S, S) in [0, 1] -> (B, outputs), standardised over training faces: how the head is held, HELD
    numbers by geometry alone, and what the face does, linear in what the points have beyond the rigid head (layers that see the
    picture's features, too, read people they were never taught less exactly), but for SEEN ones, by a network of their own.

    outputs: numbers in all; widths: of the stem and of each stage at half the side of the one before; size: S.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...], size: int):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 5, 2, 2)
        self.stages = nn.ModuleList(Stage(a, b) for a, b in zip(widths, widths[1:]))
        finer, width = [], widths[-1]
        for skipped in widths[-2:0:-1]:
            finer.append(Finer(width, skipped, max(LEAST_MAP_WIDTH, skipped)))
            width = max(LEAST_MAP_WIDTH, skipped)
        self.finer, self.maps = nn.ModuleList(finer), nn.Conv2d(width, POINTS, 1)
        self.expression = nn.Linear(2 * POINTS, outputs - HELD)
        self.mouth = PlainEncoder(len(SEEN), widths, size, keep_layout=True)
        # The training faces: their mean shape (face_pose.py), and how their numbers are standardised.
        shape = rough_shape()
        self.register_buffer("shape", torch.from_numpy((shape - shape[FITTED].mean(0)) / shape.std()).float())
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("spread", torch.ones(outputs))

    def adopt(self, shape: torch.Tensor, centre: torch.Tensor, spread: torch.Tensor) -> None:
        """Measure by this mean face (68, 3), around the middle of its FITTED points, and standardise by these, both
        (outputs,), from now on."""
        self.shape.copy_(shape), self.centre.copy_(centre), self.spread.copy_(spread)

    def measured(self, numbers: torch.Tensor) -> torch.Tensor:
        """Numbers (B, outputs) as they were before they were standardised: places in sides of the crop from its middle, the
        logarithm of one unit of the mean face in sides, angles in radians, expressions in units of the mean face."""
        return numbers * self.spread + self.centre

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.looked(views)[0]

    def looked(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The numbers (B, outputs), and what they are read off: the points (B, 68, 2), x and y in half sides from the middle
        of the view, and the spread of each one's map (B, 68), the mean squared distance from it in half sides.

        A point is the mean place under its map's softmax (integral regression, Sun et al. 2018).
        """
        x = F.silu(self.stem(views - 0.5))
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        for finer, skipped in zip(self.finer, skips[-2::-1]):
            x = finer(x, skipped)
        points, spread = centres(self.maps(x).float())
        held, own = self._held(points)
        numbers = (held.numbers() - self.centre[:HELD]) / self.spread[:HELD]
        expression = self.expression((OWN_SCALE * own.flatten(1)).to(x))
        numbers = torch.cat((numbers.to(expression), expression), 1)
        seen = torch.tensor([NAMES.index(name) for name in SEEN], device=numbers.device)
        return without_grins(numbers.index_copy(1, seen, self.mouth(views).to(numbers))), points, spread

    def _held(self, points: torch.Tensor) -> tuple[Held, torch.Tensor]:
        crop = (FACE_VIEW * points + 1) / 2
        held = fit_held(crop[:, FITTED], self.shape[FITTED])
        return held, held.own(crop, self.shape)


def without_grins(numbers: torch.Tensor) -> torch.Tensor:
    """Standardised numbers (B, outputs), the OPENED ones less GRIN of the mouth's width."""
    off = torch.zeros(numbers.shape[1], device=numbers.device, dtype=numbers.dtype)
    off[[NAMES.index(name) for name in OPENED]] = GRIN
    return numbers - off * numbers[:, NAMES.index("mouth width"), None]


def centres(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean places (B, P, 2) and mean squared distances from them (B, P) under the softmax of maps (B, P, h, h), in half
    sides."""
    side = maps.shape[-1]
    shares = maps.flatten(2).softmax(2).unflatten(2, maps.shape[2:])
    axis = (torch.arange(side, device=maps.device, dtype=maps.dtype) * 2 + 1) / side - 1
    along = shares.sum(2), shares.sum(3)  # over x, over y: a mean and a variance need no more
    points = torch.stack([(part * axis).sum(2) for part in along], 2)
    spread = sum((part * (axis - points[..., k : k + 1]).square()).sum(2) for k, part in enumerate(along))
    return points, spread
