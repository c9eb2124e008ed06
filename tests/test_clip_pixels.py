"""Pixels as decoders give them: unpacked and turned without losing a bit, shown in their own colours."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.colour import SRGB, converted, picture_to_rgb, rgb_to_picture, video_tags, yuv_matrix
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.pixel_formats import PLANAR_EQUIVALENTS, Orientation, planar_equivalent, to_planar, turned
from lpd_plugin.video.planes import bit_depth, picture_from_planes, plane_views, set_tags, tags_of

# ITU-T H.273: the weights of red and blue in luma.
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def noise(pixel_format: str, width: int = 64, height: int = 48) -> av.VideoFrame:
    random = np.random.default_rng(0)
    picture = av.VideoFrame(width, height, pixel_format)
    for view in plane_views(picture):
        view[...] = random.integers(0, 1 << bit_depth(pixel_format), view.shape)
    return picture


def assert_same_planes(one: av.VideoFrame, other: av.VideoFrame) -> None:
    assert one.format.name == other.format.name
    for a, b in zip(plane_views(one), plane_views(other), strict=True):
        np.testing.assert_array_equal(a, b)


PACKED_BOTH_WAYS = sorted(set(PLANAR_EQUIVALENTS) - {"pal8", "ya8", "ya16le", "ya16be", "monow", "monob"})


@pytest.mark.parametrize("packed", PACKED_BOTH_WAYS)
def test_unpacking_loses_no_bit(packed):
    planar = noise(PLANAR_EQUIVALENTS[packed])
    try:
        stored = planar.reformat(format=packed)
    except OSError:
        pytest.skip(f"this FFmpeg reads but does not write {packed}")
    assert_same_planes(to_planar(stored), planar)


@pytest.mark.parametrize("kind", ["yuv420p10be", "gray16be", "gbrap12be", "yuva444p16be"])
def test_big_endian_samples_are_swapped(kind):
    planar = noise(kind.replace("be", "le"))
    assert_same_planes(to_planar(planar.reformat(format=kind)), planar)


def test_grey_with_alpha_keeps_both():
    picture = av.VideoFrame(5, 3, "ya8")
    stored = np.frombuffer(picture.planes[0], np.uint8).reshape(3, -1)
    stored[:, :10] = np.arange(30).reshape(3, 10)
    planes = plane_views(to_planar(picture))
    expected = np.arange(30, dtype=np.uint8).reshape(3, 5, 2)
    for plane in planes[:3]:
        np.testing.assert_array_equal(plane, expected[..., 0])
    np.testing.assert_array_equal(planes[3], expected[..., 1])


def test_full_range_moves_from_the_formats_name_into_the_tag():
    stored = noise("yuvj422p")
    picture = to_planar(stored)
    assert picture.format.name == "yuv422p" and tags_of(picture).range == 2
    for a, b in zip(plane_views(stored), plane_views(picture), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_format_of_ffmpeg_has_a_planar_one_of_8_to_16_bits():
    names = [name for name in av.video.format.names if not name.startswith(("vaapi", "vdpau", "cuda", "d3d", "drm"))]
    checked = 0
    for name in names:
        description = av.VideoFormat(name)
        if not description.components:  # a hardware surface
            continue
        target = planar_equivalent(name)
        bits = [component.bits for component in av.VideoFormat(target).components]
        assert 8 <= min(bits) and max(bits) <= 16, name
        assert len({c.plane for c in av.VideoFormat(target).components}) == len(bits), name
        assert planar_equivalent(target) == target, name
        checked += 1
    assert checked > 150


def test_planar_pictures_pass_as_the_same_object(carphone_pictures):
    picture = carphone_pictures[0]
    assert to_planar(picture) is picture
    assert turned(picture, Orientation()) is picture
    assert converted(picture, "yuv420p", tags_of(picture)) is picture


ALL_EIGHT = [(angle, flip) for angle in (0, 90, 180, 270) for flip in (False, True)]


@pytest.mark.parametrize("angle, flip", ALL_EIGHT)
def test_a_turned_phone_clip_is_upright_and_bit_exact(make_clip, carphone_pictures, angle, flip):
    path = make_clip("phone.mp4", count=3, rotation=(angle, flip), options={"qp": "0"})
    clip = open_clip(path)
    frame = next(clip.frames())
    assert frame.picture.format.name == "yuv420p"
    for stored, shown in zip(plane_views(carphone_pictures[0]), plane_views(frame.picture), strict=True):
        expected = np.rot90(stored, angle // 90)
        np.testing.assert_array_equal(shown, expected[:, ::-1] if flip else expected)
    sizes = (144, 176) if angle % 180 else (176, 144)
    assert (clip.info.width, clip.info.height) == sizes == (frame.picture.width, frame.picture.height)


def test_turning_swaps_the_sample_aspect_ratio(tmp_path, carphone):
    path = tmp_path / "turned.mp4"
    with av.open(str(carphone)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=30)
        stream.width, stream.height = 176, 144
        stream.codec_context.sample_aspect_ratio = Fraction(128, 117)
        stream.set_display_rotation(90)
        picture = next(source.decode(video=0))
        picture.pict_type = 0
        target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    assert open_clip(path).info.sample_aspect_ratio == Fraction(117, 128)


def test_422_turned_by_90_degrees_becomes_444_of_the_same_depth(make_clip):
    path = make_clip("phone.mov", "prores_ks", "yuv422p10le", count=2, rotation=(90,))
    clip = open_clip(path)
    frame = next(clip.frames())
    assert clip.info.pixel_format == frame.picture.format.name == "yuv444p10le"
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0))
    luma, blue, _ = plane_views(stored)
    shown = plane_views(frame.picture)
    np.testing.assert_array_equal(shown[0], np.rot90(luma))
    unturned = np.rot90(shown[1], -1).astype(int)
    assert np.abs(unturned[:, ::2] - blue).max() <= 24  # chroma is interpolated between its samples, not moved
    assert np.abs(unturned[:, ::2] - blue).mean() < 1.5


def test_odd_sizes_are_mirrored_only_where_chroma_stays_in_place():
    odd = noise("yuv420p", 63, 47)
    assert turned(odd, Orientation(transpose=True)).format.name == "yuv420p"
    assert turned(odd, Orientation(mirror_x=True)).format.name == "yuv444p"
    wide = noise("yuv420p", 64, 47)
    assert turned(wide, Orientation(mirror_x=True)).format.name == "yuv420p"
    assert turned(wide, Orientation(mirror_y=True)).format.name == "yuv444p"
    assert turned(wide, Orientation(transpose=True, mirror_y=True)).format.name == "yuv420p"
    assert turned(wide, Orientation(transpose=True, mirror_x=True)).format.name == "yuv444p"


def flat(colour: np.ndarray, pixel_format: str, tags: ColourTags, size=(33, 17)) -> tuple[av.VideoFrame, list[int]]:
    """A picture of one colour (RGB in 0..1), its code values computed by the formulas of H.273."""
    red_weight, blue_weight = WEIGHTS[tags.matrix]
    luma = red_weight * colour[0] + (1 - red_weight - blue_weight) * colour[1] + blue_weight * colour[2]
    blue = (colour[2] - luma) / (2 * (1 - blue_weight))
    red = (colour[0] - luma) / (2 * (1 - red_weight))
    unit, top = 1 << (bit_depth(pixel_format) - 8), (1 << bit_depth(pixel_format)) - 1
    if tags.range == 1:
        codes = [(16 + 219 * luma) * unit, (128 + 224 * blue) * unit, (128 + 224 * red) * unit]
    else:
        codes = [luma * top, 128 * unit + blue * top, 128 * unit + red * top]
    codes = [min(round(code), top) for code in codes]
    shapes = [view.shape for view in plane_views(av.VideoFrame(*size, pixel_format))]
    planes = [np.full(shape, code) for shape, code in zip(shapes, [*codes, top])]
    return picture_from_planes(planes, pixel_format, tags), codes


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuva444p", "yuv422p10le", "yuv444p16le"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("range_", [1, 2])
def test_known_codes_show_the_known_colours(pixel_format, matrix, range_):
    tags = ColourTags(range_, matrix, 2, 2)
    # swscale scales full range above 8 bits by a power of two, which puts white one code off.
    tolerance = 1 if bit_depth(pixel_format) == 8 or range_ == 1 else 2
    for colour in np.random.default_rng(1).integers(0, 256, (12, 3)):
        picture, codes = flat(colour / 255, pixel_format, tags)
        shown = picture_to_rgb(picture).astype(int)
        assert shown.shape == (17, 33, 3)
        # Rounding Y, U and V to 8 bits costs up to two steps of RGB.
        assert np.abs(shown - colour).max() <= (2 if bit_depth(pixel_format) == 8 else tolerance)
        back = rgb_to_picture(np.broadcast_to(colour.astype(np.uint8), (17, 33, 3)), pixel_format, tags)
        assert tags_of(back) == tags
        for view, code in zip(plane_views(back), codes):
            # From 8-bit RGB, so within one 8-bit step.
            assert np.abs(view.astype(int) - code).max() <= max(1, 1 << (bit_depth(pixel_format) - 8) >> 1)


def test_untagged_video_is_bt601_below_720_lines_and_bt709_from_there_on():
    green = np.array([0.2, 0.7, 0.1])
    for height, matrix in ((576, 6), (720, 1), (1920, 1)):
        picture, _ = flat(green, "yuv420p", ColourTags(1, matrix, 2, 2), (16, height))
        set_tags(picture, ColourTags())
        assert yuv_matrix(ColourTags(), height) == matrix
        assert np.abs(picture_to_rgb(picture).astype(int) - np.round(green * 255)).max() <= 2
    wrong, _ = flat(green, "yuv420p", ColourTags(1, 1, 2, 2), (16, 64))
    set_tags(wrong, ColourTags())
    assert np.abs(picture_to_rgb(wrong).astype(int) - np.round(green * 255)).max() > 5


def test_grey_and_rgb_pictures_show_their_own_values():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    grey = picture_from_planes([ramp], "gray", ColourTags())
    np.testing.assert_array_equal(picture_to_rgb(grey), np.repeat(ramp[..., None], 3, -1))
    limited = picture_from_planes([ramp], "gray", ColourTags(range=1))
    assert picture_to_rgb(limited)[0, 16].tolist() == [0, 0, 0] and picture_to_rgb(limited)[0, 235].tolist() == [255] * 3
    deep = picture_from_planes([ramp.astype(np.uint16) * 257], "gray16le", ColourTags())
    np.testing.assert_array_equal(picture_to_rgb(deep)[..., 0], ramp)
    wide = picture_from_planes([ramp.astype(np.uint16) * 4 + 3, ramp * 0, ramp * 0], "gbrp10le", SRGB)
    np.testing.assert_array_equal(picture_to_rgb(wide)[..., 1], np.round((ramp * 4.0 + 3) / 1023 * 255))


def test_rgb_survives_a_picture_of_its_own_kind(astronaut):
    rgb = next(open_clip(astronaut).frames()).rgb()
    np.testing.assert_array_equal(picture_to_rgb(rgb_to_picture(rgb, "gbrp")), rgb)
    through_yuv = picture_to_rgb(rgb_to_picture(rgb, "yuv444p", ColourTags(1, 1, 1, 1)))
    difference = np.abs(through_yuv.astype(int) - rgb)
    assert difference.mean() < 0.7 and difference.max() <= 3


def test_rgb_that_becomes_video_is_tagged_as_untagged_video_of_its_height_is_read():
    assert video_tags(SRGB, 512) == ColourTags(1, 6, 1, 1)
    assert video_tags(SRGB, 1080) == ColourTags(1, 1, 1, 1)
    assert video_tags(ColourTags(2, 0, 9, 16), 1080) == ColourTags(1, 1, 9, 16)
