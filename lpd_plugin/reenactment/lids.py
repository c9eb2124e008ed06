"""Lids that close over an eye: eyes that a person's pictures show open, where the driver's are shut.

A painter moves pixels, and moves lids a little: what is between them is an eye, and stays one. Here the upper lid comes down over
it: the skin between it and the crease below the brow is drawn out, lashes stay with the lid, the eye stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..networks.model import ReenactmentModel
from .edges import Frame, box_of, heights_of, interpolated, places_in, seen, smooth, where_to
from .rest import WIDE

# Points of a face in 300-W's order: upper lid and lower lid, from the corner on the left to that on the right, and the brow above.
EYES = (
    ([36, 37, 38, 39], [36, 41, 40, 39], [17, 18, 19, 20, 21]),
    ([42, 43, 44, 45], [42, 47, 46, 45], [22, 23, 24, 25, 26]),
)
COLUMNS = 17  # places along an eye
MIDDLE = slice(COLUMNS // 4, -COLUMNS // 4)  # of an eye, where it is open
CREASE = 0.6  # of the way from the lid to the brow: so far up skin is drawn out
LEAST = 0.02  # of an eye's width: lids have at least so much skin
USUAL = 0.7  # quantile over the pictures that a person's eyes are usually open by
# Shares of that by which the points of lids are apart that are shut, and of eyes that are open: points of shut lids do not meet.
MEETING, APART = 0.45, 0.75
# So many of the face reader's spreads below open eyes others begin to close, and are shut. Of training people what lies nearer is
# open to a landmarker, whatever their eyes look like, and what lies further shut (docs/weights.md).
CLOSES, SHUT = 0.75, 2.75
ALIKE = 0.25  # share by which differences of eyes that are open, or shut, count
LASHES, RIM = 1.0, 1.2  # pixels: so much below its points an upper lid ends, with its lashes, and a lower one begins
CLOSING = 0.99  # shares of an eye's opening from which on nothing is closed


@dataclass(frozen=True)
class Lids:
    """Of some pictures, K: edges (K, 2, 3, COLUMNS, 2) of the eyes on the left and on the right, crease, upper lid and lower lid,
    each from left to right and at the same places along the eye, in half sides from the middle; seen (K,), in [0, 1]: how surely
    the eyes are there; usual: how far the person's eyes are open where they are not shut, in units of the mean face."""

    edges: torch.Tensor
    seen: torch.Tensor
    usual: float

    def __getitem__(self, rows: torch.Tensor) -> "Lids":
        return Lids(self.edges[rows], self.seen[rows], self.usual)


def lids_of(points: torch.Tensor, missed: torch.Tensor, unit: torch.Tensor) -> Lids:
    """The points of faces (K, 68, 2), in half sides from the middle, by how much each may be missed (K, 68), and one unit of the
    mean face in each picture, in half sides, (K,)."""
    edges = torch.stack([_edges(points, *lines) for lines in EYES], 1)
    return Lids(edges, seen(missed[:, 36:48]), float(_opened(edges, unit).quantile(USUAL)))


def wanted_open(poses: torch.Tensor, model: ReenactmentModel) -> torch.Tensor:
    """How far eyes are open in poses (B, descriptor_size), of how far they are when they are: (B,) in [0, 1].
    1 for weights without a bank of poses, which say nothing of how far eyes open."""
    if not len(model.pose_bank):
        return torch.ones(len(poses), device=poses.device)
    return left_open(below_open(poses, model))


def below_open(poses: torch.Tensor, model: ReenactmentModel) -> torch.Tensor:
    """How far below people's open eyes those of poses (B, descriptor_size) read, in the face reader's spreads: (B,)."""
    column = model.columns_of(["eyes open"])[0]
    return model.pose_bank[:, column].float().quantile(WIDE) - poses[:, column].float()


def left_open(below: torch.Tensor) -> torch.Tensor:
    """How far eyes are open that read so far below open ones, of how far they are when they are: in [0, 1]."""
    return ((SHUT - below) / (SHUT - CLOSES)).clamp(0, 1)


def as_open(below: torch.Tensor) -> torch.Tensor:
    """What tells apart eyes that read so far below open ones: differences of open eyes, and of shut ones, count less."""
    between = below.clamp(CLOSES, SHUT)
    return -torch.lerp(between, below, ALIKE)


