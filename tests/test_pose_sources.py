"""Pose descriptors other than the latent one: found by name, and what the real ones say of pictures."""

from __future__ import annotations

import argparse
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from quarters import crops_of, open_quarters, talking_man
from safetensors.torch import save_file

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.pose_sources import described, known_descriptors, pose_descriptor, registry
from lpd_plugin.learning.training_config import load_training_config
from lpd_plugin.networks.foreign_encoders import FabNetEncoder, X2FaceEncoder
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox


@pytest.fixture(autouse=True)
def nothing_opened():
    registry._opened.cache_clear()


@pytest.fixture(scope="module")
def driver(carphone):
    return talking_man(carphone)


# By name


def test_an_unknown_descriptor_is_refused_with_those_there_are(tmp_path):
    (tmp_path / "c.yaml").write_text("pose: smile\n")
    with pytest.raises(BadInput, match="Unknown pose descriptor 'smile'; choose one of: latent, blendshapes, fabnet, land"):
        load_training_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("pose: landmarks\npose_file: points.dat\n")
    with pytest.raises(BadInput, match="pose_file is set, but the pose descriptor 'landmarks' needs no file"):
        load_training_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("name", ["latent", "quarters", "landmarks"])
def test_a_name_can_be_registered_once(name):
    with pytest.raises(ValueError, match=f"there is a pose descriptor '{name}' already"):
        pose_descriptor(name, size=2)(open_quarters)


def test_an_installed_packages_descriptor_is_found_by_its_entry_point(monkeypatch):
    def load():
        pose_descriptor("of a package", size=5)(open_quarters)

    entry = SimpleNamespace(name="of a package", value="package.poses", load=load)
    monkeypatch.setattr(registry, "entry_points", lambda group, name=entry.name: [entry] if name == entry.name else [])
    assert "of a package" in known_descriptors()
    assert described("of a package")(np.full((3, 8, 8, 3), 99, np.uint8)).shape == (3, 5)
    registry._SOURCES.pop("of a package")
    entry.load = lambda: 1 / 0
    with pytest.raises(BadInput, match=r"'of a package' could not be loaded from package.poses \(division by zero\)"):
        described("of a package")


def test_a_descriptor_that_is_not_as_registered_is_refused(monkeypatch):
    monkeypatch.setitem(registry._SOURCES, "odd", registry.PoseSource("odd", 4, open_quarters))
    with pytest.raises(BadInput, match=r"'odd' gave numbers of shape \(2, 5\), not \(2, 4\)"):
        described("odd")(np.full((2, 8, 8, 3), 99, np.uint8))


def test_a_missing_file_or_package_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="'blendshapes' needs MediaPipe's face_landmarker.task: give its path as pose_file"):
        described("blendshapes")
    with pytest.raises(BadInput, match="There is no file .*none.pth, which the pose descriptor 'x2face' needs"):
        described("x2face", tmp_path / "none.pth")
    (tmp_path / "a.task").write_bytes(b"a")
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(BadInput, match="'blendshapes' needs the package mediapipe: pip install mediapipe"):
        described("blendshapes", tmp_path / "a.task")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install dlib-bin face-recognition-models"):
        described("landmarks")


# Other methods' encoders


