"""Softness, levels and shape of the composite's edge, and that the crop's border never shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matte_media import VAL, head_clip

from lpd_plugin.compositing.matte.edge import (
    REGIONS,
    EdgeOptions,
    border_falloff,
    feathered,
    matte_on_rect,
    refine_matte,
    region_weight,
)
from lpd_plugin.compositing.matte.neck import TYPICAL_NECK, neck_of
from lpd_plugin.errors import BadInput
from lpd_plugin.video.regions.region import Rect
from lpd_plugin.video.track import CropBox

WHOLE = Rect(0, 0, 400, 400)
SQUARE = CropBox(0, 0, 400)


def edge_at(matte_row: np.ndarray, alpha: float = 0.5) -> float:
    """Where a rising row passes an alpha, pixels."""
    return float(np.interp(alpha, matte_row, np.arange(len(matte_row))))


def step() -> np.ndarray:
    matte = np.zeros((60, 200), np.float32)
    matte[:, 100:] = 1
    return matte


def comb() -> np.ndarray:
    """A block with teeth, four pixels wide and four apart: the hardest hair."""
    matte = np.zeros((120, 120), np.float32)
    matte[60:] = 1
    for left in range(4, 116, 8):
        matte[40:60, left : left + 4] = 1
    return matte


@pytest.mark.parametrize("width", [2, 5, 12, 30])
def test_a_feather_is_as_wide_as_asked_and_centred_on_the_edge(width):
    row = feathered(step(), width)[30]
    assert edge_at(row, 0.9) - edge_at(row, 0.1) == pytest.approx(width, rel=0.1, abs=0.5)
    assert edge_at(row) == pytest.approx(99.5, abs=0.02)


def test_a_feather_moves_no_pixel_over_the_50_percent_line_where_a_blur_rounds_hair_off():
    hair = comb()
    soft, blurred = feathered(hair, 8), cv2.GaussianBlur(hair, (0, 0), 8 / 2.56)
    assert (soft[hair == 1] >= 0.5).all() and (soft[hair == 0] <= 0.5).all()
    assert 0.05 < soft[hair == 0].max()  # and yet it is soft
    teeth = hair[40:60] == 1
    assert (blurred[40:60][teeth] < 0.5).mean() > 0.2


def test_a_feather_leaves_what_is_softer_already():
    x = np.clip((np.arange(200, dtype=np.float32) - 80) / 40, 0, 1)
    soft = np.tile(x, (50, 1))
    assert np.array_equal(feathered(soft, 6), soft)
    both = step()
    both[:, 20:60] = 0.2  # a veil of hair far from the edge
    assert feathered(both, 6)[30, 40] == pytest.approx(0.2)


def test_a_slanting_hard_edge_gets_no_steps():
    y, x = np.mgrid[:200, :200]
    hard = (x + 0.37 * y > 120).astype(np.float32)
    soft = feathered(hard, 8)
    distance = (x + 0.37 * y - 120 + 0.5) / np.hypot(1, 0.37)
    near = (np.abs(distance) < 7) & (np.minimum(np.minimum(x, y), np.minimum(199 - x, 199 - y)) > 10)
    order = np.argsort(distance[near])
    along = soft[near][order]
    smooth = cv2.blur(along[None], (101, 1))[0]
    assert np.abs(along - smooth)[60:-60].max() < 0.09


def test_erode_and_dilate_move_the_edge_by_that_many_pixels_also_by_half_ones():
    for pixels in (-6, -2.5, 0.5, 3, 7):
        moved = refine_matte(step(), EdgeOptions(erode=pixels, feather=0))
        assert moved[30].sum() == pytest.approx(100 - pixels, abs=1e-3)


def test_choke_takes_veils_away_and_leaves_the_inside():
    matte = np.tile(np.linspace(0, 1, 101, dtype=np.float32), (4, 1))
    choked = refine_matte(matte, EdgeOptions(choke=0.4, feather=0))[0]
    assert (choked[:41] < 1e-6).all() and choked[-1] == 1 and choked[70] == pytest.approx(0.5, abs=1e-5)
    assert (np.diff(choked) >= 0).all()
    assert np.isfinite(refine_matte(matte, EdgeOptions(choke=1, feather=0))).all()


@pytest.mark.parametrize(
    ("name", "value"), [("erode", 300), ("feather", -1), ("gamma", 0), ("border", 0.6), ("refine", 1.1), ("choke", -0.1)]
)
def test_options_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(BadInput, match=f"^{name} is"):
        EdgeOptions(**{name: value})


@pytest.mark.parametrize("region", REGIONS)
def test_alpha_falls_to_nothing_within_the_crop_square_without_a_step(region):
    full = np.ones((256, 256), np.float32)
    options = EdgeOptions(region=region)
    matte = refine_matte(matte_on_rect(full, SQUARE, WHOLE), options)
    alpha = matte * region_weight(region, SQUARE, WHOLE, neck_of(full)) * border_falloff(SQUARE, WHOLE, options.border)
    rim = np.concatenate((alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    assert rim.max() == 0 and alpha[150, 200] == 1
    assert max(np.abs(np.diff(alpha, axis=0)).max(), np.abs(np.diff(alpha, axis=1)).max()) < 0.1


def test_new_shoulders_give_way_over_a_sixth_of_the_square_with_the_region_person():
    weight = region_weight("person", SQUARE, WHOLE)[:, 200]
    assert (weight[: int(0.8 * 400)] == 1).all()
    assert edge_at(weight[::-1], 0.9) - edge_at(weight[::-1], 0.1) > 0.1 * 400


def person(neck_row: float, neck_half: float = 0.14, middle: float = 0.5) -> np.ndarray:
    """A head, a neck whose narrowest row is given, and shoulders."""
    v, u = (np.mgrid[:256, :256] + 0.5) / 256
    half = np.interp(
        v[:, 0], (0.1, 0.15, 0.35, neck_row - 0.02, neck_row + 0.02, neck_row + 0.1, 1),
        (0, 0.1, 0.24, neck_half, neck_half, 0.4, 0.5),
    )  # fmt: skip
    return np.clip((half[:, None] - np.abs(u - middle)) * 60 + 0.5, 0, 1).astype(np.float32)


def test_the_ramp_of_the_region_head_follows_the_mattes_neck():
    rows = (0.75, 0.78, 0.81, 0.84)
    tops = [neck_of(person(row)).top for row in rows]
    assert tops == pytest.approx([0.74, 0.74, 0.763, 0.783], abs=0.01)  # drawn a little to where necks usually are
    narrow, wide = (neck_of(person(0.78, half)).half_width for half in (0.11, 0.16))
    assert wide - narrow == pytest.approx(0.05, abs=0.01)
    assert neck_of(person(0.78, 0.3)).half_width == TYPICAL_NECK.half_width  # that is hair
    assert neck_of(person(0.78, middle=0.56)).middle == pytest.approx(0.56, abs=0.01)
    low, high = (region_weight("head", SQUARE, WHOLE, neck_of(person(row)))[:, 200] for row in (0.75, 0.84))
    assert edge_at(-high, -0.5) - edge_at(-low, -0.5) > 0.04 * 400


def test_a_hand_beside_the_head_does_not_move_the_neck():
    alone, with_hand = person(0.78), person(0.78)
    with_hand[170:220, 210:250] = 1
    assert neck_of(with_hand) == neck_of(alone)


def test_where_no_neck_shows_the_ramp_lies_where_necks_usually_are():
    curtain = np.zeros((256, 256), np.float32)
    curtain[30:, 60:196] = 1  # long hair down to the crop's border
    assert neck_of(curtain) == TYPICAL_NECK
    assert neck_of(np.zeros((256, 256), np.float32)) == TYPICAL_NECK


@pytest.mark.parametrize("name", VAL)
def test_the_neck_of_a_filmed_person_does_not_jump_from_frame_to_frame(shared, name):
    _, mattes = head_clip(shared, name, 30)
    tops = np.array([neck_of(matte).top for matte in mattes])
    assert np.abs(np.diff(tops)).max() < 0.015


@pytest.mark.parametrize("name", VAL)
def test_the_region_head_holds_the_face_and_leaves_the_body_to_the_footage(shared, name):
    _, mattes = head_clip(shared, name, 1)
    weight = region_weight("head", CropBox(0, 0, 256), Rect(0, 0, 256, 256), neck_of(mattes[0]))
    assert weight[60:185, 96:160].min() == 1  # forehead to mouth
    shoulders = mattes[0][235:] > 0.5
    assert (weight[235:][shoulders] < 0.25).mean() > 0.9
