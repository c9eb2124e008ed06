"""Content: the generated picture should look like the target to a network that knows objects."""

from __future__ import annotations

import torch

from .vgg import Vgg, feature_distance


def content_loss(vgg19: Vgg, picture: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """sum over the ReLUs l of VGG-19, 1_1 to 5_1, of mean(|f_l(picture) - f_l(target)|); scalar.

    Args: picture, target (B, 3, S, S) RGB, rgb * mask. Source: paper section 3.3 (weight 3e-2), after Johnson et
    al. 2016; average pooling and input scaling as in `Vgg`.
    """
    return feature_distance(vgg19, picture, target)
