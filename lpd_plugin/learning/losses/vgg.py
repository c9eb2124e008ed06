"""VGG feature extractors for the content losses; their weights come from a file of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import BadInput
from ...weights.plain_files import read_tensors

# (convolutions, channels) between poolings, up to the last ReLU compared (Simonyan and Zisserman 2015, table 1):
# VGG-19 ends at relu5_1 and VGG-16 at relu5_3, in both the first 30 modules of torchvision's `features`.
PLANS = {
    "VGG-19": ((2, 64), (2, 128), (4, 256), (4, 512), (1, 512)),
    "VGG-16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
}
CAFFE_MEAN = (103.939, 116.779, 123.680)  # of blue, green, red in 0..255
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INPUTS = ("released", "caffe", "torchvision")


class Vgg(nn.Module):
    """The first convolutions of VGG, frozen, with average instead of maximum pooling (Gatys et al. 2016).

    weights: a safetensors or .pth file whose keys are torchvision's ("features.0.weight"), those of its
    `features` alone ("0.weight") or the layers' own names ("conv1_1.weight"); whatever else it holds is ignored.

    inputs: how RGB pictures in [0, 1] become what the network sees.
      "released": 255 * ((x + 1) / 2) - mean, with the means of blue, green and red in that order on channels that
        stay red, green, blue. Two quirks of the authors' code (it halves the contrast of pictures already in
        [0, 1], and it does not swap the channels); the paper's loss weights were found with both.
      "caffe": blue, green, red; 255 * x - mean: what weights converted from Caffe were trained on.
      "torchvision": (x - mean) / std of ImageNet: what torchvision's own weights were trained on.

    Raises `BadInput` for an unknown `inputs`, an unreadable file, or one that lacks a layer.
    """

    def __init__(self, kind: str, weights: str | Path, inputs: str = "released"):
        super().__init__()
        if inputs not in INPUTS:
            raise BadInput(f"Unknown input convention '{inputs}' for {kind}; choose one of: {', '.join(INPUTS)}.")
        self.inputs = inputs
        layers, pools, names, index, channels = [], [], [], 0, 3
        for block, (count, width) in enumerate(PLANS[kind], 1):
            for position in range(count):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                pools.append(block > 1 and position == 0)
                names.append((f"features.{index}", str(index), f"conv{block}_{position + 1}"))
                index, channels = index + 2, width
            index += 1  # the pooling
        self.convolutions, self.pools = nn.ModuleList(layers), pools
        self._fill(kind, Path(weights), names)
        self.eval().requires_grad_(False)

    def _fill(self, kind: str, path: Path, names: list[tuple[str, ...]]) -> None:
        tensors = read_tensors(path, f"{kind} weights")
        for layer, known in zip(self.convolutions, names):
            for part, own in (("weight", layer.weight), ("bias", layer.bias)):
                found = next((tensors[f"{n}.{part}"] for n in known if f"{n}.{part}" in tensors), None)
                if found is None or found.shape != own.shape:
                    has = "is missing" if found is None else f"has shape {tuple(found.shape)}"
                    raise BadInput(
                        f"{path} is not a {kind} weights file: '{known[0]}.{part}' {has}, "
                        f"{tuple(own.shape)} is needed; give one with torchvision's names."
                    )
                own.data.copy_(found)

    def normalised(self, pictures: torch.Tensor) -> torch.Tensor:
        """RGB (B, 3, H, W) in [0, 1] as the network wants it; see `inputs`."""
        if self.inputs == "torchvision":
            return (pictures - _channels(IMAGENET_MEAN, pictures)) / _channels(IMAGENET_STD, pictures)
        if self.inputs == "caffe":
            return 255 * pictures.flip(1) - _channels(CAFFE_MEAN, pictures)
        return 255 * (pictures + 1) / 2 - _channels(CAFFE_MEAN, pictures)

    def forward(self, pictures: torch.Tensor) -> Iterator[torch.Tensor]:
        """The maps after each ReLU, one by one, from RGB (B, 3, H, W) in [0, 1]."""
        x = self.normalised(pictures)
        for convolution, pool in zip(self.convolutions, self.pools):
            x = F.relu(convolution(F.avg_pool2d(x, 2) if pool else x))
            yield x


def feature_distance(network: Vgg, picture: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """sum over ReLUs l of mean(|f_l(picture) - f_l(target)|); no gradient into the target."""
    pairs = zip(network(picture), network(target.detach()))  # layer by layer: one map of the target at a time
    return sum((got - wanted).abs().mean() for got, wanted in pairs)


def _channels(values: tuple[float, float, float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, device=like.device, dtype=like.dtype)[:, None, None]
