"""Edges and grain are measured in the footage and given to the generated head."""

import cv2
import numpy as np
import pytest
from composite_media import fixed_track, flat_picture

from lpd_plugin.compositing.head.enlarge import enlarged
from lpd_plugin.compositing.head.grain import Grain, measure_grain
from lpd_plugin.compositing.head.sharpness import edge_spread, match_sharpness
from lpd_plugin.compositing.head.texture import (
    Probe,
    Texture,
    TextureOptions,
    around_head,
    code_step,
    measure_texture,
    region_for_grain,
)
from lpd_plugin.compositing.picture.look import Look, frames_at, look_at
from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.heads import Head
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect, box_rect, read_region

# Squares of heads in the shared footage, inside the picture: left, top, side.
FILMED = {
    "foot_01_static_1080p.mp4": (700, 143, 459),
    "foot_03_moving_camera.mp4": (504, 0, 516),
    "foot_06_profile.mp4": (255, 0, 361),
    "foot_08_static_vertical.mp4": (340, 402, 476),
}


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def noise(shape, codes: float, blur: float, seed: int) -> np.ndarray:
    """Of a standard deviation in 255ths; each channel its own."""
    made = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    made = blurred(made, blur) if blur else made
    return made / made.std() * np.float32(codes / 255)


@pytest.fixture(scope="module")
def portrait(astronaut) -> np.ndarray:
    """The demo's portrait (512, 512, 3) with its own grain taken out."""
    return blurred(cv2.imread(str(astronaut))[..., ::-1].astype(np.float32) / 255, 1.2)


def squares(footage, name: str, numbers) -> list[np.ndarray]:
    """The head's square in frames of the shared footage."""
    left, top, side = FILMED[name]
    rect = Rect(left, top, left + side, top + side)
    return [read_region(f.picture, rect).clip(0, 1) for f in frames_at(open_clip(footage / name), numbers)]


def strength(grain: Grain) -> float:
    return float(grain.sigma.mean() * 255)


# Grain


