"""Layers are blended in the picture's own components: as in RGB, and nothing else changes."""

from fractions import Fraction

import numpy as np
import pytest
from composite_media import fixed_track, noise_picture

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.head.dressing import HeadOptions
from lpd_plugin.compositing.head.footage_heads import FootageHeads
from lpd_plugin.compositing.head.texture import TextureOptions
from lpd_plugin.compositing.layer import Paint
from lpd_plugin.compositing.picture import own_grid
from lpd_plugin.compositing.picture.own_grid import Grid, OwnLayer, blend_layers, places_of, read_own_codes, taken
from lpd_plugin.compositing.plate.own_plate import own_plate
from lpd_plugin.reenactment.heads import Head, Heads
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.regions.components import components_of
from lpd_plugin.video.regions.region import Rect, read_region

FORMATS = ["yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p16le", "yuv411p", "yuva420p", "gbrp", "gray12le"]
RECT = Rect(9, 7, 65, 49)


def own_codes_of(picture, rect):
    """A layer's colours that are a picture's very own."""
    components, size = components_of(picture), (picture.width, picture.height)
    places = places_of(components, rect, size)
    codes = [plane_views(picture)[part.plane][place.slices()].astype(np.float32) for part, place in zip(components.parts, places)]
    return lambda piece, wanted: [taken(c, place, one).copy() for c, place, one in zip(codes, places, wanted)]


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_picture_laid_over_itself_stays_as_it_is_even_of_noise(pixel_format):
    picture = noise_picture(pixel_format)
    layer = OwnLayer(np.full((RECT.height, RECT.width), 0.6, np.float32), own_codes_of(picture, RECT))
    result = blend_layers(picture, RECT, [layer])
    assert all(np.array_equal(a, b) for a, b in zip(plane_views(picture), plane_views(result), strict=True))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_another_picture_is_shown_where_the_weight_is_1_and_no_sample_changes_where_it_is_0(pixel_format):
    picture, other = noise_picture(pixel_format), noise_picture(pixel_format, seed=1)
    weight = np.zeros((RECT.height, RECT.width), np.float32)
    weight[9:31, 5:41] = 1
    result = blend_layers(picture, RECT, [OwnLayer(weight, own_codes_of(other, RECT))])
    components, size = components_of(picture), (picture.width, picture.height)
    shown, touched = Rect(16, 16, 48, 36), Rect(14, 16, 50, 38)
    for part, inside, around in zip(components.parts, places_of(components, shown, size), places_of(components, touched, size)):
        before, wanted, after = (plane_views(one)[part.plane] for one in (picture, other, result))
        # New colours stop at the legal codes.
        legal = np.clip(wanted, np.minimum(before, part.lowest), np.maximum(before, part.highest))
        assert np.array_equal(after[inside.slices()], legal[inside.slices()])
        outside = np.ones(before.shape, bool)
        wide = around._replace(left=around.left - 1, top=around.top - 1, right=around.right + 1, bottom=around.bottom + 1)
        outside[wide.slices()] = False
        assert np.array_equal(after[outside], before[outside])


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_picture_read_as_rgb_and_kept_in_its_own_codes_has_the_codes_it_had(pixel_format):
    picture = noise_picture(pixel_format, 300, 260)  # more than one strip
    components, size = components_of(picture), (picture.width, picture.height)
    rect = Rect(0, 0, *size)
    codes = read_own_codes(read_region(picture, rect), rect, components, size)
    unit = 1 << (components_of(picture).parts[0].scale > 300) * 4
    for part, found in zip(components.parts, codes):
        assert np.abs(found - plane_views(picture)[part.plane]).max() < 0.05 * unit * max(1, part.scale / 4096)


def test_chroma_takes_its_weight_from_where_its_samples_lie():
    across = np.broadcast_to(np.arange(16, dtype=np.float32), (8, 16)).copy()
    cells = Rect(0, 0, 8, 4)
    assert np.array_equal(Grid(1, 1).sampled(across, Rect(0, 0, 16, 8), cells)[0], np.arange(0, 16, 2))
    down = np.ascontiguousarray(across.T)
    assert np.array_equal(Grid(1, 1).sampled(down, Rect(0, 0, 8, 16), Rect(0, 0, 4, 8))[:, 0], np.arange(0.5, 16, 2))


class Repeated(Heads):
    """Heads of footage at fewer pixels, with a round matte."""

    def __init__(self, heads):
        self.heads, self.times, self.size = heads, heads.times, heads.size

    def __iter__(self):
        y, x = np.mgrid[: self.size, : self.size] / (self.size - 1) - 0.5
        soft = np.clip((0.34 - np.hypot(x, y)) * 12 + 0.5, 0, 1).astype(np.float32)
        return (head and Head(head.rgb, soft) for head in self.heads)

    def retimed(self, times, end_policy):
        return Repeated(self.heads.retimed(times, end_policy))

    def fingerprint(self):
        return "repeated"


@pytest.mark.parametrize("grain", [0.0, 1.0])
def test_a_composite_looks_as_one_that_was_blended_in_rgb(carphone, monkeypatch, grain):
    clip = FileClip(str(carphone)).trimmed(None, 1)
    size = clip.info.width, clip.info.height
    track = fixed_track(clip.timestamps(), (84.3, 66.7), 101.4, size)
    heads, plate = Repeated(FootageHeads(clip, track, 40)), own_plate(clip.trimmed(None, Fraction(1, 100)), clip)
    options = CompositeOptions(head=HeadOptions(texture=TextureOptions(grain=grain)))
    blended = []
    monkeypatch.setattr("lpd_plugin.compositing.layer.blend_layers", lambda *given: blended.append(1) or own_grid.blend_layers(*given))
    own = [frame.picture for frame, _ in zip(CompositeClip(clip, track, heads, plate, options).frames(), range(4))]
    assert len(blended) >= 4  # the quick way was taken
    monkeypatch.setattr(Paint, "own_layers", lambda *_: None)
    rgb = [frame.picture for frame, _ in zip(CompositeClip(clip, track, heads, plate, options).frames(), range(4))]
    footage = [frame.picture for frame, _ in zip(clip.frames(), range(4))]
    for one, other, before in zip(own, rgb, footage):
        for number, (a, b, c) in enumerate(zip(plane_views(one), plane_views(other), plane_views(before))):
            away, changed = np.abs(a.astype(float) - b), np.abs(a.astype(float) - c)
            assert changed.max() > 3
            assert away.mean() < 0.25
            # Chroma of hard edges, drawn at its own resolution rather than reduced to it, differs by a little.
            assert np.percentile(away, 99.5) <= (3 if number == 0 else 6)
