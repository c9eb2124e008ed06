"""Seamless blends: no seam where both sides are one surface, no halo where they are not, nothing outside of alpha."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lpd_plugin.compositing.picture.look import look_at, person_mattes
from lpd_plugin.compositing.plate.fill import push_pull
from lpd_plugin.compositing.seamless import MODES, blended, check_mode
from lpd_plugin.errors import BadInput
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.still_clip import StillClip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_matte

SEAMLESS = [mode for mode in MODES if mode != "straight"]
FACE = (256, 285)  # the middle of the portrait's face in a 512 px square of her head


@pytest.fixture(scope="module")
def portrait(astronaut) -> tuple[np.ndarray, np.ndarray]:
    """Her head, 512 x 512, and its matte."""
    frame = next(StillClip(str(astronaut)).frames())
    look = look_at(frame.picture, CropBox(224 - 105, 115 - 105, 210))
    matte = person_mattes([look], load_matte(device="cpu"))[0]
    matte = np.clip(cv2.resize(matte, (512, 512), interpolation=cv2.INTER_CUBIC), 0, 1)
    return look.crop(512), matte


def without_its_background(face: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The head's own colours carried on outwards, as a layer has them."""
    return push_pull(face, np.clip((matte - 0.9) / 0.1, 0, 1))


def disc(radius: float, width: float = 2.0, shape=(512, 512), centre=FACE) -> np.ndarray:
    """1 inside, a ramp of that width at the radius, exactly 0 outside of it."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / width + 0.5, 0, 1)


def dimmer(rgb: np.ndarray) -> np.ndarray:
    return (rgb * np.float32([0.90, 0.88, 0.86])).astype(np.float32)


def seam(result: np.ndarray, face: np.ndarray, radius: float) -> float:
    """The step at the disc's edge, 1/255: what the result has on a thin ring inside that the face itself has not."""
    ring = (disc(radius - 2) > 0.99) & (disc(radius - 8) < 0.01)
    return 255 * float(np.abs(cv2.GaussianBlur(result - face, (0, 0), 1.5))[ring].mean())


@pytest.mark.parametrize("mode", MODES)
def test_where_alpha_is_nothing_the_background_stays_bit_by_bit(portrait, mode):
    face, matte = portrait
    background = np.random.default_rng(1).normal(0.5, 0.4, face.shape).astype(np.float32)  # also beyond 0..1
    alpha = np.where(matte > 0.02, matte, 0).astype(np.float32)
    before = [array.copy() for array in (face, background, alpha)]
    result = blended(face, background, alpha, mode)
    assert np.array_equal(result[alpha == 0], background[alpha == 0])
    assert result.dtype == np.float32 and np.isfinite(result).all()
    assert all(np.array_equal(a, b) for a, b in zip(before, (face, background, alpha)))  # nothing is written into


def test_straight_is_the_plain_over(portrait):
    face, matte = portrait
    background = np.full_like(face, 0.3)
    over = matte[..., None] * face + 0.3 * (1 - matte[..., None])
    assert np.abs(blended(face, background, matte) - over).max() < 1e-6


@pytest.mark.parametrize(("mode", "times_less"), [("poisson", 4), ("multi-band", 2.5)])
@pytest.mark.parametrize("width", [0.5, 2, 12])
def test_a_face_in_slightly_other_light_meets_the_rest_of_itself(portrait, mode, times_less, width):
    face, _ = portrait
    alpha = disc(80, width)
    before = seam(blended(dimmer(face), face, alpha), face, 80)
    after = seam(blended(dimmer(face), face, alpha, mode), face, 80)
    assert before > 12 and after < before / times_less


@pytest.mark.parametrize("mode", SEAMLESS)
def test_the_fine_structure_is_the_fronts(portrait, mode):
    face, _ = portrait
    front, alpha = dimmer(face[:, ::-1]), disc(80)
    inside = disc(74) > 0.99

    def fine(rgb):
        return (rgb - cv2.GaussianBlur(rgb, (0, 0), 2))[inside]

    made, own = fine(blended(front, face, alpha, mode)), fine(front)
    assert np.corrcoef(made.ravel(), own.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("mode", SEAMLESS)
@pytest.mark.parametrize("colour", [(0.0, 0.05, 0.6), (0.1, 0.7, 0.2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_a_background_of_quite_another_colour_casts_no_halo(portrait, mode, colour):
    face, matte = portrait
    face = without_its_background(face, matte)
    background = np.broadcast_to(np.float32(colour), face.shape).copy()
    change = np.abs(blended(face, background, matte, mode) - blended(face, background, matte)).max(2)
    akin = np.abs(face - background).max(2) < 0.25  # a black suit on black is one surface
    apart = cv2.erode((~akin).astype(np.uint8), np.ones((25, 25))) > 0
    assert 255 * change[apart].mean() < 0.5
    assert np.percentile(change[apart], 99) < 4 / 255


@pytest.mark.parametrize("mode", SEAMLESS)
def test_a_front_that_fits_already_is_not_changed(portrait, mode):
    face, matte = portrait
    assert np.abs(blended(face, face, matte, mode) - face).max() < 1e-5
    assert np.abs(blended(dimmer(face), face, np.ones_like(matte), mode) - dimmer(face)).max() < 1e-5
    assert np.array_equal(blended(face, dimmer(face), np.zeros_like(matte), mode), dimmer(face))


def test_the_middle_of_a_face_keeps_its_own_light_where_only_its_edge_differs(portrait):
    face, _ = portrait
    away = np.abs(blended(dimmer(face), face, disc(110), "poisson") - dimmer(face))
    inside, edge = disc(30) > 0.99, (disc(106) > 0.99) & (disc(98) < 0.01)
    assert away[inside].mean() < 0.75 * away[edge].mean()


@pytest.mark.parametrize("mode", SEAMLESS)
def test_the_correction_is_steady_from_frame_to_frame(carphone, mode):
    corrections, pictures = [], []
    for frame, number in zip(FileClip(str(carphone)).frames(), range(8)):
        rgb = frame.rgb()[:, 20:164].astype(np.float32) / 255
        alpha = disc(36 + 0.5 * (number % 2), 2, rgb.shape[:2], (64, 66))
        corrections.append(blended(dimmer(rgb), rgb, alpha, mode) - blended(dimmer(rgb), rgb, alpha))
        pictures.append(rgb)
    inside = disc(30, 2, rgb.shape[:2], (64, 66)) > 0.99
    flicker, motion = (np.abs(np.diff(np.stack(seen), axis=0))[:, inside].mean() for seen in (corrections, pictures))
    assert flicker < 0.2 * motion and 255 * flicker < 0.6


@pytest.mark.parametrize("mode", MODES)
def test_any_shape_of_region_will_do(mode):
    random = np.random.default_rng(2)
    for height, width in ((2, 3), (5, 300), (301, 7), (33, 65)):
        front, background = random.random((2, height, width, 3), np.float32)
        alpha = random.random((height, width), np.float32)
        assert blended(front, background, alpha, mode).shape == (height, width, 3)


def test_an_unknown_blend_is_refused_with_the_choices():
    with pytest.raises(BadInput, match="straight, multi-band, poisson"):
        check_mode("screen")
