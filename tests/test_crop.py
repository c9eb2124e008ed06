"""Crops: the published rule to the number, and subpixel squares that behave as resizing does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.video.crop import (
    crop_square,
    crop_square_mask,
    face_box_of,
    published_crop,
    published_mask_crop,
    published_square,
)
from lpd_plugin.video.track import CropBox

PARITY = Path(__file__).parent / "data" / "crop_parity.npz"  # synthetic picture; crops by the released code


@pytest.fixture(scope="module")
def parity():
    with np.load(PARITY) as stored:
        return {name: stored[name] for name in stored}


@pytest.mark.parametrize("index", range(5))
def test_published_crop_equals_the_released_codes_crop(parity, index):
    crop = published_crop(parity["image"], parity["boxes_ltrb"][index])
    assert crop.dtype == np.uint8
    assert np.abs(crop.astype(int) - parity["crops"][index]).max() <= 1


def test_published_square_is_square_with_one_pixel_more_right_and_below():
    assert published_square((100, 60, 180, 150)) == (59, 24, 222, 187)


def test_a_square_on_whole_pixels_at_its_own_size_is_copied_exactly(parity):
    image = parity["image"]
    crop = crop_square(image, CropBox(31.0, 7.0, 200.0), 200)
    assert np.array_equal(crop, image[7:207, 31:231])
    crop[:] = 0
    assert image[7:207, 31:231].any(), "the crop must not share memory with the frame"


@pytest.mark.parametrize("side,size", [(200, 128), (210, 64), (100, 256)])
def test_squares_on_whole_pixels_agree_with_opencvs_resize(parity, side, size):
    image = parity["image"]
    expected = cv2.resize(
        image[10 : 10 + side, 20 : 20 + side], (size, size), interpolation=cv2.INTER_AREA if size < side else cv2.INTER_CUBIC
    )
    difference = np.abs(crop_square(image, CropBox(20, 10, side), size).astype(int) - expected)
    assert difference[8:-8, 8:-8].max() <= 1  # at the rim OpenCV does not see the pixels beside the crop


@pytest.mark.parametrize("side,size", [(120.5, 64), (60.25, 128)])
def test_a_crop_of_a_ramp_shows_the_coordinates_of_its_square(side, size):
    y, x = np.mgrid[:200, :300].astype(np.float32)
    box = CropBox(40.3, 50.8, side)
    crop = crop_square(np.dstack([x, y]), box, size)
    along = (np.arange(size) + 0.5) * side / size - 0.5  # pixel centres
    assert np.abs(crop[..., 0] - (box.left + along)[None, :]).max() < 0.08
    assert np.abs(crop[..., 1] - (box.top + along)[:, None]).max() < 0.08


def test_shrinking_averages_instead_of_picking():
    stripes = np.zeros((240, 240), np.uint8)
    stripes[:, ::2] = 200
    crop = crop_square(stripes, CropBox(0.5, 0.5, 236), 59)
    assert np.abs(crop.astype(int) - 100).max() <= 1


def test_outside_the_frame_the_crop_fades_to_its_median_and_inside_it_stays(parity):
    image = parity["image"]
    crop = crop_square(image, CropBox(-60, 20, 180), 180)
    assert np.array_equal(crop[:, 90:], image[20:200, 30:120])
    edge = crop[:, 0].astype(float)
    assert edge.std(axis=0).max() < 2.0
    assert np.abs(edge.mean(axis=0) - np.median(crop, axis=(0, 1))).max() < 6


def test_a_square_far_outside_the_frame_still_gives_finite_pixels(parity):
    crop = crop_square(parity["image"].astype(np.float32) / 255, CropBox(-2000, 5000, 333.3), 64)
    assert crop.shape == (64, 64, 3) and crop.dtype == np.float32
    assert np.isfinite(crop).all() and crop.min() >= 0 and crop.max() <= 1


@pytest.mark.parametrize("cut", [lambda m, b: crop_square_mask(m, b, 200), lambda m, b: published_mask_crop(m, face_box_of(b), 200)])
def test_masks_are_replicated_beside_and_below_and_zero_above(cut):
    mask = np.full((100, 100), 255, np.uint8)
    crop = cut(mask, CropBox(-50, -50, 200))
    assert crop[:45].max() == 0
    assert crop[55:].min() == 255


def test_sixteen_bit_pictures_keep_their_depth():
    image = np.full((50, 60, 3), 40000, np.uint16)
    crop = crop_square(image, CropBox(-5.5, 3.25, 40.5), 64)
    assert crop.dtype == np.uint16 and crop.min() == crop.max() == 40000


@pytest.mark.parametrize("side", [0.0, -3.0, float("nan")])
def test_a_square_without_area_is_bad_input(side):
    with pytest.raises(BadInput, match="no area"):
        crop_square(np.zeros((10, 10, 3), np.uint8), CropBox(1, 1, side), 8)
