"""The published configuration computes what the authors' released code computes."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

from lpd_plugin.learning.losses.adversarial import discriminator_hinge, generator_hinge
from lpd_plugin.learning.losses.dice import dice_loss
from lpd_plugin.learning.losses.embedding_match import embedding_match
from lpd_plugin.learning.losses.feature_matching import feature_matching
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.discriminator import Discriminator
from lpd_plugin.networks.layers import fold_spectral_norm
from lpd_plugin.networks.model import ReenactmentModel
from lpd_plugin.weights.published_names import DISCRIMINATOR, EMBEDDER, GENERATOR, own_state

from conftest import SHARED

PARITY = SHARED / "parity"
pytestmark = pytest.mark.skipif(not PARITY.exists(), reason="needs ../shared/parity")
RELATIVE_TOLERANCE = 1e-3  # of the tensor's own standard deviation


def _released_weights(fill, part):
    shapes = json.loads((PARITY / "shapes.json").read_text())[part]
    integer = {k for k in shapes if k.endswith("num_batches_tracked")}
    return fill.fill({k: torch.zeros(s, dtype=torch.int64 if k in integer else torch.float32) for k, s in shapes.items()})


@pytest.fixture(scope="module")
def fill():
    spec = importlib.util.spec_from_file_location("parity_fill", PARITY / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(fill):
    model = ReenactmentModel(configuration("published")).eval()
    model.load_state_dict(own_state(_released_weights(fill, "embedder"), EMBEDDER), strict=False)
    model.generator.load_state_dict(own_state(_released_weights(fill, "generator"), GENERATOR))
    return model


@pytest.fixture(scope="module")
def computed(fill, model):
    """Every number of expected.npz, from our code."""
    discriminator = Discriminator(configuration("published"), 3).eval()
    discriminator.load_state_dict(own_state(_released_weights(fill, "discriminator"), DISCRIMINATOR))
    out, labels = {}, torch.tensor([0, 2])
    mask = (fill.images("mask", 2)[:, :1] > 0.5).float()
    target = fill.images("target", 2) * mask
    with torch.no_grad():
        each = model.identity_encoder.per_picture(fill.images("identity", 6).view(2, 3, 3, 256, 256))
        out["identity_embedding_per_image"], out["identity_embedding"] = each, each.mean(1)
        out["pose_embedding"] = model.pose_encoder(fill.images("pose", 2))
        out["affine_params"] = model.generator.affine_parameters(out["identity_embedding"], out["pose_embedding"])
        rgb, out["mask"] = model.generator(out["identity_embedding"], out["pose_embedding"])
        out["rgb_times_mask"] = rgb * out["mask"]
        out["score_fake"], fake = discriminator(out["rgb_times_mask"], labels)
        out["score_real"], real = discriminator(target, labels)
        out["feature_means_fake"] = torch.stack([f.mean() for f in fake])
        out["feature_means_real"] = torch.stack([f.mean() for f in real])
        out["label_embedding"] = discriminator.label_embedding(labels)
        out["loss_adversarial_generator"] = generator_hinge(out["score_fake"])
        out["loss_adversarial_discriminator"] = discriminator_hinge(out["score_fake"], out["score_real"])
        out["loss_dice"] = dice_loss(out["mask"], mask)
        out["loss_feature_matching"] = 10 * feature_matching(fake, real)
        out["loss_embedding_matching"] = 1e-2 * embedding_match(each[:, 0], out["label_embedding"])
    return out


def test_every_released_parameter_has_a_place_in_the_model(fill, model):
    released = own_state(_released_weights(fill, "embedder"), EMBEDDER)
    own = {k for k in model.state_dict() if k.startswith(("identity_encoder", "pose_encoder"))}
    assert set(released) == own


EXPECTED = np.load(PARITY / "expected.npz") if PARITY.exists() else None


@pytest.mark.parametrize("name", EXPECTED.files if EXPECTED else [])
def test_the_number_equals_the_released_code(computed, name):
    expected = EXPECTED[name]
    error = np.abs(computed[name].numpy() - expected).max()
    scale = expected.std() if expected.size > 1 else np.abs(expected)
    assert error <= RELATIVE_TOLERANCE * scale, f"{name}: off by {error / scale:.1e} of its own scale"


def test_folding_the_spectral_norm_changes_nothing_but_rounding(fill, model):
    identity, pose = torch.randn(1, 512), torch.randn(1, 256)
    folded = ReenactmentModel(configuration("published")).generator.eval()
    folded.load_state_dict(own_state(_released_weights(fill, "generator"), GENERATOR))
    fold_spectral_norm(folded)
    assert not any(key.endswith("weight_orig") for key in folded.state_dict())
    with torch.no_grad():
        for before, after in zip(model.generator(identity, pose), folded(identity, pose)):
            assert (before - after).abs().max() < 1e-4
