"""What the tests of engines draw: a man's pictures and performance, networks with random weights, heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.video.crop import CropBox, crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.weights.files import load_model


@pytest.fixture(autouse=True)
def a_fresh_machine(monkeypatch, tmp_path):
    """Nothing is remembered and no engine asked for."""
    monkeypatch.setenv("LPD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LPD_ENGINE", raising=False)


@pytest.fixture(scope="module")
def man(carphone):
    """Eight moments of the talking man, 256 px."""
    frames = list(open_clip(carphone).frames())[::15]
    return np.stack([crop_square(frame.rgb(), CropBox(30, 5, 110), 256) for frame in frames])


@pytest.fixture(scope="module")
def person(man):
    return encode_identity(load_model(), man[:4])


@pytest.fixture(scope="module")
def performance(man):
    """The other four moments."""
    model = load_model()
    with torch.inference_mode():
        poses = model.pose_encoder(torch.from_numpy(man[4:]).permute(0, 3, 1, 2).float() / 255).numpy()
    return Pose(np.arange(len(poses)) / 25, poses, np.ones(len(poses), bool), 25.0, model.digest)


def scattered(network):
    """Random weights in every layer, those that begin as zeros too."""
    torch.manual_seed(3)
    for value in network.parameters():
        value.data.add_(0.02 * torch.randn_like(value))
    return network.eval().requires_grad_(False)


def heads(identity, performance, said=None):
    return list(GeneratedHeads(identity, performance, load_model(), 1, note=said.append if said is not None else None))
