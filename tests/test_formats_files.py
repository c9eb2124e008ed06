"""Formats as files: the ones that come with LPD, a user's own, and what is wrong with them."""

from __future__ import annotations

import av
import pytest
from clip_makers import PictureClip

from lpd_plugin.errors import BadInput
from lpd_plugin.video.formats import list_formats, load_format, user_folder
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.pixel_choice import nearest_format
from lpd_plugin.video.writer import write_clip

OWN = "description: mine\ncontainer: mp4\nsuffixes: [.mp4]\nvideo: {codec: libx264, pixel_format: yuv420p10le}\n"


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    user_folder().mkdir(parents=True)
    return user_folder()


def test_the_promised_formats_are_there_and_can_be_used():
    formats = list_formats()
    wanted = "h264 h265 prores_422_hq prores_4444 dnxhr_hq dnxhr_hqx ffv1 vp9_alpha av1 png tiff exr".split()
    assert set(formats) >= set(wanted)
    for name in wanted:
        if "not available" not in formats[name]:
            assert load_format(name).pixel_format_for("yuv420p", 256, 256)


def test_a_file_in_the_users_folder_is_a_format(own_folder, carphone_pictures, tmp_path):
    (own_folder / "h264_10.yaml").write_text(OWN)
    assert list_formats()["h264_10"] == "mine"
    result = write_clip(PictureClip(carphone_pictures[:2]), tmp_path / "out.mp4", "h264_10")
    assert open_clip(result.path).info.pixel_format == "yuv420p10le"


def test_a_users_format_takes_the_place_of_one_of_the_same_name(own_folder):
    (own_folder / "h264.yaml").write_text(OWN)
    assert load_format("h264").description == "mine"


def test_a_format_whose_encoder_is_missing_is_listed_with_the_reason_and_refused(own_folder, monkeypatch):
    known = av.Codec

    def without_av1(name, mode="r"):
        if name == "libsvtav1":
            raise ValueError(name)
        return known(name, mode)

    monkeypatch.setattr(av, "Codec", without_av1)
    (own_folder / "broken.yaml").write_text("a: [")
    formats = list_formats()
    assert formats["av1"].startswith("not available: ") and "no encoder 'libsvtav1'" in formats["av1"]
    assert "is not valid YAML" in formats["broken"] and "H.264" in formats["h264"]
    with pytest.raises(BadInput, match="this FFmpeg has no encoder 'libsvtav1'"):
        load_format("av1")


@pytest.mark.parametrize(
    "video, words",
    [
        ("{codec: libx264, pixel_format: [yuv420p, nonsense]}", "no pixel format 'nonsense'"),
        ("{codec: libx264, pixel_format: []}", "'pixel_format' is empty"),
        ("{codec: libx264, pixel_format: yuv420p, smallest: [1]}", "'smallest' is .*give width and height"),
        ("{codec: libx264, pixel_format: yuv420p, limited_range: 3}", "'limited_range' is 3, which is of the wrong kind"),
    ],
)
def test_what_is_wrong_in_a_users_file_is_named(tmp_path, video, words):
    path = tmp_path / "own.yaml"
    path.write_text(f"container: mp4\nsuffixes: [.mp4]\nvideo: {video}\n")
    with pytest.raises(BadInput, match=words) as caught:
        load_format(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "own, chosen",
    {
        "yuv420p": "yuv420p", "yuv422p10le": "yuv420p10le", "yuva420p": "yuva420p", "yuva444p10le": "yuva420p",
        "gbrp": "yuv420p", "gbrp16le": "yuv420p10le", "gray": "yuv420p",
    }.items(),
)  # fmt: skip
def test_the_pixel_format_that_loses_least_is_chosen(own, chosen):
    assert nearest_format(own, ["yuv420p", "yuv420p10le", "yuva420p"]) == chosen
