"""A rectangle of a picture is read and blended; every other sample stays as it is."""

import av
import numpy as np
import pytest
from composite_media import flat_picture, noise_picture

from lpd_plugin.errors import BadInput
from lpd_plugin.video.colour import picture_to_rgb
from lpd_plugin.video.planes import plane_views, tags_of
from lpd_plugin.video.regions.region import Rect, blend_region, copy_picture, read_region

FORMATS = [
    "yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p16le", "yuv411p", "yuv440p", "yuva420p",
    "yuva444p12le", "gbrp", "gbrap16le", "gray", "gray12le",
]  # fmt: skip
RECTS = [Rect(0, 0, 65, 49), Rect(3, 5, 40, 33), Rect(30, 20, 65, 49), Rect(7, 7, 8, 9)]


def planes_equal(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(plane_views(one), plane_views(other), strict=True))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_putting_back_what_was_read_changes_no_code_even_of_noise(pixel_format):
    picture = noise_picture(pixel_format)
    for rect in RECTS:
        rgb = read_region(picture, rect)
        assert planes_equal(picture, blend_region(picture, rect, rgb, np.ones(rgb.shape[:2], np.float32)))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_samples_outside_the_rectangle_and_under_alpha_zero_are_the_originals(pixel_format):
    picture, rect = noise_picture(pixel_format), Rect(9, 7, 50, 40)
    alpha = np.zeros((33, 41), np.float32)
    alpha[10:20, 11:30] = 0.7
    result = blend_region(picture, rect, np.full((33, 41, 3), 0.5, np.float32), alpha)
    whole = np.zeros((49, 65), bool)
    whole[7:40, 9:50] = alpha > 0
    changed_anywhere = False
    alphas = {c.plane for c in picture.format.components if c.is_alpha}
    for number, (before, after) in enumerate(zip(plane_views(picture), plane_views(result))):
        fy, fx = -(-49 // before.shape[0]), -(-65 // before.shape[1])
        padded = np.pad(whole, ((0, -49 % fy), (0, -65 % fx)))
        allowed = padded.reshape(before.shape[0], fy, before.shape[1], fx).any((1, 3)) & (number not in alphas)
        assert np.array_equal(before[~allowed], after[~allowed])
        changed_anywhere |= not np.array_equal(before, after)
    assert changed_anywhere


@pytest.mark.parametrize("rect", [Rect(0, 0, 64, 48), Rect(10, 10, 50, 40)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv411p", "gbrp", "gray"])
def test_a_colour_put_in_at_full_alpha_is_read_back(pixel_format, rect):
    picture = noise_picture(pixel_format, 64, 48)
    wanted = np.float32((0.2, 0.6, 0.4) if pixel_format != "gray" else (0.5, 0.5, 0.5))
    shape = (rect.height, rect.width)
    result = blend_region(picture, rect, np.broadcast_to(wanted, (*shape, 3)), np.ones(shape, np.float32))
    reach = 14 if pixel_format == "yuv411p" else 4  # of the chroma filters over the rectangle's border
    inner = Rect(rect.left + reach, rect.top + 4, rect.right - reach, rect.bottom - 4)
    assert np.abs(read_region(result, inner) - wanted).max() < 2.5 / 255
    if rect.left == 0:  # to the picture's very border
        assert np.abs(read_region(result, rect) - wanted).max() < 2.5 / 255


@pytest.mark.parametrize(
    ("matrix", "full", "codes", "rgb"),
    [
        (1, False, (63, 102, 240), (1.0, 0.0, 0.0)),  # 75 % or 100 % bars: BT.709 red, limited
        (6, False, (81, 90, 240), (1.0, 0.0, 0.0)),  # BT.601 red
        (6, False, (145, 54, 34), (0.0, 1.0, 0.0)),  # BT.601 green
        (9, False, (74, 97, 240), (1.0, 0.0, 0.0)),  # BT.2020 red
        (1, True, (18, 255, 116), (0.0, 0.0, 1.0)),  # BT.709 blue, full range
        (2, False, (81, 90, 240), (1.0, 0.0, 0.0)),  # untagged and small: BT.601
    ],
)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p"])
def test_known_codes_give_known_colours_and_back(matrix, full, codes, rgb, pixel_format):
    picture = flat_picture(pixel_format, codes)
    picture.colorspace, picture.color_range = matrix, 2 if full else 1
    rect = Rect(0, 0, 32, 24)
    assert np.abs(read_region(picture, rect) - np.float32(rgb)).max() < 0.008
    grey = flat_picture(pixel_format, (90, 128, 128))
    grey.colorspace, grey.color_range = matrix, 2 if full else 1
    painted = blend_region(grey, rect, np.broadcast_to(np.float32(rgb), (24, 32, 3)), np.ones((24, 32), np.float32))
    for samples, code in zip(plane_views(painted), codes):
        assert np.abs(samples.astype(int) - code).max() <= 1


def test_large_untagged_pictures_are_bt709():
    picture = flat_picture("yuv420p", (63, 102, 240), 16, 720)
    assert np.abs(read_region(picture, Rect(0, 0, 16, 16)) - np.float32((1, 0, 0))).max() < 0.008


def test_real_footage_reads_as_the_clip_layer_reads_it(carphone_pictures):
    picture = carphone_pictures[0]
    own = read_region(picture, Rect(0, 0, picture.width, picture.height))
    difference = np.abs(own.clip(0, 1) * 255 - picture_to_rgb(picture))
    assert difference.mean() < 0.8  # chroma is interpolated by another kernel there


def test_half_alpha_mixes_halfway():
    picture, rect = flat_picture("yuv420p", (100, 128, 128)), Rect(0, 0, 32, 24)
    white = np.ones((24, 32, 3), np.float32)
    result = blend_region(picture, rect, white, np.full((24, 32), 0.5, np.float32))
    assert np.all(np.abs(plane_views(result)[0].astype(int) - 168) <= 1)  # halfway between 100 and 235


def test_new_colours_beyond_white_stop_at_the_legal_code_but_the_footages_own_may_stay():
    picture, rect = flat_picture("yuv420p", (250, 128, 128)), Rect(0, 0, 32, 24)
    alpha = np.ones((24, 32), np.float32)
    same = blend_region(picture, rect, read_region(picture, rect), alpha)
    assert planes_equal(picture, same)
    dark = flat_picture("yuv420p", (100, 128, 128))
    bright = blend_region(dark, rect, np.full((24, 32, 3), 1.5, np.float32), alpha)
    assert plane_views(bright)[0].max() == 235


def test_a_copy_carries_tags_and_time_and_shares_no_memory():
    picture = noise_picture("yuv420p10le")
    picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = 1, 9, 9, 16
    copy = copy_picture(picture)
    assert tags_of(copy) == tags_of(picture)
    assert (copy.pts, copy.time_base) == (picture.pts, picture.time_base)
    assert planes_equal(picture, copy)
    plane_views(copy)[0][:] = 0
    assert not planes_equal(picture, copy)


def test_pixel_formats_that_are_not_planar_are_refused_by_name():
    with pytest.raises(BadInput, match="rgb24"):
        read_region(av.VideoFrame(32, 24, "rgb24"), Rect(0, 0, 8, 8))
