"""Lids close: a person whose pictures show open eyes shuts them where the driver does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.model import ReenactmentModel
from lpd_plugin.reenactment import painting as painting_module
from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.reenactment.edges import where_to
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.lids import EYES, Lids, lids_of, wanted_open, with_closed_lids
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

SIDE, UNIT = 256, 0.22  # half sides to a unit of the mean face
APART, HALF_WIDTH, HALF_GAP, BROW = 40, 16, 6, -30  # pixels: from the nose, of a drawn eye, to its brow
LASH, WHITE, IRIS, SKIN, HAIR = (0.1, 0.1, 0.1), (0.9, 0.9, 0.9), (0.2, 0.4, 0.8), (0.8, 0.6, 0.5), (0.3, 0.2, 0.1)


def drawn_face(turn: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two eyes, lashes on their upper lids, below brows, all turned about the picture's middle: (1, 4, S, S) and its points
    (1, 68, 2)."""
    around = torch.tensor([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]).float()
    points, axis = torch.zeros(1, 68, 2), torch.arange(SIDE) + 0.5 - SIDE / 2
    there = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), 2) @ around.T
    picture = torch.tensor(SKIN)[:, None, None].expand(3, SIDE, SIDE)
    for side, (upper, lower, brow) in zip((-1, 1), EYES):
        x, y = there[..., 0] - side * APART, there[..., 1]
        bow = HALF_GAP * (1 - (x / HALF_WIDTH).square()).clamp_min(0)
        layers = (((x.abs() < HALF_WIDTH) & ((y - BROW).abs() < 2), HAIR), (y.abs() < bow, WHITE),
                  ((y.abs() < bow) & (x.abs() < 5), IRIS), ((y < 1.5 - bow) & (y > -bow) & (bow > 2), LASH))  # fmt: skip
        for where, colour in layers:
            picture = torch.where(where, torch.tensor(colour)[:, None, None], picture)
        for line, bend in ((upper, -HALF_GAP), (lower, HALF_GAP)):
            for row, at in zip(line, np.linspace(-1, 1, 4)):
                points[0, row] = torch.tensor([side * APART + at * HALF_WIDTH, bend * (1 - at * at)])
        for row, at in zip(brow, np.linspace(-1, 1, 5)):
            points[0, row] = torch.tensor([side * APART + at * HALF_WIDTH, BROW])
    return torch.cat((picture, torch.ones(1, SIDE, SIDE)))[None], points @ around * 2 / SIDE


def closed(wanted: float, turn: float = 0.0, missed: float = 0.05) -> torch.Tensor:
    """The drawn face, where it is, with eyes wanted so far open, of how far they are: (4, S, S)."""
    reference, points = drawn_face(turn)
    unit = torch.tensor([UNIT])
    lids = lids_of(points, torch.full((1, 68), missed), unit)
    still = torch.zeros(1, 2, 64, 64)
    return with_closed_lids(reference.clone(), reference, still, lids, torch.tensor([wanted]).float(), unit)[0]


