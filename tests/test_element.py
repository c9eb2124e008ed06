"""The new head alone: in the footage's frame and colours, with the composite's alpha."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from composite_media import FlatHeads, fixed_track

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.element_clip import ElementClip
from lpd_plugin.compositing.head.footage_heads import FootageHeads
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.errors import BadInput
from lpd_plugin.graph.node import Context
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.video.colour import coded_rgb
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.writer import write_clip

RED = np.float32([0.9, 0.1, 0.1])


@pytest.fixture
def talking(carphone):
    return open_clip(carphone, 0, 0.2)


def composite_over(clip, heads=FlatHeads, **options):
    centre, side = (84.3, 66.7), 101.4
    track = fixed_track(clip.timestamps(), centre, side, (clip.info.width, clip.info.height), absent=(2,))
    made = heads(clip, track, 64) if heads is FootageHeads else heads(track.times)
    return CompositeClip(clip, track, made, None, CompositeOptions(EdgeOptions(feather=3), **options))


def test_an_element_has_the_footages_frame_times_colours_and_sound(talking):
    composite = composite_over(talking)
    element = ElementClip(composite)
    info = element.info
    assert (info.width, info.height, info.pixel_format) == (176, 144, "yuva444p10le")
    assert (info.rate, info.duration) == (talking.info.rate, composite.info.duration)
    assert element.timestamps() == talking.timestamps()
    assert element.audio == composite.audio and element.needs_alpha and not info.premultiplied
    frames = list(element.frames())
    assert [frame.index for frame in frames] == list(range(len(talking.timestamps())))
    assert not any(view.any() for view in plane_views(frames[2].picture)[3:]), "no head in frame 2"
    assert element.fingerprint() != ElementClip(composite, True).fingerprint()


def test_only_the_head_is_opaque_and_its_alpha_is_the_composites(talking):
    composite = composite_over(talking)
    frame, layer = next(composite.layers())
    rgb, alpha = coded_rgb(next(ElementClip(composite).frames()).picture)
    whole = np.zeros((144, 176), np.float32)
    whole[layer.rect.slices()] = layer.head
    assert np.abs(alpha - whole).max() <= 0.51 / 1023
    assert alpha.max() == 1 and (alpha[0] == 0).all()
    assert np.abs(rgb[alpha > 0.02] - RED).max() < 0.035  # a little of the plate is in the layer's own colours


def test_straight_colours_go_on_beyond_the_edge_and_premultiplied_ones_fade_with_it(talking):
    composite = composite_over(talking)
    straight, alpha = coded_rgb(next(ElementClip(composite).frames()).picture)
    multiplied, _ = coded_rgb(next(ElementClip(composite, True).frames()).picture)
    near = (cv2.dilate((alpha > 0.5).astype(np.uint8), np.ones((9, 9))) > 0) & (alpha == 0)
    assert near.sum() > 50 and np.abs(straight[near] - RED).max() < 0.02
    assert np.abs(multiplied - straight * alpha[..., None])[alpha > 0].max() < 3 / 1023
    assert np.abs(multiplied[alpha == 0]).max() < 1e-6
    scaled = cv2.resize(straight, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(alpha, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert np.abs(scaled[shown > 0.3] - RED).max() < 0.03, "edges darken when the element is scaled"


def test_over_the_footage_without_its_head_it_is_the_composite(talking):
    """With the real picture of the man as his new head, moved on by some frames."""
    composite = composite_over(talking, FootageHeads)
    plate = CompositeClip(talking, composite.track, None, None, composite.options)
    element = ElementClip(composite)
    for head, behind, whole in zip(element.frames(), plate.frames(), composite.frames()):
        rgb, alpha = coded_rgb(head.picture)
        below, _ = coded_rgb(behind.picture)
        wanted, _ = coded_rgb(whole.picture)
        error = np.abs(rgb * alpha[..., None] + below * (1 - alpha[..., None]) - wanted).max(-1) * 255
        away = cv2.erode((alpha == 0).astype(np.uint8), np.ones((9, 9))) > 0  # chroma, at half the resolution, reaches over
        assert error[away].max() < 1
        assert error.mean() < 1 and (not (alpha > 0.98).any() or error[alpha > 0.98].mean() < 1.5)


def test_a_frame_is_the_same_wherever_one_starts(talking):
    element = ElementClip(composite_over(talking, FootageHeads))
    whole = [[view.copy() for view in plane_views(frame.picture)] for frame in element.frames()]
    late = next(element.frames(4))
    assert late.index == 4
    assert all(np.array_equal(a, b) for a, b in zip(whole[4], plane_views(late.picture)))
    times = element.timestamps()
    part = element.trimmed(times[3], times[5])
    cut = list(part.frames())
    assert len(cut) == 2 and part.needs_alpha
    assert all(np.array_equal(a, b) for a, b in zip(whole[4], plane_views(cut[1].picture)))


def test_deep_footage_and_rgb_keep_their_depth(make_clip):
    clip = open_clip(make_clip("deep.mkv", "ffv1", "yuv422p12le", count=3))
    assert ElementClip(composite_over(clip)).info.pixel_format == "yuva444p12le"
    clip = open_clip(make_clip("rgb.mkv", "ffv1", "gbrp10le", count=3))
    element = ElementClip(composite_over(clip))
    assert element.info.pixel_format == "gbrap16le"
    rgb, alpha = coded_rgb(next(element.frames()).picture)
    assert np.abs(rgb[alpha > 0.02] - RED).max() < 0.035


@pytest.mark.parametrize("name, format", [("out.mov", "prores_4444"), ("out.####.exr", "exr"), ("out.webm", "vp9_alpha")])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_a_written_element_lies_over_anything_as_before(talking, tmp_path, name, format, premultiplied):
    element = ElementClip(composite_over(talking), premultiplied)
    written = open_clip(write_clip(element, tmp_path / name, format).path)
    before, alpha = coded_rgb(next(element.frames()).picture)
    after, kept = coded_rgb(next(written.frames()).picture)
    assert np.abs(alpha - kept).mean() < 0.002
    grey = 0.5

    def over(rgb, a, multiplied):
        return (rgb if multiplied else rgb * a[..., None]) + grey * (1 - a[..., None])

    difference = over(before, alpha, premultiplied) - over(after, kept, written.info.premultiplied)
    assert np.abs(difference).mean() < 0.01


def test_the_node_gives_an_element_and_saving_one_without_alpha_is_refused(talking, tmp_path):
    node = node_classes()["LPDHeadElement"]
    composite = composite_over(talking)
    widgets = {widget.name: widget.default for widget in node.widgets()} | {"alpha": "premultiplied"}
    (element,) = node().run(Context(), footage=talking, heads=composite.heads, track=composite.track, driver_track=None, **widgets)
    assert element.info.premultiplied and coded_rgb(next(element.frames()).picture)[1].max() > 0.9
    save = node_classes()["LPDSaveClip"]()
    with pytest.raises(BadInput, match="head element over .* is transparent, which the format h264 cannot hold"):
        save.run(Context(), element, str(tmp_path / "out.mp4"), "h264", False, "1", "")
    part = element.trimmed(0, element.timestamps()[2])
    (saved,) = save.run(Context(), part, str(tmp_path / "out.####.png"), "png", False, "1001", "")
    assert saved.info.pixel_format == "gbrap16le" and (tmp_path / "out.1002.png").is_file()
