"""The projection discriminator: is this a real frame of that training video?"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm

from .configurations import Configuration
from .layers import SPECTRAL_EPS, convolution, linear


class DownBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, (average /2), plus a skip.

    The released discriminator's first ReLU works in place, so its skip branch and the features handed
    to feature matching are the rectified tensor; the released weights were trained that way. Here the
    input is rectified by the caller, which keeps the rectified tensor as the feature.
    """

    def __init__(self, inputs: int, outputs: int, downsample: bool):
        super().__init__()
        self.downsample = downsample
        self.convolution1 = convolution(inputs, outputs, 3, bias=True, spectral=True)
        self.convolution2 = convolution(outputs, outputs, 3, bias=True, spectral=True)
        self.skip = None
        if downsample or inputs != outputs:
            self.skip = convolution(inputs, outputs, 1, bias=True, spectral=True)

    def forward(self, rectified: torch.Tensor) -> torch.Tensor:
        out = self.convolution2(F.relu(self.convolution1(rectified)))
        out = out + (rectified if self.skip is None else self.skip(rectified))
        return F.avg_pool2d(out, 2) if self.downsample else out


class Discriminator(nn.Module):
    """Residual projection discriminator with one embedding per training video (paper section 3.3).

    Spectrally normalised in every configuration: it is what keeps the adversarial game stable.
    """

    def __init__(self, configuration: Configuration, labels: int):
        super().__init__()
        width = configuration.discriminator_channels
        self.first1 = convolution(3, width, 3, bias=True, spectral=True)
        self.first2 = convolution(width, width, 3, bias=True, spectral=True)
        self.first_skip = convolution(3, width, 1, bias=True, spectral=True)
        count = configuration.discriminator_blocks
        halvings = min(int(math.log2(configuration.image_size)) - 2, count)
        blocks = []
        for index in range(1, count):
            last = index == count - 1
            wanted = min(width * 2, configuration.max_channels) if index < halvings else width
            outputs = configuration.identity_size if last else wanted
            blocks.append(DownBlock(width, outputs, downsample=index < halvings))
            width = outputs
        self.blocks = nn.ModuleList(blocks)
        self.score = linear(width, 1, spectral=True, eps=SPECTRAL_EPS)
        embedding = nn.Embedding(labels, width)
        nn.init.uniform_(embedding.weight, -0.1, 0.1)
        self.label_embedding = spectral_norm(embedding, eps=SPECTRAL_EPS)

    def forward(
        self, picture: torch.Tensor, label: torch.Tensor, learn_label: bool = True
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """picture (B, 3, S, S) = rgb * mask, label (B,) int64 -> score (B,), features (one per block).

        learn_label=False lets no gradient into the labels' embeddings.
        """
        out = self.first2(F.relu(self.first1(picture))) + self.first_skip(picture)
        out = F.avg_pool2d(out, 2)
        features = []
        for block in self.blocks:
            rectified = F.relu(out)
            features.append(rectified)
            out = block(rectified)
        features.append(out)  # nothing rectifies the last one in place
        pooled = F.relu(out).sum((2, 3))
        embedding = self.label_embedding(label)
        embedding = embedding if learn_label else embedding.detach()
        return (pooled * embedding).sum(1) + self.score(pooled)[:, 0], features