def column(picture: torch.Tensor, x: int) -> np.ndarray:
    """Colours (S, 3) down a picture, at so many pixels from its middle."""
    return picture[:3, :, SIDE // 2 + x].T.numpy()


def like(colours: np.ndarray, colour: tuple[float, ...]) -> np.ndarray:
    return np.abs(colours - colour).max(1) < 0.15


@pytest.mark.parametrize("drawn_out", [0.1, 0.5])
def test_where_an_edge_went_is_found_within_a_tenth_of_a_pixel_however_far_it_is_drawn_out(drawn_out):
    axis = (torch.arange(64) * 2 + 1) / 64 - 1
    waves = drawn_out / 3 * (3 * axis).sin()  # slopes of `drawn_out` at most
    motion = torch.stack((waves.expand(64, 64), waves[:, None].expand(64, 64)))[None]
    places = torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    found = where_to(places, motion)
    came_from = found + F.grid_sample(motion, found[:, None], padding_mode="border", align_corners=False)[:, :, 0].mT
    assert (came_from - places).abs().max() < 0.1 * 2 / SIDE and (found - places).abs().max() > drawn_out / 6


@pytest.mark.parametrize("eye", [-APART, APART])
def test_a_shut_eye_is_skin_down_to_its_lashes_and_its_brow_stays(eye):
    before, after = (column(picture, eye) for picture in (drawn_face()[0][0], closed(0.0)))
    assert like(before, IRIS).sum() >= 9 and like(after, IRIS).sum() <= 1
    lashes = np.flatnonzero(after[:, 0] < 0.45)
    lashes = lashes[lashes > SIDE // 2 + BROW + 5]
    assert len(lashes) >= 1 and abs(lashes.mean() - (SIDE / 2 + HALF_GAP)) < 2, "lashes lie where the lower lid is"
    between = after[SIDE // 2 - HALF_GAP : SIDE // 2 + HALF_GAP - 3]
    assert like(between, SKIN).all()
    far = np.r_[: SIDE // 2 + BROW + 3, SIDE // 2 + HALF_GAP + 3 : SIDE]
    assert np.allclose(after[far], before[far], atol=1e-3)


def test_an_eye_that_closes_by_half_is_covered_from_above_and_stays_where_it_is():
    before, after = (column(picture, APART) for picture in (drawn_face()[0][0], closed(0.6)))
    lower = slice(SIDE // 2 + 3, SIDE // 2 + HALF_GAP + 4)
    assert np.allclose(after[lower], before[lower], atol=1e-3)
    upper = slice(SIDE // 2 - HALF_GAP, SIDE // 2 - 3)
    assert like(before[upper], IRIS).any() and not like(after[upper], IRIS).any()


def test_the_further_an_eye_is_to_close_the_less_of_it_is_seen_and_nothing_comes_at_once():
    seen, pictures = [], [closed(share) for share in np.linspace(1, 0, 31)]
    for picture in pictures:
        seen.append(int(like(column(picture, APART), IRIS).sum()))
    assert all(a >= b for a, b in zip(seen, seen[1:])) and seen[0] >= 9 and seen[-1] <= 1
    changes = [float((b - a).abs().mean()) for a, b in zip(pictures, pictures[1:])]
    assert max(changes) < 5 * np.mean(changes)


@pytest.mark.parametrize("turn", [-0.4, 0.4])
def test_eyes_of_a_tilted_head_close_along_their_own_lids(turn):
    upright, tilted = closed(0.0), closed(0.0, turn)
    for side in (-1, 1):
        there = SIDE / 2 + side * APART * np.array([np.cos(turn), np.sin(turn)])
        assert like(tilted[:3, int(there[1]), int(there[0])].numpy()[None], SKIN).all()
    iris = [like(picture[:3].flatten(1).T.numpy(), IRIS).sum() for picture in (upright, tilted, drawn_face(turn)[0][0])]
    assert max(iris[:2]) < 10 and iris[2] > 150


@pytest.mark.parametrize(("wanted", "missed"), [(1.0, 0.05), (0.0, 0.2)])
def test_eyes_as_open_as_wanted_and_eyes_behind_a_hand_are_left_alone(wanted, missed):
    assert torch.equal(closed(wanted, missed=missed), drawn_face()[0][0])


@pytest.mark.parametrize(("share", "wanted"), [(0.4, 0.0), (0.5, 0.17), (0.6, 0.5), (0.7, 0.84), (0.8, 1.0)])
def test_eyes_that_a_picture_shows_nearly_shut_are_left_alone_where_that_is_wanted(share, wanted):
    """Points of shut lids lie apart: that is no reason to shut them further."""
    reference, points = drawn_face()
    unit, still = torch.tensor([UNIT]), torch.zeros(1, 2, 64, 64)
    lids = lids_of(points, torch.full((1, 68), 0.05), unit)
    of_wide_eyes = Lids(lids.edges, lids.seen, usual=lids.usual / share)
    assert torch.equal(with_closed_lids(reference.clone(), reference, still, of_wide_eyes, torch.tensor([wanted]), unit), reference)


def test_narrow_eyes_are_open_and_only_what_people_hardly_ever_read_is_shut():
    """Of people's eyes that are open some read narrower than others by a spread and more."""
    model = load_model()
    bank, column = model.pose_bank.float(), model.columns_of(["eyes open"])[0]
    poses = bank[:1].repeat(61, 1)
    poses[:, column] = bank[:, column].quantile(0.9) + torch.linspace(1, -5, 61)
    wanted = wanted_open(poses, model)
    assert (wanted[:18] == 1).all() and (wanted[38:] == 0).all() and (wanted[18:37].diff() < 0).all()
    assert 0.4 < float((wanted_open(bank, model) == 1).float().mean()) < 0.9
    assert 0.01 < float((wanted_open(bank, model) == 0).float().mean()) < 0.15


def test_weights_without_a_bank_of_poses_shut_no_eyes():
    untaught = ReenactmentModel(configuration("compact"))
    assert not len(untaught.pose_bank)
    assert torch.equal(wanted_open(torch.full((3, untaught.configuration.descriptor_size), -9.0), untaught), torch.ones(3))


def test_a_man_filmed_with_open_eyes_shuts_them_and_nothing_else_changes(carphone, monkeypatch):
    clip, model = open_clip(carphone), load_model()
    man = np.stack(list(head_crops(clip, track_head(clip)))[::40])
    identity = encode_identity(model, man[:1])
    painting = Painting(identity, model, model.generator)
    pose, lids = painting.descriptors[:1].repeat(2, 1), model.columns_of(["eyes open"])
    pose[1, lids] -= 3
    one = identity.embedding[None].expand(2, -1)
    with torch.inference_mode():
        closing = painting.painted(one, pose)
        monkeypatch.setattr(painting_module, "with_closed_lids", lambda moved, *others: moved)
        moving = painting.painted(one, pose)
        read = [float(model.pose_encoder(heads[1:, :3])[0, lids]) for heads in (closing, moving)]
        points, _ = model.pose_encoder.face_points(moving[1:, :3])
    assert read[0] < read[1] - 0.4
    changed = (closing - moving).abs().amax((0, 1)) > 0.02
    rows, columns = (np.flatnonzero(changed.any(k).numpy()) for k in (1, 0))
    eyes = (points[0, 17:48].numpy() + 1) * SIDE / 2
    assert eyes[:, 1].min() - 4 <= rows.min() and rows.max() <= eyes[19:, 1].max() + 4
    assert eyes[:, 0].min() - 4 <= columns.min() and columns.max() <= eyes[:, 0].max() + 4
