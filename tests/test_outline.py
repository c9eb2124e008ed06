"""A painted head's outline: no veils, nothing that belongs to no person, and a real person's edge left as it is."""

import numpy as np
import pytest

from lpd_plugin.reenactment.mattes import crop_mattes
from lpd_plugin.reenactment.outline import one_outline
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import load_matte


@pytest.fixture(scope="module")
def mattes(carphone) -> np.ndarray:
    """Three mattes (256, 256) of a man, soft at hair and shoulders."""
    frames = list(open_clip(carphone).frames())
    crops = np.stack([crop_square(frames[k].rgb(), CropBox(25, 5, 110), 256) for k in (0, 30, 60)])
    return crop_mattes(load_matte(), crops).astype(np.float32) / 255


def moved(matte: np.ndarray, pixels: int) -> np.ndarray:
    """To the right; what comes in is nobody."""
    return np.pad(matte, ((0, 0), (pixels, 0)))[:, : matte.shape[1]]


def half_transparent(matte: np.ndarray) -> float:
    """Share of the person's pixels."""
    return float(((matte > 0.1) & (matte < 0.9)).sum() / (matte >= 0.5).sum())


def test_a_real_persons_matte_stays_as_soft_as_it_was(mattes):
    for matte in mattes:
        outline = one_outline(matte)
        assert np.abs(outline - matte).sum() < 0.02 * matte.sum()  # what this network sees a veil in, a door's frame
        assert half_transparent(outline) > 0.6 * half_transparent(matte)
        assert ((outline >= 0.5) == (matte >= 0.5)).mean() > 0.998


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_of_two_outlines_that_lie_apart_the_one_that_counts_more_is_the_persons(mattes, share):
    near, far = mattes[0], moved(mattes[0], 40)
    veiled = (1 - share) * near + share * far
    outline, chosen = one_outline(veiled), far if share > 0.5 else near
    assert half_transparent(veiled) > 0.3 and half_transparent(outline) < 0.15
    assert np.abs(outline - chosen).sum() < 0.3 * np.abs(veiled - chosen).sum()


def test_a_veil_that_gets_denser_jumps_by_no_more_than_a_third(mattes):
    near, far = mattes[0], moved(mattes[0], 40)
    steps = np.stack([one_outline(np.maximum(near, share * far)) for share in np.linspace(0.3, 0.7, 41, dtype=np.float32)])
    veil = (far > 0.98) & (near < 0.02)
    assert np.abs(np.diff(steps[:, veil], axis=0)).mean(1).max() < 0.37
    assert steps[0].sum() < 1.01 * near.sum() < 0.95 * steps[-1].sum()


def test_what_is_no_part_of_the_person_goes_and_its_head_stays(mattes):
    matte = mattes[0]
    cluttered = matte.copy()
    cluttered[40:60, 2:30] = 1  # a hand beside the head
    cluttered[150:156, :] = 1  # a rod behind the neck
    outline = one_outline(cluttered)
    assert outline[40:60, 2:30].max() == 0
    assert outline[150:156, :30].max() == 0
    assert np.abs(outline - one_outline(matte)).sum() < 0.02 * matte.sum()


def test_a_matte_without_an_edge_is_left_alone():
    for value in (0.0, 0.3, 1.0):
        matte = np.full((64, 64), value, np.float32)
        np.testing.assert_array_equal(one_outline(matte), matte)


def test_near_its_half_way_line_alpha_is_what_was_painted_at_any_size():
    columns = np.arange(512, dtype=np.float32)
    ramp = np.broadcast_to(np.clip((columns - 256) / 12 + 0.5, 0, 1), (512, 512)).copy()
    np.testing.assert_allclose(one_outline(ramp)[256], ramp[256], atol=1e-6)
