"""Clips written to files: exact in time, tagged, with their sound, complete or not there at all."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from clip_makers import PictureClip, files_in

from lpd_plugin.errors import BadInput
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.formats import list_formats, load_format
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import bit_depth, picture_from_planes, plane_views, tags_of
from lpd_plugin.video.still_clip import StillClip
from lpd_plugin.video.writer import SYNTHETIC_NOTE, write_clip


def test_h264_keeps_times_shape_and_looks(carphone, tmp_path):
    clip = open_clip(carphone)
    result = write_clip(clip, tmp_path / "out.mp4")
    assert (result.frames, result.seconds, result.format) == (120, 120 * Fraction(1001, 30000), "h264")
    assert result.bytes == (tmp_path / "out.mp4").stat().st_size and files_in(tmp_path) == ["out.mp4"]
    written = open_clip(result.path)
    assert written.timestamps() == clip.timestamps()
    assert written.info.duration == clip.info.duration and written.info.rate == clip.info.rate
    assert written.info.sample_aspect_ratio == Fraction(128, 117)
    assert written.info.colour == clip.info.colour and written.info.pixel_format == "yuv420p"
    for before, after in zip(clip.frames(), written.frames(), strict=True):
        difference = plane_views(before.picture)[0].astype(float) - plane_views(after.picture)[0]
        assert 10 * np.log10(255**2 / np.mean(difference**2)) > 38


def test_the_sources_frame_types_are_not_forced_on_the_encoder(make_clip, tmp_path):
    clip = open_clip(make_clip("intra.mp4", count=30, options={"g": "1"}))
    write_clip(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size) < 5


def test_shared_pictures_come_back_unchanged(carphone_pictures, tmp_path):
    picture = carphone_pictures[5]
    before = (picture.pts, picture.time_base, picture.pict_type, tags_of(picture))
    write_clip(PictureClip([picture] * 4), tmp_path / "same.mp4")
    assert (picture.pts, picture.time_base, picture.pict_type, tags_of(picture)) == before


def test_a_variable_rate_is_written_exactly_down_to_the_last_duration(make_clip, tmp_path):
    ticks = [0, 1500, 3001, 9000, 9100, 15000, 30000, 30001, 45000, 90000, 90090, 180000]
    clip = open_clip(make_clip("vfr.mp4", ticks=ticks, time_base=Fraction(1, 90000)))
    write_clip(clip, tmp_path / "out.mp4")
    written = open_clip(tmp_path / "out.mp4")
    assert written.timestamps() == clip.timestamps()
    assert written.info.duration == clip.info.duration > 2
    part = clip.trimmed(Fraction(9001, 90000), Fraction(100000, 90000))
    result = write_clip(part, tmp_path / "part.mp4")
    assert result.seconds == part.info.duration
    cut = open_clip(tmp_path / "part.mp4")
    first = part.timestamps()[0]
    assert first == Fraction(99, 90000)  # the in point lies between two frames
    assert cut.timestamps() == [time - first for time in part.timestamps()]
    assert cut.info.duration == part.info.duration - first


@pytest.mark.parametrize(
    "pixel_format",
    "yuv420p yuv422p yuv444p yuv440p yuv411p yuva420p yuv420p10le yuv422p10le yuv444p12le yuv420p16le "
    "gray gray10le gray16le gbrp gbrp10le gbrp16le gbrap gbrap16le".split(),
)
def test_ffv1_planes_come_back_bit_for_bit(carphone_pictures, tmp_path, pixel_format):
    random = np.random.default_rng(0)
    bits = bit_depth(pixel_format)
    tags = ColourTags(1, 1, 1, 1) if pixel_format.startswith("yuv") else ColourTags(2, 0, 1, 13)
    tags = ColourTags(2, 2, 1, 13) if pixel_format.startswith("gray") else tags
    pictures = []
    for picture in carphone_pictures[:3]:
        planes = []
        for view in plane_views(picture.reformat(175, 143, pixel_format)):
            noise = random.integers(0, 4, view.shape)  # the lowest bits count
            planes.append(np.minimum(view + noise, (1 << bits) - 1).astype(view.dtype))
        pictures.append(picture_from_planes(planes, pixel_format, tags))
    write_clip(PictureClip(pictures), tmp_path / "out.mkv", "ffv1")
    written = open_clip(tmp_path / "out.mkv")
    assert (written.info.width, written.info.height, written.info.pixel_format) == (175, 143, pixel_format)
    if not pixel_format.startswith("gray"):
        assert written.info.colour == tags
    for before, after in zip(pictures, written.frames(), strict=True):
        for a, b in zip(plane_views(before), plane_views(after.picture), strict=True):
            np.testing.assert_array_equal(a, b)


def test_ffv1_keeps_broadcast_rates_exactly_although_matroska_counts_milliseconds(carphone, tmp_path):
    clip = open_clip(carphone, 0, 1)
    write_clip(clip, tmp_path / "out.mkv", "ffv1")
    written = open_clip(tmp_path / "out.mkv")
    assert written.info.time_base == Fraction(1, 1000)
    assert written.timestamps() == clip.timestamps() and written.info.rate == Fraction(30000, 1001)
    assert written.info.sample_aspect_ratio == Fraction(128, 117)


@pytest.mark.parametrize("tags", [ColourTags(1, 1, 1, 1), ColourTags(2, 6, 6, 6), ColourTags(1, 9, 9, 16)])
@pytest.mark.parametrize("name, format", [("out.mp4", "h264"), ("out.mkv", "ffv1")])
def test_colour_tags_are_written_as_they_came(carphone_pictures, tmp_path, tags, name, format):
    pictures = [picture_from_planes(plane_views(p), "yuv420p", tags) for p in carphone_pictures[:2]]
    write_clip(PictureClip(pictures), tmp_path / name, format)
    written = open_clip(tmp_path / name)
    assert written.info.colour == tags
    luma = plane_views(next(written.frames()).picture)[0].astype(float)
    assert np.abs(luma - plane_views(pictures[0])[0]).mean() < 2


@pytest.mark.parametrize("size, matrix", [(96, 6), (720, 1)])
def test_rgb_is_written_so_that_it_looks_the_same(astronaut, tmp_path, size, matrix):
    rgb = cv2.resize(cv2.imread(str(astronaut)), (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]
    write_clip(StillClip(rgb), tmp_path / "out.mp4")
    written = open_clip(tmp_path / "out.mp4")
    assert written.info.colour == ColourTags(1, matrix, 1, 1)
    difference = next(written.frames()).rgb().astype(float) - rgb
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.8 and np.abs(difference).mean() < 6


def test_grey_becomes_video_of_the_same_grey(tmp_path):
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8), 2)[None].repeat(64, axis=0)
    write_clip(StillClip(ramp), tmp_path / "out.mp4")
    shown = next(open_clip(tmp_path / "out.mp4").frames()).rgb()
    assert np.abs(shown.astype(int) - ramp[..., None]).max() <= 4


@pytest.mark.parametrize("width, height", [(175, 144), (176, 143), (175, 143)])
def test_odd_sizes_keep_every_line_and_say_so(carphone_pictures, tmp_path, width, height):
    pictures = [p.reformat(width, height, "yuv420p") for p in carphone_pictures[:2]]
    result = write_clip(PictureClip(pictures), tmp_path / "odd.mp4")
    written = open_clip(tmp_path / "odd.mp4")
    assert (written.info.width, written.info.height, written.info.pixel_format) == (width, height, "yuv444p")
    assert any(f"{width}x{height} is an odd size" in note for note in result.notes)


def test_ten_bits_become_eight_without_a_shift(carphone_pictures, tmp_path):
    pictures = [p.reformat(format="yuv422p10le") for p in carphone_pictures[:2]]
    write_clip(PictureClip(pictures), tmp_path / "out.mp4")
    written = next(open_clip(tmp_path / "out.mp4").frames()).picture
    assert written.format.name == "yuv420p"
    difference = plane_views(written)[0].astype(float) - plane_views(carphone_pictures[0])[0]
    assert abs(difference.mean()) < 0.3 and np.abs(difference).mean() < 2


def test_alpha_is_kept_by_ffv1_and_said_to_be_lost_by_h264(tmp_path):
    images = np.random.default_rng(0).random((2, 16, 16, 4), np.float32)
    assert write_clip(BatchClip(images), tmp_path / "a.mkv", "ffv1").notes == ()
    assert open_clip(tmp_path / "a.mkv").info.pixel_format == "gbrap"
    assert "no alpha" in write_clip(BatchClip(images), tmp_path / "a.mp4").notes[0]


def test_a_turned_clip_is_written_upright(make_clip, tmp_path):
    clip = open_clip(make_clip("phone.mp4", count=3, rotation=(90,)))
    write_clip(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height, picture.rotation) == (144, 176, 0)


@pytest.mark.parametrize("name, format", [("out.mp4", "h264"), ("out.mkv", "ffv1")])
def test_every_file_says_that_it_is_synthetic_and_how_it_was_made(make_clip, tmp_path, name, format):
    graph = {"1": {"class_type": "LPDLoadClip", "inputs": {"file": "tür & <Ton>.mp4"}}}
    metadata = {"prompt": graph, "description": "a test"}
    write_clip(open_clip(make_clip("in.mp4", count=2)), tmp_path / name, format, metadata=metadata)
    with av.open(str(tmp_path / name)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert tags["comment"] == SYNTHETIC_NOTE and "Synthetic media" in SYNTHETIC_NOTE
    assert tags["description"] == f"{SYNTHETIC_NOTE} a test"
    assert json.loads(tags["prompt"]) == graph


def test_formats_are_listed_and_wrong_ones_explained(tmp_path):
    formats = list_formats()
    assert set(formats) >= {"h264", "ffv1"} and all(formats.values())
    with pytest.raises(BadInput, match="no output format 'gif': choose one of .*ffv1, h264, .*or give the path"):
        load_format("gif")
    good = "container: mp4\nsuffixes: [.mp4]\nvideo: {codec: libx264, pixel_format: yuv420p}\n"
    for text, words in {
        "a: [": "is not valid YAML",
        "just text": "expected keys and values",
        good.replace("container: mp4\n", ""): "the key 'container' is missing",
        good.replace("libx264", "nonsense"): "no encoder 'nonsense'",
        good.replace("container: mp4", "container: nonsense"): "no container 'nonsense'",
        good.replace("[.mp4]", ".mp4"): "'suffixes' is '.mp4', which is of the wrong kind",
        good.replace("yuv420p", "{even: yuv420p}"): "needs the keys even and odd",
    }.items():
        path = tmp_path / "own.yaml"
        path.write_text(text)
        with pytest.raises(BadInput, match=words) as caught:
            load_format(path)
        assert str(path) in str(caught.value)


def test_a_format_that_cannot_hold_the_pictures_says_so(tmp_path):
    custom = tmp_path / "keep.yaml"
    custom.write_text("container: mp4\nsuffixes: [.mp4]\nvideo: {codec: libx264, pixel_format: keep}\n")
    images = np.zeros((1, 16, 16, 3), np.float32)
    with pytest.raises(BadInput, match=r"the format keep \(libx264\) cannot hold gbrp pictures"):
        write_clip(BatchClip(images), tmp_path / "out.mp4", custom)
    assert files_in(tmp_path) == ["keep.yaml"]
