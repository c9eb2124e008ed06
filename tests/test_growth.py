"""A generator grows and is levelled without changing what it renders."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.utils.parametrizations import weight_norm

from lpd_plugin.learning.growth import grow_generator, level_residual_stream
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.model import at_size


def a_generator_whose_stream_drifted(side: int = 32) -> Generator:
    torch.manual_seed(3)
    generator = Generator(at_size(replace(configuration("compact"), max_channels=32), side)).eval()
    with torch.no_grad():
        for block in generator.blocks[2:]:
            block.convolution2.weight.mul_(2)
            block.skip.weight.mul_(6)
    return generator


def conditions(generator: Generator, count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    c = generator.configuration
    return torch.randn(count, c.identity_size), torch.randn(count, c.pose_size)


@torch.no_grad()
def test_levelling_brings_every_upsampling_block_to_unit_scale_and_keeps_the_pictures():
    generator = a_generator_whose_stream_drifted()
    identity, pose = conditions(generator)
    before = torch.cat(generator(identity, pose), 1)
    drifted = level_residual_stream(generator, identity, pose)
    assert drifted[-1] > 20, "the drift this test is about was not there"
    after = torch.cat(generator(identity, pose), 1)
    assert (after - before).abs().max() < 2e-3
    levelled = level_residual_stream(generator, identity, pose)
    assert levelled[2:] == pytest.approx([1.0] * len(levelled[2:]), abs=1e-3)


def test_a_spectrally_normalised_generator_is_not_rescaled():
    generator = Generator(at_size(replace(configuration("published"), base_channels=4, max_channels=16, image_size=32), 16))
    with pytest.raises(ValueError, match="spectrally"):
        level_residual_stream(generator, *conditions(generator))


@torch.no_grad()
def test_a_grown_generator_keeps_the_blocks_it_had():
    small = a_generator_whose_stream_drifted(16)
    grown = Generator(at_size(replace(configuration("compact"), max_channels=32), 32))
    grow_generator(small.state_dict(), grown)
    for old, new in zip(small.blocks, grown.blocks):
        assert torch.equal(old.convolution1.weight, new.convolution1.weight)
    rows = len(small.projector[2].bias)
    assert torch.equal(grown.projector[2].bias[:rows], small.projector[2].bias)
    identity, pose = conditions(small)
    assert torch.equal(small.affine_parameters(identity, pose), grown.affine_parameters(identity, pose)[:, :rows])


@torch.no_grad()
def test_a_weight_normalised_generator_draws_the_same_once_loaded_into_a_plain_one():
    normalised, plain = a_generator_whose_stream_drifted(), a_generator_whose_stream_drifted()
    for parameter in plain.parameters():
        parameter.zero_()
    for module in normalised.modules():
        if isinstance(module, torch.nn.Conv2d):
            weight_norm(module)
    grow_generator(normalised.state_dict(), plain)
    identity, pose = conditions(plain)
    for theirs, ours in zip(normalised(identity, pose), plain(identity, pose)):
        assert torch.allclose(theirs, ours, atol=1e-5)


def test_weights_that_the_larger_generator_has_no_place_for_are_not_passed_over():
    small = a_generator_whose_stream_drifted(16)
    state = small.state_dict() | {"blocks.0.gate.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match="blocks.0.gate.weight"):
        grow_generator(state, small)
