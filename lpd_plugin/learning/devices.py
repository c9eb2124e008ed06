"""Where the networks of a training run compute, and how exactly."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

from ..errors import BadInput
from ..networks.discriminator import Discriminator
from ..networks.model import ReenactmentModel


def chosen_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """'auto' (CUDA, else MPS, else CPU), 'cpu', 'cuda', 'cuda:N' or 'mps', if this machine has it.

    Of several CUDA devices, 'auto' and 'cuda' mean that of the process's rank on its machine.
    Raises `BadInput` for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise BadInput(f"Unknown device '{name}'; choose auto, cpu, cuda, cuda:N or mps.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput("There is no MPS device here (it needs an Apple GPU); choose --device cpu.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = local_rank if device.index is None else device.index
        if index >= count:
            raise BadInput(f"There is no CUDA device {index} here (torch sees {count}); choose --device cpu or another one.")
        return torch.device("cuda", index)
    return device


def use_bfloat16(model: ReenactmentModel, discriminator: Discriminator, device: torch.device) -> None:
    """Run the networks' convolutions in bfloat16; what leaves them is float32, so losses are.

    The projection to AdaIN parameters stays in float32: a scale off by 2^-9 shifts a whole channel.
    """
    encoders = [(backbone, "forward") for backbone in model.backbones]
    for owner, name in (*encoders, (model.generator, "render"), (discriminator, "forward")):
        setattr(owner, name, _mixed(getattr(owner, name), device.type))


def _mixed(function: Callable, device_type: str) -> Callable:
    @functools.wraps(function)
    def mixed(*arguments, **options):
        with torch.autocast(device_type, torch.bfloat16):
            result = function(*arguments, **options)
        return _as_float(result)

    return mixed


def _as_float(result):
    if isinstance(result, (tuple, list)):
        return type(result)(_as_float(part) for part in result)
    return result.float()


def use_channels_last(model: ReenactmentModel, discriminator: Discriminator) -> None:
    """Channels-last weights for encoders and discriminator.

    Not the generator's: its norms fold the batch into the channels, which needs whole planes.
    """
    for network in (model.identity_encoder, model.pose_encoder, discriminator):
        network.to(memory_format=torch.channels_last)


def compile_networks(model: ReenactmentModel, discriminator: Discriminator) -> None:
    """torch.compile in place: parameter names stay."""
    for network in (*model.backbones, model.generator, discriminator):
        network.compile()


@torch.no_grad()
def advance_spectral_norm(module: nn.Module) -> None:
    """One power iteration of every spectral norm, then none until the next call.

    torch iterates at every forward pass, so that a pass would depend on how many came before it; once a
    step, every micro-batch and every process sees the same weights.
    """
    for layer in module.modules():
        for hook in layer._forward_pre_hooks.values():
            if type(hook).__name__ == "SpectralNorm":
                layer.train()
                hook(layer, ())
                layer.eval()  # only the hook asks: such layers behave alike in both modes
