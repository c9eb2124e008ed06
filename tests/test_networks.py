"""The networks beyond parity: sizes, algebra, growth."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.growth import grow_generator
from lpd_plugin.networks import layers
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.layers import adaptive_instance_norm, upsampled_convolution, upsampling_kernel
from lpd_plugin.networks.matte import HeadMatte
from lpd_plugin.networks.model import ReenactmentModel, at_size
from lpd_plugin.weights.files import load_model


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def compact():
    torch.manual_seed(0)
    return ReenactmentModel(configuration("compact")).eval().requires_grad_(False)


def test_a_compact_frame_is_drawn_and_painted_in_at_most_5_gflop_a_picture_painted_from(compact):
    poses, drawing, picture = torch.randn(1, 128), torch.rand(1, 4, 128, 128), torch.rand(1, 4, 256, 256)
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        rgb, mask = compact.generator(torch.randn(1, 256), poses)
        painted, _ = compact.painter(torch.cat((rgb, mask), 1).clamp(0, 1), drawing, picture, torch.zeros(1, 28))
    assert rgb.shape == (1, 3, 128, 128) and mask.shape == (1, 1, 128, 128) and painted.shape == (1, 4, 256, 256)
    assert 0.5e9 < flops.get_total_flops() <= 5e9


def test_each_part_of_the_pose_descriptor_comes_from_far_less_capacity_than_the_identity(compact):
    points, mouth = compact.pose_encoder.face, compact.pose_encoder.face.mouth
    for part in (count(compact.pose_encoder.backbone), count(mouth), count(points) - count(mouth)):
        assert part < count(compact.identity_encoder) / 3


def test_what_ships_fits_in_48_megabytes_of_half_precision(compact):
    assert 2 * (count(compact) + count(HeadMatte())) < 48e6
    assert 0.8e6 < count(HeadMatte()) < 1.2e6


def test_channels_follow_the_papers_rule():
    published = configuration("published")
    assert [published.channels_at(r) for r in (8, 16, 32, 64, 128, 256)] == [512, 512, 512, 256, 128, 64]


def test_an_unknown_configuration_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="choose one of: published, compact"):
        configuration("huge")


@pytest.mark.parametrize("side", [4, 7])
def test_upsampling_and_convolving_at_once_equals_doing_one_after_the_other(side):
    torch.manual_seed(1)
    x, weight = torch.randn(2, 5, side, side), torch.randn(6, 5, 3, 3)
    one_by_one = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    assert torch.allclose(upsampled_convolution(x, upsampling_kernel(weight)), one_by_one, atol=1e-5)


def test_a_generators_kernels_are_worked_out_once_and_again_when_its_weights_change(monkeypatch):
    counted = []
    work_out = layers.upsampling_kernel
    monkeypatch.setattr(layers, "upsampling_kernel", lambda weight: counted.append(1) or work_out(weight))
    torch.manual_seed(1)
    generator = Generator(at_size(configuration("compact"), 32)).eval().requires_grad_(False)
    identity, pose = torch.randn(1, 256), torch.randn(1, 64)
    first = generator(identity, pose)[0]
    blocks = len(counted)
    assert blocks == 3 and torch.equal(generator(identity, pose)[0], first) and len(counted) == blocks  # 8, 16 and 32 px
    with torch.inference_mode():
        generator(identity, pose)
    assert len(counted) == blocks
    with torch.no_grad():
        for block in generator.blocks:
            block.convolution1.weight.mul_(-1)
    fresh = Generator(generator.configuration)
    fresh.load_state_dict(generator.state_dict())
    assert torch.allclose(generator(identity, pose)[0], fresh(identity, pose)[0], atol=1e-6) and len(counted) > blocks
    assert generator.double()(identity.double(), pose.double())[0].dtype == torch.float64
    assert copy.deepcopy(generator)(identity.double(), pose.double())[0].dtype == torch.float64


def test_adaptive_instance_norm_gives_each_channel_the_wanted_mean_and_spread():
    x = 3 + 5 * torch.randn(2, 4, 32, 32)
    bias, scale = torch.randn(2, 4), torch.rand(2, 4) + 0.5
    out = adaptive_instance_norm(x, bias, scale)
    assert torch.allclose(out.mean((2, 3)), bias, atol=1e-4)
    assert torch.allclose(out.std((2, 3), correction=0), scale, rtol=1e-3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_both_layouts_a_batch_is_normalised_as_its_samples_are_and_comes_out_as_it_was_laid_out(layout):
    torch.manual_seed(0)
    x, bias, scale = torch.randn(3, 5, 6, 7), torch.randn(3, 5), torch.randn(3, 5)
    out = adaptive_instance_norm(x.to(memory_format=layout), bias, scale)
    spread = (x.var((2, 3), correction=0, keepdim=True) + layers.INSTANCE_NORM_EPS).sqrt()
    wanted = (x - x.mean((2, 3), keepdim=True)) / spread * scale[:, :, None, None] + bias[:, :, None, None]
    assert out.is_contiguous(memory_format=layout)
    assert torch.allclose(out, wanted, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_skip_is_added_to_the_larger_map_as_if_its_pixels_had_been_copied(layout):
    torch.manual_seed(0)
    large, small = (torch.randn(2, 5, *size).to(memory_format=layout) for size in ((6, 8), (3, 4)))
    out = layers.added_to_larger(large, small)
    assert out.is_contiguous(memory_format=layout)
    assert torch.equal(out, large + F.interpolate(small, scale_factor=2, mode="nearest"))


def test_the_loaded_generator_draws_what_plainly_laid_out_weights_draw_and_a_head_among_others_as_alone():
    model = load_model()
    identity, pose = torch.randn(1, model.configuration.identity_size).expand(3, -1), model.pose_bank[:3]
    plain = copy.deepcopy(model.generator).to(memory_format=torch.contiguous_format)
    with torch.inference_mode():
        together = model.generator(identity, pose)
        alone = model.generator(identity[1:2], pose[1:2])
        one_layout = plain(identity, pose)
    assert all(torch.allclose(many[1:2], single, atol=1e-5) for many, single in zip(together, alone))
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(together, one_layout))


def test_a_grown_generator_keeps_all_that_the_small_one_learned():
    torch.manual_seed(2)
    small = Generator(at_size(configuration("compact"), 64))
    large = Generator(at_size(configuration("compact"), 128))
    grow_generator(small.state_dict(), large)
    for index, block in enumerate(small.blocks):
        assert torch.equal(block.convolution1.weight, large.blocks[index].convolution1.weight)
    identity, pose = torch.randn(1, 256), torch.randn(1, 64)
    rows = small.affine_parameters(identity, pose).shape[1]
    assert torch.allclose(
        small.affine_parameters(identity, pose), large.affine_parameters(identity, pose)[:, :rows], atol=1e-5
    )