@pytest.mark.parametrize("blur", [0.0, 0.7, 1.3])
@pytest.mark.parametrize("codes", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("frames", [1, 3])
def test_grain_added_to_a_portrait_is_measured_and_made_again_to_fifteen_percent(portrait, codes, blur, frames):
    noisy = [portrait + noise(portrait.shape, codes, blur, seed) for seed in range(frames)]
    measured = measure_grain(noisy)
    again = measure_grain([portrait + measured.synthesise(portrait, 5, number) for number in range(frames)])
    assert strength(measured) == pytest.approx(codes, rel=0.15)
    assert strength(again) == pytest.approx(strength(measured), rel=0.15)
    neighbour = blurred(np.eye(1, 41, 20, dtype=np.float32), blur)[0] if blur else np.eye(1, 41, 20)[0]
    expected = np.correlate(neighbour, neighbour, "full")[40:42]
    assert measured.luma[6, 7] == pytest.approx(expected[1] / expected[0], abs=0.12)


def test_grain_is_measured_in_filmed_frames_while_the_head_moves(footage):
    clean = [blurred(one, 1.0) for one in squares(footage, "foot_01_static_1080p.mp4", (0, 40, 80))]
    measured = measure_grain([one + noise(one.shape, 4.0, 0.7, seed) for seed, one in enumerate(clean)])
    assert strength(measured) == pytest.approx(4.0, rel=0.15)


def test_texture_and_compression_are_not_taken_for_grain(footage):
    for name in FILMED:  # compressed so strongly that nothing is left of the camera's noise; one has printed wallpaper
        frames = squares(footage, name, (0, 20, 40))
        measured = measure_grain(frames, 1 / 255)
        assert measured.none, name
        assert not measured.synthesise(frames[0], 0, 0).any()


def test_grain_that_grows_with_brightness_is_followed(portrait):
    ramp = np.repeat(np.linspace(0.05, 0.95, 512, dtype=np.float32)[:, None], 512, 1)[..., None].repeat(3, 2)
    noisy = [ramp + (0.3 + ramp) * noise(ramp.shape, 4.0, 0.0, seed) for seed in range(3)]
    sigma = measure_grain(noisy).sigma.mean(1) * 255
    middles = (np.arange(8) + 0.5) / 8
    assert sigma == pytest.approx(4 * (0.3 + middles), rel=0.15)


def test_what_rounding_to_codes_adds_is_not_taken_for_grain(portrait):
    def rounded(codes):
        return [np.rint((portrait + noise(portrait.shape, codes, 0.0, seed)) * 255) / 255 for seed in range(3)]

    assert measure_grain(rounded(0.15), 1 / 255).none
    assert strength(measure_grain(rounded(1.0), 1 / 255)) == pytest.approx(1.0, rel=0.1)


def test_colour_grain_keeps_its_colours(portrait):
    """Grain in luma alone is grey, grain in each channel is not."""
    grey = [portrait + noise(portrait.shape[:2], 3.0, 0.0, seed)[..., None] for seed in range(2)]
    coloured = [portrait + noise(portrait.shape, 3.0, 0.0, seed) for seed in range(2)]
    for frames, low, high in ((grey, 0.97, 1.01), (coloured, -0.05, 0.1)):
        made = measure_grain(frames).synthesise(portrait, 0, 0).reshape(-1, 3)
        found = np.corrcoef(made.T)
        assert low < found[0, 1] < high and low < found[1, 2] < high


def test_grain_has_no_mean_is_the_same_for_a_frame_and_another_for_the_next(portrait):
    grain = Grain(np.full((8, 3), 4 / 255))
    made = grain.synthesise(portrait, 7, 3)
    assert np.abs(made.mean((0, 1))).max() < 0.05 / 255
    other = Grain(np.full((8, 3), 4 / 255))
    other.synthesise(portrait, 7, 2)  # what was asked for before does not matter
    assert np.array_equal(other.synthesise(portrait, 7, 3), made)
    for seed, frame in ((7, 4), (8, 3)):
        assert abs(np.corrcoef(made.ravel(), grain.synthesise(portrait, seed, frame).ravel())[0, 1]) < 0.02


def test_grain_lies_still_in_the_picture_while_the_region_moves(portrait):
    grain = Grain(np.full((8, 3), 4 / 255))
    large = cv2.resize(portrait, (700, 700))
    one = grain.synthesise(large, 1, 9, (0, 0))
    part = grain.synthesise(np.ascontiguousarray(large[130:650, 40:600]), 1, 9, (40, 130))
    assert np.abs(part - one[130:650, 40:600]).max() < 1e-6


# Sharpness


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_a_blur_of_known_width_is_measured_to_fifteen_percent(astronaut, footage, sigma):
    faces = [squares(footage, name, [4])[0] for name in list(FILMED)[:2]]
    for sharp in (*faces, cv2.imread(str(astronaut))[:330, 60:390, ::-1].astype(np.float32) / 255):
        own = edge_spread(sharp)
        assert edge_spread(blurred(sharp, sigma)) == pytest.approx(np.hypot(own, sigma), rel=0.15)


def test_grain_does_not_pass_for_sharpness(portrait):
    for codes in (2.0, 4.0):
        noisy = blurred(portrait, 1.5) + noise(portrait.shape, codes, 0.0, 1)
        assert edge_spread(noisy) == pytest.approx(edge_spread(blurred(portrait, 1.5)), rel=0.1)


def test_without_edges_no_sharpness_is_claimed():
    assert edge_spread(np.full((200, 200, 3), 0.5, np.float32)) is None
    assert edge_spread(np.random.default_rng(0).random((200, 200, 3), np.float32), np.zeros((200, 200))) is None


@pytest.mark.parametrize("own, wanted", [(1.5, 3.0), (2.0, 2.5), (2.0, 1.5), (3.0, 1.9), (1.6, 1.2)])
def test_edges_are_given_the_spread_that_was_asked_for_to_fifteen_percent(footage, own, wanted):
    face = squares(footage, "foot_03_moving_camera.mp4", [4])[0]
    soft = blurred(face, np.sqrt(own**2 - edge_spread(face) ** 2))
    own = edge_spread(soft)
    assert edge_spread(match_sharpness(soft, own, wanted)) == pytest.approx(wanted, rel=0.15)


def test_sharpening_makes_no_halos_and_stays_bounded():
    edge = np.full((80, 200, 3), 0.2, np.float32)
    edge[:, 100:] = 0.7
    soft = blurred(edge, 2.5)
    sharp = match_sharpness(soft, 2.5, 0.3)  # more than can be had
    assert sharp.max() < 0.7 + 0.06 and sharp.min() > 0.2 - 0.06
    slopes = [np.diff(one[40, :, 0]).max() for one in (edge, sharp, soft)]
    assert slopes[2] * 1.5 < slopes[1] < slopes[0]
    flat = np.abs(sharp - edge)[:, np.r_[0:85, 115:200]]
    assert flat.max() < 1e-3


# All of it


class Filmed:
    """A filmed head as footage with grain, and as a generator would draw it: 256 pixels, soft, without grain."""

    codes, softness = 4.0, 0.6

    def __init__(self, footage):
        clip = open_clip(footage / "foot_03_moving_camera.mp4")
        self.track = fixed_track([float(t) for t in clip.timestamps()], (770.2, 266.1), 516.0, (1280, 720))
        self.region = region_for_grain(self.track, 1280, 720)
        self.box = self.track.box(0)
        self.rect = box_rect(self.box, 1280, 720)
        y, x = np.mgrid[:256, :256] / 255 - 0.5
        self.matte = np.clip((0.42 - np.hypot(x * 1.2, y)) * 40, 0, 1).astype(np.float32)
        self.probes, self.clean = [], []
        for number, frame in enumerate(frames_at(clip, (0, 8, 16))):
            picture = read_region(frame.picture, Rect(0, 0, 1280, 720))
            grainy = picture + noise(picture.shape, self.codes, 0.7, number)
            clean = Look(self.box, self.rect, picture[self.rect.slices()])
            head = Head(blurred(clean.crop(), self.softness), self.matte)
            look = Look(self.box, self.rect, grainy[self.rect.slices()])
            self.probes.append(Probe(look, self.matte, head, grainy[self.region.slices()]))
            self.clean.append(clean.rgb)

    def drawn(self, number: int) -> np.ndarray:
        return enlarged(self.probes[number].head.rgb, self.box, self.rect)


@pytest.fixture(scope="module")
def filmed(footage) -> Filmed:
    return Filmed(footage)


@pytest.fixture(scope="module")
def texture(filmed) -> Texture:
    return measure_texture(filmed.probes, TextureOptions(seed=3), step=0.0)


def test_a_soft_clean_head_gets_the_footages_edges_and_grain(filmed, texture):
    inside = cv2.resize(filmed.matte, filmed.clean[1].shape[1::-1]) > 0.99
    head = filmed.drawn(1)
    made = texture.apply(head, inside.astype(np.float32), 1, filmed.box, filmed.rect)
    soft, sharp, real = (edge_spread(one, inside) for one in (head, made, filmed.clean[1]))
    assert soft > 1.4 * real
    assert sharp < real + 0.4 * (soft - real)
    added = made - texture.sharpened(head, inside.astype(np.float32), filmed.box, filmed.rect)
    assert added[inside].std() * 255 == pytest.approx(filmed.codes, rel=0.15)


def test_a_frame_is_the_same_wherever_rendering_began(filmed, texture):
    alpha = np.ones(filmed.clean[0].shape[:2], np.float32)
    fresh = Texture(texture.options, texture.own, texture.wanted, texture.grain)
    for number in (0, 1):
        texture.apply(filmed.drawn(0), alpha, number, filmed.box, filmed.rect)
    one, other = (t.apply(filmed.drawn(0), alpha, 2, filmed.box, filmed.rect) for t in (texture, fresh))
    assert np.array_equal(one, other)


def test_working_in_strips_and_in_the_mattes_part_leaves_no_seams(filmed, texture):
    head, alpha = filmed.drawn(0), np.ones(filmed.clean[0].shape[:2], np.float32)
    whole = texture.apply(head, alpha, 2, filmed.box, filmed.rect)
    part = np.zeros_like(alpha)
    part[150:330, 120:400] = 1
    inner = texture.apply(head, part, 2, filmed.box, filmed.rect)
    assert np.abs(inner - whole)[150:330, 120:400].max() < 1e-5
    assert np.array_equal(inner[:130], head[:130]) and np.array_equal(inner[:, 420:], head[:, 420:])


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.8, 1.0])
def test_over_the_footage_by_any_alpha_the_sum_has_the_footages_grain(filmed, texture, alpha):
    shape = (400, 400)
    footage, layer = noise((*shape, 3), filmed.codes, 0.7, 77) + 0.5, np.full((*shape, 3), 0.5, np.float32)
    grain = Texture(texture.options, None, None, Grain(np.full((8, 3), filmed.codes / 255)))
    layer = grain.grained(layer, np.full(shape, alpha, np.float32), 0, Rect(0, 0, *shape))
    over = footage + alpha * (layer - footage)
    assert over.std() * 255 == pytest.approx(filmed.codes, rel=0.06)


