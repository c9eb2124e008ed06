"""Pieces that the generator and the discriminator share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm as _spectral_norm

SPECTRAL_EPS = 1e-4  # of the published convolutions; their linear layers use torch's default
INSTANCE_NORM_EPS = 1e-4


def convolution(inputs: int, outputs: int, kernel: int, *, bias: bool, spectral: bool) -> nn.Conv2d:
    """A stride-1 convolution that keeps the size (zero padding), optionally spectrally normalised."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    return _spectral_norm(layer, eps=SPECTRAL_EPS) if spectral else layer


def linear(inputs: int, outputs: int, *, spectral: bool, eps: float = 1e-12) -> nn.Linear:
    """A linear layer, optionally spectrally normalised."""
    layer = nn.Linear(inputs, outputs)
    return _spectral_norm(layer, eps=eps) if spectral else layer


def normalised_weight(layer: nn.Module) -> torch.Tensor:
    """The weight a layer multiplies with, spectral normalisation applied if it has any.

    torch's spectral norm computes the weight in a hook that runs with the layer's own forward;
    whoever uses the weight in another operation has to run that hook, once per pass.
    """
    for hook in layer._forward_pre_hooks.values():
        hook(layer, ())
    return layer.weight


def fold_spectral_norm(module: nn.Module) -> nn.Module:
    """Replace every spectrally normalised weight by its value in place: same results, no power iteration.

    Raises nothing where there is none to fold. For inference only: the singular vectors are dropped.
    """
    for layer in module.modules():
        hooks = [h for h in layer._forward_pre_hooks.values() if type(h).__name__ == "SpectralNorm"]
        if hooks:
            was_training = layer.training
            layer.eval()  # in training mode, folding would advance the power iteration
            nn.utils.remove_spectral_norm(layer)
            layer.train(was_training)
    return module


def upsampling_kernel(weight: torch.Tensor) -> torch.Tensor:
    """The kernel of a transposed convolution of stride 2 that does what nearest x2 upsampling and then a 3x3 convolution do.

    Every output pixel of that pair sees only 2x2 different inputs, so the 4x4 kernel is the 3x3 kernel summed over the 2x2
    copies of a pixel. weight (O, C, 3, 3) -> (C, O, 4, 4).
    """
    kernel = weight.flip(2, 3).transpose(0, 1)
    return (
        F.pad(kernel, (0, 1, 0, 1)) + F.pad(kernel, (1, 0, 0, 1))
        + F.pad(kernel, (0, 1, 1, 0)) + F.pad(kernel, (1, 0, 1, 0))
    )


class UpsamplingKernel:
    """The kernel of a weight as it stands, worked out once for weights that do not change: in small generators adding it up
    for each frame takes a third of the time."""

    def __init__(self):
        self._known: tuple[tuple, torch.Tensor, torch.Tensor] | None = None

    def of(self, weight: torch.Tensor) -> torch.Tensor:
        """(C, O, 4, 4) of weight (O, C, 3, 3)."""
        # Learning, or nothing tells whether it changed, or a compiler looks on, which cannot see where a tensor lies.
        if torch.compiler.is_compiling() or weight.requires_grad or weight.is_inference():
            return upsampling_kernel(weight)
        # Changed in place, a weight's version tells; moved or converted, it keeps its version.
        state = weight._version, weight.data_ptr(), weight.dtype, weight.device
        known = self._known
        if known is None or known[1] is not weight or known[0] != state:
            with torch.inference_mode(False):  # a host runs nodes inside it, and others may use this one outside
                kernel = upsampling_kernel(weight)
                if weight.is_contiguous(memory_format=torch.channels_last):
                    kernel = kernel.contiguous(memory_format=torch.channels_last)
                known = state, weight, kernel
            self._known = known
        return known[2]


def upsampled_convolution(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Nearest x2 upsampling, then a 3x3 convolution with zero padding, in one operation: 4/9 of the multiplications, and the
    large grid is never stored twice.

    Args: x (B, C, H, W); kernel (C, O, 4, 4), see `upsampling_kernel`. Returns (B, O, 2H, 2W).
    """
    return F.conv_transpose2d(x, kernel, stride=2, padding=1)


def added_to_larger(large: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
    """large (B, C, 2H, 2W) plus small (B, C, H, W) upsampled by nearest copies, which are never stored. Layout as large's."""
    _, _, height, width = small.shape
    by_squares = large.unflatten(3, (width, 2)).unflatten(2, (height, 2))
    return (by_squares + small[:, :, :, None, :, None]).flatten(4, 5).flatten(2, 3)


def adaptive_instance_norm(x: torch.Tensor, bias: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """AdaIN(x) = scale * (x - mean(x)) / sqrt(var(x) + eps) + bias, statistics per sample and channel.

    Args: x (B, C, H, W); bias, scale (B, C). Source: Huang and Belongie 2017, eps as published. On a CPU laid out as x.
    """
    if len(x) > 1 and x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last):
        # Folded, it would be laid out anew, and back. On a GPU copies cost less than as many small operations.
        return torch.cat([_normalised(*row) for row in zip(x.split(1), bias.split(1), scale.split(1))])
    return _normalised(x, bias, scale)


def _normalised(x: torch.Tensor, bias: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    # One batch norm over B*C channels: statistics, normalisation, scale and shift in one operation, where variance, mean and
    # a multiply-add of their own take eight times as long. Not folded where there is nothing to fold: reshaping gives a
    # single sample strides by which torch.cat no longer knows channels last.
    folded = x if len(x) == 1 else x.reshape(1, -1, *x.shape[2:])
    out = F.batch_norm(folded, None, None, scale.reshape(-1), bias.reshape(-1), training=True, eps=INSTANCE_NORM_EPS)
    return out.reshape(x.shape) if len(x) != 1 else out
