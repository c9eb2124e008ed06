"""Networks under the host's memory management: it may move ours off the device, and brings them back when they work."""

from __future__ import annotations

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

from lpd_plugin.weights.residency import brought_by


def register() -> None:
    """Have the host bring our networks to its device, making room for them as for its own."""
    brought_by(_bring)


def _bring(network: nn.Module) -> None:
    patcher = getattr(network, "lpd_patcher", None)
    if patcher is None:
        management = comfy.model_management
        patcher = ModelPatcher(network, load_device=management.get_torch_device(), offload_device=management.unet_offload_device())
        network.lpd_patcher = patcher
    if patcher.model is not network:
        return  # a copy that was made to stay on the CPU
    if patcher.load_device.type == "cpu":
        return  # the host's memory is ours anyway
    with torch.inference_mode(False):  # parameters that were moved inside it could not be adapted any more
        comfy.model_management.load_models_gpu([patcher])
