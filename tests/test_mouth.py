"""Lips part: a mouth that opens further than in any picture of the person shows an inside, and no lips drawn out like a tongue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lpd_plugin.networks.face_reader import OPENED
from lpd_plugin.networks.painter import moved_by
from lpd_plugin.reenactment import painting as painting_module
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.mouth import (
    DARK,
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Mouths,
    mouths_of,
    with_parted_lips,
)
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.reenactment.response import Response
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_model

SIDE = 256
LIP = 10  # pixels: how thick a drawn lip is, in its middle
HALF_WIDTH = 30
LIPS, TEETH, SKIN = (0.7, 0.3, 0.3), (0.9, 0.9, 0.8), (0.8, 0.6, 0.5)


def at(x: float, y: float) -> list[float]:
    """Pixels from the middle of the picture, in half sides."""
    return [2 * x / SIDE, 2 * y / SIDE]


def drawn_face(gap: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A mouth in the middle of a picture, lips `gap` pixels apart with teeth between: (1, 4, S, S) and its points (1, 68, 2)."""
    points = torch.zeros(1, 68, 2)
    heights = (-LIP - gap / 2, -gap / 2, gap / 2, LIP + gap / 2)
    for rows, height in zip((UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER), heights):
        for row, x in zip(rows, np.linspace(-1, 1, 7)):
            points[0, row] = torch.tensor(at(x * HALF_WIDTH, height * (1 - x * x)))
    points[0, 27], points[0, 33] = torch.tensor(at(0, -60)), torch.tensor(at(0, -25))
    axis = torch.arange(SIDE) + 0.5 - SIDE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    bow = (1 - (x / HALF_WIDTH).square()).clamp_min(0)
    picture = torch.tensor(SKIN)[:, None, None].expand(3, SIDE, SIDE)
    picture = torch.where(y.abs() < (LIP + gap / 2) * bow, torch.tensor(LIPS)[:, None, None], picture)
    picture = torch.where(y.abs() < gap / 2 * bow, torch.tensor(TEETH)[:, None, None], picture)
    return torch.cat((picture, torch.ones(1, SIDE, SIDE)))[None], points


def drawn_mouths(reference: torch.Tensor, points: torch.Tensor, missed: float = 0.05) -> Mouths:
    return mouths_of(reference[:, :3], points, torch.full((1, 68), missed))