def test_where_the_layer_shows_the_footage_itself_no_grain_is_added(texture):
    layer, alpha = np.full((64, 64, 3), 0.5, np.float32), np.ones((64, 64), np.float32)
    made = np.zeros_like(alpha)
    made[:, 32:] = 1
    result = texture.grained(layer, alpha, 0, Rect(0, 0, 64, 64), made)
    assert np.array_equal(result[:, :32], layer[:, :32])
    assert result[:, 32:].std() > 1 / 255


def test_options_that_are_off_change_nothing(filmed, texture):
    head, alpha = filmed.drawn(0), np.ones(filmed.clean[0].shape[:2], np.float32)
    off = Texture(TextureOptions(sharpness=0, grain=0), texture.own, texture.wanted, texture.grain)
    assert np.array_equal(off.apply(head, alpha, 0, filmed.box, filmed.rect), head)
    nothing = measure_texture([], TextureOptions())
    assert np.array_equal(nothing.apply(head, alpha, 0, filmed.box, filmed.rect), head)
    assert np.array_equal(texture.apply(head, np.zeros_like(alpha), 0, filmed.box, filmed.rect), head)


@pytest.mark.parametrize("options", [{"sharpness": 1.5}, {"grain": -0.1}, {"detail": 2}, {"seed": -1}])
def test_options_out_of_range_are_refused_by_name(options):
    name = next(iter(options))
    with pytest.raises(BadInput, match=name):
        TextureOptions(**options)


def test_what_a_probe_needs_is_read_from_the_picture():
    picture = flat_picture("yuv420p", (126, 128, 128), 320, 240)
    track = fixed_track([0.0, 0.04], (160, 100), 120, (320, 240), absent=(1,))
    region = region_for_grain(track, 320, 240)
    assert (region.width, region.height) == (168, 168)
    assert around_head(picture, region).shape == (168, 168, 3)
    assert code_step(picture) == pytest.approx(1 / 219)
    assert region_for_grain(fixed_track([0.0], (1, 1), 9, (320, 240), absent=(0,)), 320, 240) is None
    assert look_at(picture, track.box(0)).rgb.shape == (120, 120, 3)
