"""Photos, image sequences and IMAGE batches as clips."""

from __future__ import annotations

import zlib
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from lpd_plugin.errors import BadInput
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.open import open_clip, state_of
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.still_clip import SequenceClip, StillClip


@pytest.fixture(scope="module")
def portrait(astronaut) -> np.ndarray:
    """uint8 RGB, 60 x 80, of the real portrait: no symmetry hides a wrong turn."""
    return np.ascontiguousarray(cv2.imread(str(astronaut))[50:110, 190:270, ::-1])


def only(clip):
    frames = list(clip.frames())
    assert len(frames) == 1 and frames[0].time == 0
    return frames[0]


def test_a_photo_is_a_clip_of_one_frame_with_its_own_pixels(astronaut):
    clip = open_clip(astronaut)
    assert clip.info.is_still and clip.info.frame_count == 1 and clip.timestamps() == [0]
    assert (clip.info.width, clip.info.height, clip.info.pixel_format) == (512, 512, "gbrp")
    np.testing.assert_array_equal(only(clip).rgb(), cv2.imread(str(astronaut))[..., ::-1])
    assert clip.trimmed(Fraction(3), None) is clip
    assert clip.fingerprint() == open_clip(astronaut).fingerprint()


EXIF_TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def exif(orientation: int) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)


