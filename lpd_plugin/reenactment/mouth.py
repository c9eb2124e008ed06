"""Lips that part instead of being drawn out: the inside of a mouth that a person's pictures show closed.

A painter moves pixels, and a mouth opens by moving the lower lip down. Where no picture shows what lies between, its smooth
motion draws the lips themselves out, like a tongue. Here each lip keeps its thickness, measured from its outer edge, and what is
left between them is the inside: what the picture shows of it, and in its middle, where that is next to nothing, the dark of a
mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .edges import Frame, box_of, heights_of, interpolated, places_in, seen, smooth, where_to

# Points of a face in 300-W's order: both edges of both lips, from the corner of the mouth on the left to that on the right.
UPPER_OUTER, LOWER_OUTER = [48, 49, 50, 51, 52, 53, 54], [48, 59, 58, 57, 56, 55, 54]
UPPER_INNER, LOWER_INNER = [48, 60, 61, 62, 63, 64, 54], [48, 60, 67, 66, 65, 64, 54]
NOSE = [27, 33]  # its root and its base: what lies between keeps its length whatever a mouth does
COLUMNS = 33  # places along a mouth
SHOWN, HIDDEN = 1.25, 2.0  # times its height: an inside that is drawn out by less is all the picture's; by more, its middle is dark
DARK = 0.28  # of the lips' colour
SOFT, DEEP = 1.5, 6.0  # pixels in which an inside begins, and in which it gets all dark
RIM = 0.7  # how dark it is where it has begun
BEGINS = 2.0  # pixels between the lips, from which on all of this counts fully


@dataclass(frozen=True)
class Mouths:
    """Of some pictures, K: the edges of their lips and what belongs to them, in half sides from the middle.

    edges (K, 4, COLUMNS, 2): outer edge of the upper lip, inner ones of both, outer edge of the lower lip, each from left to right
    and at the same places along the mouth; nose (K, 2, 2); colour (K, 3): of the lips, in [0, 1]; seen (K,), in [0, 1]:
    how surely the mouth is there.
    """

    edges: torch.Tensor
    nose: torch.Tensor
    colour: torch.Tensor
    seen: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> "Mouths":
        return Mouths(self.edges[rows], self.nose[rows], self.colour[rows], self.seen[rows])


def mouths_of(pictures: torch.Tensor, points: torch.Tensor, missed: torch.Tensor) -> Mouths:
    """Pictures (K, 3, S, S) in [0, 1], the points of their faces (K, 68, 2), in half sides from the middle, and by how much each
    may be missed (K, 68)."""
    left, right = points[:, 48], points[:, 54]
    frame = Frame.between(left, right)
    along = torch.linspace(0, 1, COLUMNS, device=points.device) * (right - left).norm(dim=1, keepdim=True)
    heights = []
    for line in (UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER):
        heights.append(smooth(heights_of(points, line, frame, along)))
    heights = torch.stack(heights, 1).cummax(1).values  # an edge never lies above the one before
    edges = frame.outside(torch.stack((along[:, None].expand_as(heights), heights), 3).flatten(1, 2)).unflatten(1, (4, COLUMNS))
    lips = torch.cat(((edges[:, 0] + edges[:, 1]) / 2, (edges[:, 2] + edges[:, 3]) / 2), 1)
    colour = F.grid_sample(pictures, lips[:, None], padding_mode="border", align_corners=False)[:, :, 0].median(2).values
    return Mouths(edges, points[:, NOSE], colour, seen(missed[:, 48:]))


def with_parted_lips(moved: torch.Tensor, reference: torch.Tensor, motion: torch.Tensor, mouths: Mouths) -> torch.Tensor:
    """What a painter moved (B, 4, S, S), premultiplied, with lips that keep their thickness.

    reference (B, 4, S, S): what it moved; motion (B, 2, h, h) in half sides; mouths: of the references.
    """
    went = where_to(torch.cat((mouths.edges[:, 0], mouths.edges[:, 3], mouths.nose), 1), motion)
    top, bottom, nose = went.split([COLUMNS, COLUMNS, 2], 1)
    scale = (_length(nose) / _length(mouths.nose).clamp_min(1e-3)).clamp(0.5, 2)[:, None]
    opened = _opened(top, bottom) - scale * _opened(mouths.edges[:, 0], mouths.edges[:, 3])
    if opened.amax() < 0.05 * 2 / moved.shape[-1]:  # pixels
        return moved
    rows, columns = box_of(torch.cat((top, bottom), 1), moved.shape[-1])
    places = places_in(moved.shape[-1], (rows, columns), moved)
    look, inside, counts = _looks(places, top, bottom, mouths.edges, scale, 2 / moved.shape[-1])
    picture = F.grid_sample(reference, look[:, None], padding_mode="border", align_corners=False)[:, :, 0]
    dark = torch.cat((DARK * mouths.colour, torch.ones_like(mouths.colour[:, :1])), 1)[..., None]
    picture = torch.lerp(picture, dark * picture[:, 3:], inside[:, None])
    parted, before = moved.clone(), moved[:, :, rows, columns]
    shape, counts = before.shape[2:], counts * mouths.seen[:, None]
    parted[:, :, rows, columns] = torch.lerp(before, picture.unflatten(2, shape), counts[:, None].unflatten(2, shape))
    return parted


def _looks(
    places: torch.Tensor, top: torch.Tensor, bottom: torch.Tensor, edges: torch.Tensor, scale: torch.Tensor, pixel: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For places (B, N, 2) of a painted picture: where in its reference to look (B, N, 2), how much of it is the dark inside of a
    mouth, and how much any of this counts, both (B, N) in [0, 1].

    top, bottom (B, COLUMNS, 2): where the outer edges of the lips went; edges: of the reference; scale (B, 1): of the face.
    """
    now, then = Frame.between(top[:, 0], top[:, -1]), Frame.between(edges[:, 0, 0], edges[:, 0, -1])
    x, y = now.inside(places).unbind(2)
    columns = torch.linspace(0, 1, COLUMNS, device=places.device).expand(len(places), -1)
    lines = [now.inside(line) for line in (top, bottom)]
    ends = [interpolated(x, line[..., 0], torch.stack((line[..., 1], columns), 2)) for line in lines]
    (above, left), (below, right) = (end.unbind(2) for end in ends)
    height = (below - above).clamp_min(1e-6)
    down = (y - above).clamp_min(0).minimum(height)

    known = then.inside(edges.flatten(1, 2)).unflatten(1, (4, COLUMNS))
    known = torch.cat((known[..., 1].mT, known[:, 0, :, :1]), 2)
    upper, inner, lower, end, along = interpolated(torch.lerp(left, right, down / height), columns, known).unbind(2)
    lip, gap, other = (inner - upper) * scale, (lower - inner) * scale, (end - lower) * scale
    between = (height - lip - other).clamp_min(1e-6)
    into, out = down - lip, height - other - down  # of the inside, from either lip
    drawn_out = ((between / (gap + pixel) - SHOWN) / (HIDDEN - SHOWN)).clamp(0, 1)
    stretched = torch.lerp(inner, lower, (into / between).clamp(0, 1))
    # Teeth stay with their lip: each half of what the picture shows keeps its height.
    kept = torch.where(into < out, inner + into.minimum(gap / 2) / scale, lower - out.minimum(gap / 2) / scale)
    look = torch.lerp(stretched, kept, drawn_out)
    look = torch.where(into < 0, upper + down / scale, torch.where(out < 0, end - (height - down) / scale, look))

    deep = (into.minimum(out) - gap / 2) / pixel
    inside = drawn_out * (RIM * (deep / SOFT).clamp(0, 1) + (1 - RIM) * (deep / DEEP).clamp(0, 1))
    within = (y >= above) & (y <= below) & (x >= 0) & (x <= lines[0][:, -1:, 0])
    counts = within * ((height - (end - upper) * scale) / (BEGINS * pixel)).clamp(0, 1)
    return then.outside(torch.stack((along, look), 2)), inside, counts


def _opened(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """How far outer edges of lips (B, COLUMNS, 2) are apart, at each column: (B, COLUMNS)."""
    return (below - above).norm(dim=2)


def _length(ends: torch.Tensor) -> torch.Tensor:
    return (ends[:, 1] - ends[:, 0]).norm(dim=1)
