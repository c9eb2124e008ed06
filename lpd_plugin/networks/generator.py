"""The generator: identity embedding and pose descriptor in, a head and its foreground mask out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .configurations import Configuration
from .layers import UpsamplingKernel, adaptive_instance_norm, added_to_larger, convolution, linear, normalised_weight, upsampled_convolution


class ResidualBlock(nn.Module):
    """AdaIN, ReLU, (x2), 3x3, AdaIN, ReLU, 3x3, plus a skip that is 1x1 where channels or size change."""

    def __init__(self, inputs: int, outputs: int, upsample: bool, spectral: bool):
        super().__init__()
        self.inputs, self.outputs, self.upsample = inputs, outputs, upsample
        self.convolution1, self.kernel = convolution(inputs, outputs, 3, bias=False, spectral=spectral), UpsamplingKernel()
        self.convolution2 = convolution(outputs, outputs, 3, bias=False, spectral=spectral)
        self.skip = None
        if upsample or inputs != outputs:
            self.skip = convolution(inputs, outputs, 1, bias=True, spectral=spectral)

    @property
    def norm_widths(self) -> tuple[int, int]:
        return self.inputs, self.outputs

    def forward(self, x: torch.Tensor, affine: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        # Normalisation and ReLU run before the upsampling: nearest copies change neither.
        out = adaptive_instance_norm(x, *affine[0]).relu_()
        if self.upsample:
            out = upsampled_convolution(out, self.kernel.of(normalised_weight(self.convolution1)))
        else:
            out = self.convolution1(out)
        out = self.convolution2(adaptive_instance_norm(out, *affine[1]).relu_())
        skip = x if self.skip is None else self.skip(x)
        # A 1x1 convolution commutes with nearest upsampling.
        return added_to_larger(out, skip) if self.upsample else out + skip


class Generator(nn.Module):
    """A learned constant, residual blocks, upsampling blocks, all steered by AdaIN (paper section 3.2)."""

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        spectral = configuration.spectral_norm
        width = configuration.channels_at(configuration.start_size)
        self.constant = nn.Parameter(torch.ones(1, width, configuration.start_size, configuration.start_size))
        blocks = [ResidualBlock(width, width, False, spectral) for _ in range(configuration.residual_blocks)]
        for side in configuration.resolutions:
            outputs = configuration.channels_at(side)
            blocks.append(ResidualBlock(width, outputs, True, spectral))
            width = outputs
        self.blocks = nn.ModuleList(blocks)
        self.to_image = convolution(width, 4, 3, bias=True, spectral=spectral)
        self.norm_widths = [w for block in blocks for w in block.norm_widths] + [width]
        joint = configuration.identity_size + configuration.pose_size
        hidden = max(joint, 512) if spectral else joint
        self.projector = nn.Sequential(
            linear(joint, hidden, spectral=spectral), nn.ReLU(), linear(hidden, 2 * sum(self.norm_widths), spectral=spectral)
        )
        if not spectral:
            nn.init.normal_(self.constant)

    def affine_parameters(self, identity: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        """All AdaIN biases and scales. identity (B, identity_size), pose (B, pose_size or more) -> (B, N).

        Of a descriptor, the latent pose alone is used, its first pose_size numbers.
        """
        return self.projector(torch.cat((identity, pose[:, : self.configuration.pose_size]), dim=1))

    def render(self, affine: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures from AdaIN parameters (B, N): rgb (B, 3, S, S) in -0.25..1.25, mask (B, 1, S, S) in 0..1."""
        norms = self._split(affine)
        x = self.constant.expand(len(affine), -1, -1, -1)
        for index, block in enumerate(self.blocks):
            x = block(x, norms[2 * index : 2 * index + 2])
        x = torch.tanh(self.to_image(adaptive_instance_norm(x, *norms[-1]).relu_()))
        return 0.75 * x[:, :3] + 0.5, 0.5 * x[:, 3:] + 0.5

    def forward(
        self, identity: torch.Tensor, pose: torch.Tensor, render_by: Callable[..., tuple[torch.Tensor, ...]] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """identity (B, identity_size), pose (B, pose_size or more) -> rgb, mask as `render`; losses see rgb * mask.
        render_by: computes `render` in its place, where no gradients are asked for."""
        affine = self.affine_parameters(identity, pose)
        if torch.is_grad_enabled():
            return self.render(affine)
        render = render_by or self.render
        if affine.device.type != "cpu":
            return tuple(render(affine))
        rendered = [render(row) for row in affine.split(1)]  # alone, a head's maps stay in a core's cache
        return tuple(torch.cat(parts) for parts in zip(*rendered))

    def _split(self, affine: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(bias, scale) per norm, in the order in which the norms are met."""
        pairs, start = [], 0
        for width in self.norm_widths:
            bias, scale = affine[:, start : start + width], affine[:, start + width : start + 2 * width]
            pairs.append((bias, scale + self.configuration.scale_offset))
            start += 2 * width
        return pairs