def with_closed_lids(
    moved: torch.Tensor, reference: torch.Tensor, motion: torch.Tensor, lids: Lids, wanted: torch.Tensor, unit: torch.Tensor
) -> torch.Tensor:
    """What a painter moved (B, 4, S, S), premultiplied, with lids that are as far apart as wanted, or less.

    reference (B, 4, S, S): what it moved; motion (B, 2, h, h) in half sides; lids: of the references; wanted (B,): how far eyes
    are wanted open, see `wanted_open`; unit (B,): one unit of the mean face, in half sides.
    """
    went = where_to(lids.edges.flatten(1, 3), motion).unflatten(1, lids.edges.shape[1:4])
    now = ((_opened(went, unit) / lids.usual - MEETING) / (APART - MEETING)).clamp(0, 1)
    left = ((wanted + 1e-4) / (now + 1e-4)).clamp(0, 1)  # of the eye's opening
    if left.amin() > CLOSING:
        return moved
    closed = moved.clone()
    for crease, upper, lower in (eye.unbind(1) for eye in went.unbind(1)):
        rows, columns = box_of(torch.cat((crease, lower), 1), moved.shape[-1])
        places = places_in(moved.shape[-1], (rows, columns), moved)
        look, covered = _looks(places, (crease, upper, lower), left[:, None], 2 / moved.shape[-1])
        look = look + F.grid_sample(motion, look[:, None], padding_mode="border", align_corners=False)[:, :, 0].mT
        skin = F.grid_sample(reference, look[:, None], padding_mode="border", align_corners=False)[:, :, 0]
        before = closed[:, :, rows, columns].clone()
        covered = covered * (lids.seen * (left < CLOSING))[:, None]
        shape = before.shape[2:]
        closed[:, :, rows, columns] = torch.lerp(before, skin.unflatten(2, shape), covered[:, None].unflatten(2, shape))
    return closed


def _edges(points: torch.Tensor, upper: list[int], lower: list[int], brow: list[int]) -> torch.Tensor:
    """Crease, upper lid and lower lid of an eye, (K, 3, COLUMNS, 2)."""
    left, right = points[:, upper[0]], points[:, upper[-1]]
    frame, width = Frame.between(left, right), (right - left).norm(dim=1, keepdim=True)
    along = torch.linspace(0, 1, COLUMNS, device=points.device) * width
    above, below = (smooth(heights_of(points, line, frame, along)) for line in (upper, lower))
    crease = torch.lerp(above, heights_of(points, brow, frame, along), CREASE).minimum(above - LEAST * width)
    heights = torch.stack((crease, above, below.maximum(above)), 1)
    return frame.outside(torch.stack((along[:, None].expand_as(heights), heights), 3).flatten(1, 2)).unflatten(1, (3, COLUMNS))


def _opened(edges: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """How far lids (B, 2, 3, COLUMNS, 2) are open, the mean of both eyes, in units of the mean face: (B,)."""
    return (edges[:, :, 2] - edges[:, :, 1])[:, :, MIDDLE].norm(dim=3).mean((1, 2)) / unit


def _looks(
    places: torch.Tensor, edges: tuple[torch.Tensor, ...], left: torch.Tensor, pixel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """For places (B, N, 2) of a picture that a painter moved: where in it the skin lies that comes down to them (B, N, 2), and how
    much of each it covers, (B, N) in [0, 1]; edges (B, COLUMNS, 2): crease, upper lid and lower lid; left (B, 1): of the eye's
    opening."""
    frame = Frame.between(edges[1][:, 0], edges[1][:, -1])
    x, y = frame.inside(places).unbind(2)
    lines = [frame.inside(edge) for edge in edges]
    crease, upper, lower = (interpolated(x, line[..., 0], line[..., 1:])[..., 0] for line in lines)
    upper, lower = upper + LASHES * pixel, lower + RIM * pixel
    edge = lower - left * (lower - upper)
    skin = crease + (y - crease) * (upper - crease) / (edge - crease).clamp_min(1e-6)
    within = (y >= crease) & (x >= 0) & (x <= lines[1][:, -1:, 0])
    return frame.outside(torch.stack((x, skin), 2)), within * ((edge - y) / pixel + 0.5).clamp(0, 1)
