"""What nobody ever saw is filled in: smoothly, or with texture from around."""

import cv2
import numpy as np
import pytest

from lpd_plugin.compositing.plate.fill import fill_smoothly, push_pull
from lpd_plugin.compositing.plate.patch_fill import patch_fill


def ramp() -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(0, 1, 120, dtype=np.float32)
    known = np.ones((90, 120), np.float32)
    known[20:70, 30:90] = 0
    return np.repeat(np.broadcast_to(x, (90, 120))[..., None], 3, 2).copy(), known


def test_holes_are_filled_smoothly_and_known_pixels_stay():
    picture, known = ramp()
    for fill in (push_pull, fill_smoothly):
        filled = fill(np.where(known[..., None] > 0, picture, 9), known)
        assert np.array_equal(filled[known > 0], picture[known > 0])
        assert np.abs(filled - picture).max() < 0.1
        assert np.abs(np.diff(filled[:, :, 0], axis=1)).max() < 0.1  # no seam
    assert not push_pull(picture, np.zeros_like(known)).any()
    assert push_pull(picture[..., :1], known).shape == (90, 120, 1)


def stripes() -> np.ndarray:
    """Folds of a curtain: vertical stripes, 16 pixels apart."""
    x = np.arange(240, dtype=np.float32)
    row = 0.5 + 0.3 * np.sin(2 * np.pi * x / 16)
    return np.repeat(np.broadcast_to(row, (200, 240))[..., None], 3, 2).copy()


def test_texture_goes_on_behind_the_head():
    picture = stripes()
    hole = np.zeros((200, 240), bool)
    hole[60:140, 90:150] = True
    filled = patch_fill(np.where(hole[..., None], 9, picture).astype(np.float32), ~hole, hole)
    assert np.array_equal(filled[~hole], picture[~hole])
    assert np.abs(filled - picture)[hole].mean() < 0.08  # a smooth fill misses by 0.19
    assert filled[hole].std() > 0.7 * picture[hole].std()


def test_the_body_is_neither_copied_nor_changed():
    picture = stripes()
    picture[140:] = (1, 0, 0)
    hole, body = np.zeros((200, 240), bool), np.zeros((200, 240), bool)
    hole[60:140, 90:150], body[140:] = True, True
    filled = patch_fill(picture, ~hole & ~body, hole)
    assert np.array_equal(filled[body], picture[body])
    red = (filled[..., 0] - filled[..., 1])[hole]
    assert np.abs(red).max() < 0.1


def test_the_same_hole_is_filled_the_same_way_twice():
    random = np.random.default_rng(3)
    picture = cv2.GaussianBlur(random.random((90, 120, 3)).astype(np.float32), (0, 0), 2)
    hole = np.zeros((90, 120), bool)
    hole[30:60, 40:80] = True
    assert np.array_equal(patch_fill(picture, ~hole, hole), patch_fill(picture, ~hole, hole))


@pytest.mark.parametrize("known", [0, 3])
def test_with_hardly_anything_known_there_is_no_texture_and_no_error(known):
    picture = np.full((60, 80, 3), 0.25, np.float32)
    source = np.zeros((60, 80), bool)
    source[:known] = True
    filled = patch_fill(picture, source, ~source)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[source], picture[source])
