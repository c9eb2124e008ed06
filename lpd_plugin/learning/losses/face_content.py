"""Content: the generated face should look like the target's to a network that knows faces."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .vgg import Vgg, feature_distance

FACE_SHARE = 1 / 1.8  # of the crop's side: the face box, by the crop rule


def face_content_loss(vgg16: Vgg, picture: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """sum over the ReLUs l of VGG-16, 1_1 to 5_3, of mean(|f_l(face of picture) - f_l(face of target)|); scalar.

    Args: vgg16 trained to recognise faces (VGGFace, Parkhi et al. 2015); picture, target (B, 3, S, S) RGB,
    rgb * mask. Source: paper section 3.3 (weight 6e-3).
    """
    return feature_distance(vgg16, central_face(picture), central_face(target))


def central_face(pictures: torch.Tensor) -> torch.Tensor:
    """The central 1/1.8 of (B, 3, S, S), stretched to S again by bilinear sampling as the authors' code does.

    Output pixel i samples position S/2 + (i + 1/2 - S/2) / 1.8 (in pixels from the border).
    """
    scale = torch.tensor([[FACE_SHARE, 0.0, 0.0], [0.0, FACE_SHARE, 0.0]], device=pictures.device, dtype=pictures.dtype)
    grid = F.affine_grid(scale.expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
