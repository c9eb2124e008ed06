"""The poses of X2Face+ and FAb-Net+: what other methods' encoders say of a head, their weights given as files.

Each sees what it was trained on: a narrower crop than ours (VoxCeleb1's, 1.4 times the face box instead of 1.8), of which
FAb-Net looks at the middle. So did the paper's authors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...errors import BadInput
from ...networks.foreign_encoders import FABNET_SIZE, X2FACE_SIZE, FabNetEncoder, X2FaceEncoder
from ...weights.plain_files import read_checkpoint_tensors
from .registry import Describe, pose_descriptor

SIDE = 256  # pixels: both come to one place after eight halvings
MICRO_BATCH = 16
NARROW = 1.4 / 1.8  # of a crop's side: VoxCeleb1's crop
X2FACE_VIEW = (0.0, 0.0, 1.0, 1.0)  # left, top, right, bottom in shares of that crop
FABNET_VIEW = (43 / 256, 66 / 256, 213 / 256, 236 / 256)


@pose_descriptor("x2face", size=X2FACE_SIZE, file="X2Face's released weights (x2face_model_forpython3.pth)")
def open_x2face(file: Path) -> Describe:
    """The driving vector, before it is rectified. Raises `BadInput` for a file without those weights."""
    encoder = filled(X2FaceEncoder(), file, "X2Face weights", "pix2pixSampler.netG.model.")
    return looking(encoder, X2FACE_VIEW)


@pose_descriptor("fabnet", size=FABNET_SIZE, file="FAb-Net's released weights (300w_4views.pt or another with its encoder)")
def open_fabnet(file: Path) -> Describe:
    """The facial attribute embedding. Raises `BadInput` for a file without those weights."""
    return looking(filled(FabNetEncoder(), file, "FAb-Net weights", "encoder."), FABNET_VIEW)


def filled(encoder: nn.Module, file: Path, what: str, prefix: str) -> nn.Module:
    """The encoder with the parameters that a file holds under `prefix`, or under their names alone, for evaluation.

    Raises `BadInput` for a file that cannot be read or lacks some; `what` names them.
    """
    tensors = read_checkpoint_tensors(file, what, ("state_dict", "state_dict_model"))
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)} or tensors
    wanted = encoder.state_dict()
    for key, value in wanted.items():
        if key.endswith("num_batches_tracked"):  # torch had no such counters then
            own.setdefault(key, value)
        elif key not in own or own[key].shape != value.shape:
            raise BadInput(f"{file} holds no {what}: {prefix}{key} of shape {tuple(value.shape)} is needed; fetch them again.")
    encoder.load_state_dict({key: own[key] for key in wanted})
    return encoder.eval().requires_grad_(False)


def looking(encoder: nn.Module, view: tuple[float, float, float, float]) -> Describe:
    """What an encoder of pictures (B, 3, 256, 256) in [0, 1] says of its view of head crops. It says something of any
    picture: no row is NaN."""
    border = (1 - NARROW) / 2
    left, top, right, bottom = (border + NARROW * part for part in view)

    @torch.inference_mode()
    def describe(crops: np.ndarray) -> np.ndarray:
        side, values = crops.shape[1], []
        rows, columns = slice(round(top * side), round(bottom * side)), slice(round(left * side), round(right * side))
        for part in torch.from_numpy(crops[:, rows, columns]).split(MICRO_BATCH):
            pictures = F.interpolate(part.permute(0, 3, 1, 2).float() / 255, (SIDE, SIDE), mode="bilinear", antialias=True)
            values.append(encoder(pictures).numpy())
        return np.concatenate(values)

    return describe