def opening(drawn_out: float, gap: float, turn: float = 0.0) -> torch.Tensor:
    """The motion of a mouth that is drawn out so many times, and of a chin that follows; the face above it stays. All turned."""
    axis = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1).double()
    there = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), 2)
    back = torch.tensor([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    upright = there @ back
    half = 2 * (LIP + gap / 2) / SIDE * (1 - (upright[..., 0] * SIDE / 2 / HALF_WIDTH).square()).clamp_min(0)
    top, height = -half, 2 * half * drawn_out
    y = upright[..., 1]
    inside = top + (y - top) / drawn_out
    looked = torch.where(y < top, y, torch.where(y < top + height, inside, y - height + 2 * half))
    places = torch.stack((upright[..., 0], looked), 2)
    return (places - there).permute(2, 0, 1)[None].float()


def column(picture: torch.Tensor, x: int = 0) -> np.ndarray:
    """One column of pixels (S, 3), x pixels from the middle."""
    return picture[0, :3, :, SIDE // 2 + x].mT.numpy()


DARKNESS = tuple(DARK * c for c in LIPS)


def count(pixels: np.ndarray, colour: tuple[float, ...], within: float = 0.08) -> int:
    return int((np.abs(pixels - colour).max(1) < within).sum())


@pytest.mark.parametrize("drawn_out", [2.0, 3.0])
@pytest.mark.parametrize("x", [0, 12, -12])
def test_closed_lips_keep_their_thickness_and_the_rest_of_the_opening_is_dark(drawn_out, x):
    reference, points = drawn_face(gap=0)
    motion = opening(drawn_out, gap=0)
    parted = with_parted_lips(moved_by(reference, motion), reference, motion, drawn_mouths(reference, points))
    lips = 2 * LIP * (1 - (x / HALF_WIDTH) ** 2)
    pixels = column(parted, x)
    assert abs(count(pixels, LIPS) - lips) <= 4  # their inner edges are soft
    assert abs(count(pixels, DARKNESS, within=0.2) - lips * (drawn_out - 1)) <= 5
    assert np.ptp(np.flatnonzero(pixels[:, 0] < 0.4)) <= lips * (drawn_out - 1) + 1, "one inside, in one piece"
    assert pixels[:, 0].min() == pytest.approx(DARKNESS[0], abs=0.03), "darkest in its middle"


def test_teeth_stay_with_their_lip_and_are_not_drawn_out():
    reference, points = drawn_face(gap=8)
    motion = opening(3.0, gap=8)
    before = moved_by(reference, motion)
    pixels = column(with_parted_lips(before, reference, motion, drawn_mouths(reference, points)))
    assert abs(count(column(before), TEETH) - 24) <= 2
    assert abs(count(pixels, TEETH) - 8) <= 3
    assert count(pixels[: SIDE // 2], TEETH) >= 2 and count(pixels[SIDE // 2 :], TEETH) >= 2


def test_a_little_more_of_an_open_mouth_is_the_pictures_own_inside():
    reference, points = drawn_face(gap=16)
    motion = opening(1.1, gap=16)
    pixels = column(with_parted_lips(moved_by(reference, motion), reference, motion, drawn_mouths(reference, points)))
    assert count(pixels, DARKNESS, within=0.2) == 0
    assert abs(count(pixels, TEETH) - (1.1 * 36 - 20)) <= 2


@pytest.mark.parametrize("drawn_out", [1.0, 0.6])
def test_a_mouth_that_does_not_open_further_stays_as_it_was_moved(drawn_out):
    reference, points = drawn_face(gap=6)
    motion = opening(drawn_out, gap=6)
    moved = moved_by(reference, motion)
    assert torch.allclose(with_parted_lips(moved, reference, motion, drawn_mouths(reference, points)), moved, atol=0.02)


def test_a_mouth_behind_a_hand_is_no_mouth_to_open():
    """Where points are guessed, dark would be painted on whatever is in front of the mouth."""
    reference, points = drawn_face(gap=0)
    motion = opening(3.0, gap=0)
    moved = moved_by(reference, motion)
    mouths = [drawn_mouths(reference, points, missed) for missed in (0.09, 0.1, 0.12)]
    sure, half, guessed = (with_parted_lips(moved, reference, motion, one) for one in mouths)
    assert torch.equal(guessed, moved)
    assert (sure - moved).abs().max() > 0.3
    assert torch.allclose(half, (sure + moved) / 2, atol=1e-3)


def test_a_tilted_head_opens_its_mouth_as_an_upright_one():
    reference, points = drawn_face(gap=0)
    mouths = drawn_mouths(reference, points)
    upright, tilted = (opening(2.5, 0, turn) for turn in (0.0, 0.5))
    straight = with_parted_lips(moved_by(reference, upright), reference, upright, mouths)
    askew = with_parted_lips(moved_by(reference, tilted), reference, tilted, mouths)
    back = torch.tensor([[[np.cos(0.5), -np.sin(0.5), 0.0], [np.sin(0.5), np.cos(0.5), 0.0]]]).float()
    again = F.grid_sample(askew, F.affine_grid(back, list(askew.shape), align_corners=False), align_corners=False)
    middle = np.s_[:, :, 64:192, 64:192]
    assert (again[middle] - straight[middle]).abs().mean() < 0.01
    assert (moved_by(reference, upright)[middle] - straight[middle]).abs().mean() > 0.012


@pytest.mark.parametrize("gap", [1, 8])
def test_an_inside_grows_without_a_jump(gap):
    reference, points = drawn_face(gap)
    mouths = drawn_mouths(reference, points)
    motions = [opening(drawn_out, gap) for drawn_out in np.linspace(0.9, 2.5, 81)]
    pictures = [with_parted_lips(moved_by(reference, motion), reference, motion, mouths) for motion in motions]
    changes = [float((later - sooner).abs().sum()) for sooner, later in zip(pictures, pictures[1:])]
    assert max(changes) < 1.4 * np.mean(changes)


def test_lips_that_were_moved_unevenly_get_their_thickness_little_by_little_as_the_mouth_begins_to_open():
    """A painter moves the line between lips as it likes; where a mouth opens by a hair it must not leap to where lips have it."""
    gap = 8
    reference, points = drawn_face(gap)
    mouths = drawn_mouths(reference, points)
    axis = (torch.arange(SIDE) + 0.5 - SIDE / 2) / (LIP + gap / 2)
    uneven = 2 * 3 / SIDE * (1 - axis.square()).clamp_min(0)[:, None] * (1 - (axis / 2).square()).clamp_min(0)
    heights = np.linspace(-0.5, 3, 71)  # pixels by which the mouth opens
    changes, before = [], None
    for height in heights:
        motion = opening(1 + height / (2 * LIP + gap), gap)
        motion[:, 1] += uneven
        moved = moved_by(reference, motion)
        difference = with_parted_lips(moved, reference, motion, mouths) - moved
        changes.append(0.0 if before is None else float((difference - before).abs().sum()))
        before = difference
    assert before.abs().amax() > 0.1 and max(changes) < 0.1 * sum(changes)


@pytest.fixture(scope="module")
def closed(carphone):
    """The man with his mouth closed, as he was filmed."""
    frames = list(open_clip(carphone).frames())
    return np.stack([crop_square(frames[k].rgb(), CropBox(30, 5, 110), 256) for k in range(0, 40, 4)])


def test_a_man_who_was_filmed_with_his_mouth_closed_opens_it(closed, monkeypatch):
    """Looked at on the painted head: the opening is dark, where the lips themselves were drawn out."""
    model = load_model()
    identity = replace(encode_identity(model, closed), response=Response())
    painting = Painting(identity, model, model.generator)
    pose = painting.descriptors[:1].clone()
    pose[:, model.columns_of(OPENED)] = 2.0

    def dark_share() -> float:
        """How much of a line across the lips, from edge to edge, is darker than half of the brightest on it."""
        with torch.inference_mode():
            rgb, _ = painting(identity.embedding[None], pose)
            points = model.pose_encoder.face_points(rgb)[0][0]
            line = torch.lerp(points[51], points[57], torch.linspace(0, 1, 60)[:, None])
            seen = F.grid_sample(rgb, line[None, None], align_corners=False)[0, :, 0].mean(0)
        return float((seen < seen.max() / 2).float().mean())

    inside = dark_share()
    monkeypatch.setattr(painting_module, "with_parted_lips", lambda moved, *others: moved)
    assert inside > 0.2 and inside > 1.2 * dark_share()