def released(encoder: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """Random parameters under the released names, without the counters that torch did not have then."""
    random = torch.Generator().manual_seed(0)
    state = {k: torch.rand(v.shape, generator=random) - 0.3 * ("var" not in k) for k, v in encoder.state_dict().items()}
    return {prefix + k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


X2FACE = "pix2pixSampler.netG.model."


def test_x2faces_driving_network_has_the_released_names_and_shapes():
    shapes = {k: tuple(v.shape) for k, v in released(X2FaceEncoder(), X2FACE).items()}
    below = X2FACE + "submodule." * 6
    assert shapes[X2FACE + "down.0.weight"] == (64, 3, 4, 4)
    assert shapes[X2FACE + "submodule.down.1.weight"] == (128, 64, 4, 4)
    assert shapes[below + "down.2.running_mean"] == (512,)
    assert shapes[below + "submodule.down.1.weight"] == (128, 512, 4, 4)
    assert len(shapes) == 8 + 6 * 4  # convolutions without bias, norms between all but the first and the last


def test_fab_nets_encoder_has_the_released_names_and_shapes():
    shapes = {k: tuple(v.shape) for k, v in released(FabNetEncoder(), "encoder.").items()}
    assert shapes["encoder.0.bias"] == (32,) and shapes["encoder.2.weight"] == (64, 32, 4, 4)
    assert shapes["encoder.3.running_var"] == (64,) and shapes["encoder.18.weight"] == (256,)
    assert shapes["encoder.20.weight"] == (256, 256, 4, 4) and len(shapes) == 8 * 2 + 6 * 4


@pytest.mark.parametrize("name, prefix, entry", [("x2face", X2FACE, "state_dict"), ("fabnet", "encoder.", "state_dict_model")])
def test_a_foreign_encoder_is_read_from_its_checkpoint_and_sees_its_own_crop(name, prefix, entry, tmp_path, driver):
    encoder = X2FaceEncoder() if name == "x2face" else FabNetEncoder()
    state = released(encoder, prefix)
    beside = {"epoch": 3, "opts": argparse.Namespace(lr=0.1), "optimizer": {"state": {}}}
    torch.save({entry: state | {"decoder.0.weight": torch.zeros(1)}, **beside}, tmp_path / "a.pth")
    save_file(state, tmp_path / "a.safetensors")
    crops = crops_of(driver[:2])
    values = described(name, tmp_path / "a.pth")(crops)
    assert values.shape == (2, 128 if name == "x2face" else 256)
    assert np.array_equal(values, described(name, tmp_path / "a.safetensors")(crops))
    assert np.abs(values[0] - values[1]).max() > 1e-4
    outside, inside = crops.copy(), crops.copy()
    edge = 28 if name == "x2face" else 61  # pixels: (1 - 1.4 / 1.8) / 2 of 256, and 43 / 256 of that crop more
    outside[:, :, :edge] = outside[:, :, 256 - edge :] = 0
    inside[:, :, edge : edge + 2] = 0
    assert np.array_equal(described(name, tmp_path / "a.pth")(outside), values)
    assert not np.array_equal(described(name, tmp_path / "a.pth")(inside), values)


def test_a_file_without_the_encoder_is_refused(tmp_path):
    state = released(FabNetEncoder(), "encoder.")
    del state["encoder.12.bias"]
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(BadInput, match=r"holds no FAb-Net weights: encoder.12.bias of shape \(256,\) is needed"):
        described("fabnet", tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"no checkpoint")
    with pytest.raises(BadInput, match="b.pth is damaged or no torch checkpoint"):
        described("x2face", tmp_path / "b.pth")
    torch.save([1, 2], tmp_path / "c.pth")
    with pytest.raises(BadInput, match="c.pth holds no X2Face weights: tensors by name are needed"):
        described("x2face", tmp_path / "c.pth")


# What the real ones say of real faces


def moved(picture: np.ndarray, x: int, y: int) -> np.ndarray:
    return np.roll(picture, (y, x), (0, 1))


@pytest.fixture(scope="module")
def face(astronaut) -> np.ndarray:
    """A head crop of the portrait (256, 256, 3)."""
    return crop_square(next(iter(open_clip(astronaut).frames())).rgb(), CropBox(130, 5, 190), 256)


def test_landmarks_move_with_the_picture_and_there_are_none_without_a_face(face):
    pytest.importorskip("dlib", reason="dlib, which finds the points, is not installed")
    describe = described("landmarks")
    one, right, down, none = describe(np.stack((face, moved(face, 16, 0), moved(face, 0, 12), np.zeros_like(face))))
    assert np.isnan(none).all() and np.abs(one).max() < 0.5
    assert np.median((right - one)[0::2]) * 256 == pytest.approx(16, abs=1)
    assert np.median((right - one)[1::2]) * 256 == pytest.approx(0, abs=1)
    assert np.median((down - one)[1::2]) * 256 == pytest.approx(12, abs=1)
    small = describe(np.ascontiguousarray(face[None, ::2, ::2]))[0]
    assert np.abs(small - one).mean() * 256 < 3  # shares of the side, whatever the side


def test_blendshapes_say_mirror_place_and_size_and_nothing_without_a_face(face, shared):
    pytest.importorskip("mediapipe", reason="mediapipe, which reads the face, is not installed")
    describe = described("blendshapes", shared / "models" / "face_landmarker.task")
    small = np.zeros_like(face)
    small[32:224, 32:224] = face[np.linspace(0, 255, 192).astype(int)][:, np.linspace(0, 255, 192).astype(int)]
    pictures = np.stack((face, moved(face, 16, 0), face[:, ::-1], small, np.zeros_like(face)))
    one, right, mirrored, small, none = describe(pictures)
    assert np.isnan(none).all() and (one[:52] >= 0).all() and (one[:52] <= 1).all()
    assert np.linalg.norm(one[52:55]) == pytest.approx(1, abs=1e-4) and abs(one[52:55] @ one[55:58]) < 1e-3
    assert right[58] - one[58] > 0.5 and abs(right[59] - one[59]) < 0.5  # centimetres to the right, not up
    assert mirrored[58] == pytest.approx(-one[58], abs=0.7)
    assert mirrored[54] == pytest.approx(-one[54], abs=0.15)  # turned the other way
    assert -small[60] > 1.15 * -one[60]  # further away
