"""Transparency in every format that has it."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from clip_makers import PictureClip
from format_media import patch_clip, patch_means, target

from lpd_plugin.errors import BadInput
from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.colour import converted
from lpd_plugin.video.formats import formats_with_alpha
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.writer import write_clip

BT709, RGB = ColourTags(1, 1, 1, 1), ColourTags(2, 0, 1, 13)


def test_the_formats_with_alpha_are_these():
    assert set(formats_with_alpha()) >= {"exr", "ffv1", "png", "prores_4444", "tiff", "vp9_alpha"}
    assert not {"h264", "h265", "av1", "prores_422_hq", "dnxhr_hq", "dnxhr_hqx"} & set(formats_with_alpha())


@pytest.mark.parametrize("pixel_format, tags", [("yuva444p10le", BT709), ("yuva420p", BT709), ("gbrap16le", RGB)])
@pytest.mark.parametrize("name", formats_with_alpha())
def test_alpha_survives(tmp_path, name, pixel_format, tags):
    clip = patch_clip(pixel_format, tags, alpha=True)
    result = write_clip(clip, target(tmp_path, name), name)
    assert not any("without" in note for note in result.notes)
    colours, alpha = patch_means(next(open_clip(result.path).frames()).picture)
    wanted_colours, wanted = patch_means(clip.pictures[0])
    assert np.abs(alpha - wanted).max() < (3 / 255 if name == "vp9_alpha" else 1.2 / 1023)
    assert (alpha[0], alpha[-1]) == (0, 1)
    seen = wanted > 0.1  # premultiplied files forget colours that nothing covers
    assert np.abs(colours - wanted_colours)[seen].mean() * 255 < 1.2


def test_opaque_stays_opaque_between_depths():
    for before, after in (("yuva444p", "yuva444p10le"), ("yuva444p10le", "yuva420p"), ("gbrap", "gbrap16le")):
        tags = RGB if before.startswith("gbr") else BT709
        picture = converted(patch_clip(before, tags, alpha=True, count=1).pictures[0], after, tags)
        top = (1 << picture.format.components[-1].bits) - 1
        assert (plane_views(picture)[-1].min(), plane_views(picture)[-1].max()) == (0, top)


def test_exr_multiplies_linear_light_by_alpha_and_straight_colours_come_back(tmp_path):
    clip = patch_clip("gbrap16le", RGB, alpha=True, count=1)
    write_clip(clip, tmp_path / "x.####.exr", "exr")
    decoder = av.CodecContext.create("exr", "r")
    picture = (decoder.decode(av.Packet((tmp_path / "x.0001.exr").read_bytes())) + decoder.decode(None))[0]
    green, alpha = (np.frombuffer(picture.planes[i], np.float16).reshape(128, -1)[:, :256] for i in (0, 3))
    code = plane_views(clip.pictures[0])[0] / 65535
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    assert np.abs(green - linear * alpha).max() < 1e-3
    back = patch_means(next(open_clip(tmp_path / "x.####.exr").frames()).picture)[0]
    seen = patch_means(clip.pictures[0])[1] > 0.1
    assert np.abs(back - patch_means(clip.pictures[0])[0])[seen].max() < 1e-3


@pytest.mark.parametrize("name", ["prores_4444", "ffv1", "vp9_alpha", "png", "tiff"])
def test_premultiplied_pictures_are_known_as_such_when_opened_again(tmp_path, name):
    clip = patch_clip("yuva444p10le", BT709, alpha=True)
    assert not open_clip(write_clip(clip, target(tmp_path, name), name).path).info.premultiplied
    clip._whole_info = replace(clip._whole_info, premultiplied=True)
    result = write_clip(clip, target(tmp_path, name), name, overwrite=True)
    assert open_clip(result.path).info.premultiplied


def test_an_element_is_refused_where_its_alpha_would_be_lost(tmp_path):
    class Element(PictureClip):
        needs_alpha = True

    clip = Element(patch_clip("yuva444p10le", BT709, alpha=True).pictures)
    names = "exr, ffv1, png, prores_4444, tiff, vp9_alpha"
    with pytest.raises(BadInput, match=f"which the format h264 cannot hold: choose one of {names}"):
        write_clip(clip, tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())
    write_clip(clip, tmp_path / "out.mov", "prores_4444")