@pytest.mark.parametrize("orientation", EXIF_TURNS)
def test_a_photo_stands_upright_as_its_exif_says(tmp_path, portrait, orientation):
    data = cv2.imencode(".jpg", portrait[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    segment = exif(orientation)
    path = tmp_path / "phone.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:])
    expected = EXIF_TURNS[orientation](cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
    np.testing.assert_array_equal(only(open_clip(path)).rgb(), expected)


@pytest.mark.parametrize("orientation", (1, 6))
def test_alpha_is_kept_and_turned_with_the_colours(tmp_path, portrait, orientation):
    alpha = portrait[..., 0] // 2
    data = cv2.imencode(".png", np.dstack([portrait[..., ::-1], alpha]))[1].tobytes()
    body = exif(orientation)[6:]
    chunk = len(body).to_bytes(4, "big") + b"eXIf" + body + zlib.crc32(b"eXIf" + body).to_bytes(4, "big")
    path = tmp_path / "cut_out.png"
    path.write_bytes(data[:33] + chunk + data[33:])
    picture = only(open_clip(path)).picture
    assert picture.format.name == "gbrap"
    green, blue, red, shown = plane_views(picture)
    turn = EXIF_TURNS[orientation]
    np.testing.assert_array_equal(np.dstack([red, green, blue]), turn(portrait))
    np.testing.assert_array_equal(shown, turn(alpha))


def test_sixteen_bits_grey_and_odd_sizes_stay(tmp_path, portrait):
    deep = portrait[:59, :79].astype(np.uint16) * 257 + 3
    cv2.imwrite(str(tmp_path / "deep.tif"), deep[..., ::-1])
    clip = open_clip(tmp_path / "deep.tif")
    assert clip.info.pixel_format == "gbrp16le" and (clip.info.width, clip.info.height) == (79, 59)
    np.testing.assert_array_equal(plane_views(only(clip).picture)[0], deep[..., 1])
    cv2.imwrite(str(tmp_path / "grey.png"), portrait[..., 1])
    clip = open_clip(tmp_path / "grey.png")
    assert clip.info.pixel_format == "gray"
    np.testing.assert_array_equal(only(clip).rgb()[..., 2], portrait[..., 1])


def test_an_array_is_a_still_too(portrait):
    clip = StillClip(portrait)
    np.testing.assert_array_equal(only(clip).rgb(), portrait)
    assert clip.fingerprint() == StillClip(portrait.copy()).fingerprint() != StillClip(portrait[::-1]).fingerprint()


def test_a_broken_image_is_refused(tmp_path, astronaut):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(BadInput, match=r"text\.png is not an image that can be read"):
        open_clip(tmp_path / "text.png")


@pytest.fixture
def shot(tmp_path, carphone_pictures):
    """Frames 8 to 13 without 11, numbered so that plain sorting would put 10 first."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in (8, 9, 10, 12, 13):
        cv2.imwrite(str(folder / f"take2_{number}.png"), carphone_pictures[number].to_ndarray(format="bgr24"))
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.parametrize("pattern", ["", "take2_%d.png", "take2_#.png", "take2_*.png"])
def test_a_sequence_follows_its_numbers_and_tells_what_is_missing(shot, carphone_pictures, pattern):
    clip = open_clip(shot / pattern, rate=24)
    assert clip.timestamps() == [Fraction(n, 24) for n in (0, 1, 2, 4, 5)]
    assert clip.info.duration == Fraction(6, 24) and clip.info.variable_rate
    assert len(clip.notes) == 1 and "lacks frame 11" in clip.notes[0]
    frames = list(clip.frames())
    for frame, number in zip(frames, (8, 9, 10, 12, 13), strict=True):
        np.testing.assert_array_equal(frame.rgb(), carphone_pictures[number].to_ndarray(format="rgb24"))
    assert [frame.index for frame in clip.frames(3)] == [3, 4]


@pytest.mark.parametrize("pattern", ["", "take2_%d.png", "take2_9.png"])
def test_images_rendered_again_under_their_names_are_noticed(shot, pattern):
    before = state_of(str(shot / pattern))
    (shot / "notes.txt").write_text("still not an image")
    assert state_of(str(shot / pattern)) == before != ""
    (shot / "take2_9.png").write_bytes((shot / "take2_8.png").read_bytes())
    assert state_of(str(shot / pattern)) != before
    assert state_of(str(shot / "gone.png")) == state_of(str(shot / "gone_%d.png")) == ""


def test_padded_patterns_want_all_their_digits(shot):
    with pytest.raises(BadInput, match=r"no file matches .*take2_%04d.png"):
        open_clip(shot / "take2_%04d.png")


def test_a_sequence_is_trimmed_and_fingerprinted_like_a_file(shot):
    clip = SequenceClip(shot, "23.976")
    assert clip.info.rate == Fraction(24000, 1001)
    part = clip.trimmed(Fraction(1001, 24000), Fraction(5005, 24000))
    assert part.timestamps() == [Fraction(n * 1001, 24000) for n in (0, 1, 3)]
    assert [frame.time for frame in part.frames()] == part.timestamps()
    assert part.trimmed(Fraction(1001, 24000), None).timestamps() == [Fraction(n * 1001, 24000) for n in (0, 2)]
    assert part.fingerprint() != clip.fingerprint() == SequenceClip(shot, "24000/1001").fingerprint()
    with pytest.raises(BadInput, match="shot has no frame between its in point 9 s"):
        clip.trimmed(Fraction(9), None)


def test_images_of_another_size_are_named(shot, portrait):
    cv2.imwrite(str(shot / "take2_14.png"), portrait)
    with pytest.raises(BadInput, match=r"take2_14.png is 80x60, but take2_8.png is 176x144"):
        list(open_clip(shot).frames())


def test_images_of_other_channels_become_like_the_first(shot, carphone_pictures):
    grey = carphone_pictures[14].to_ndarray(format="gray")
    cv2.imwrite(str(shot / "take2_14.png"), grey)
    last = list(open_clip(shot).frames())[-1]
    assert last.picture.format.name == "gbrp"
    assert np.abs(last.rgb()[..., 0].astype(int) - grey).max() <= 1


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "numpy", "uint8"])
def test_an_image_batch_gives_its_pixels_back(portrait, kind):
    batch = np.stack([portrait, portrait[::-1], 255 - portrait])
    images = {
        "numpy": lambda: batch.astype(np.float32) / 255,
        "uint8": lambda: torch.from_numpy(batch.copy()),
    }.get(kind, lambda: (torch.from_numpy(batch.copy()) / 255).to(getattr(torch, kind)))()
    clip = BatchClip(images, 29.97)
    assert clip.info.rate == Fraction(30000, 1001) and clip.info.frame_count == 3
    tolerance = 1 if kind == "bfloat16" else 0
    for frame, expected in zip(clip.frames(), batch, strict=True):
        assert np.abs(frame.rgb().astype(int) - expected).max() <= tolerance
    late = [Fraction(n * 1001, 30000) - Fraction(1, 30) for n in (1, 2)]
    assert clip.trimmed(Fraction(1, 30), None).timestamps() == late


def test_a_batch_keeps_alpha_depth_and_survives_bad_numbers():
    images = torch.zeros(1, 2, 2, 4)
    images[0, 0, 0] = torch.tensor([float("nan"), 2.0, -1.0, 0.5])
    images[0, 1, 1, :3] = 1 / 3
    picture = only(BatchClip(images, depth=16)).picture
    assert picture.format.name == "gbrap16le"
    green, blue, red, alpha = plane_views(picture)
    assert (red[0, 0], green[0, 0], blue[0, 0], alpha[0, 0]) == (0, 65535, 0, 32768)
    assert red[1, 1] == 21845
    assert only(BatchClip(images[..., 3:])).picture.format.name == "gray"


def test_a_batch_is_known_by_its_content(portrait):
    batch = portrait[None].astype(np.float32) / 255
    assert BatchClip(batch).fingerprint() == BatchClip(torch.from_numpy(batch)).fingerprint()
    assert BatchClip(batch).fingerprint() != BatchClip(1 - batch).fingerprint()
    assert BatchClip(batch).fingerprint() != BatchClip(batch, rate=30).fingerprint()


@pytest.mark.parametrize("shape", [(3, 4, 3), (1, 4, 4, 2), (0, 4, 4, 3)])
def test_what_is_no_batch_is_refused(shape):
    with pytest.raises(BadInput, match="an image batch has the shape"):
        BatchClip(np.zeros(shape, np.float32))


def test_impossible_rates_are_refused(shot):
    for rate in (0, -1, "fast", float("nan")):
        with pytest.raises(BadInput, match="the frame rate"):
            open_clip(shot, rate=rate)
