"""Mattes of head crops: which pixels are the person, as one piece."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..networks.matte import HeadMatte

MICRO_BATCH = 8


@torch.inference_mode()
def crop_mattes(matte: HeadMatte, crops: np.ndarray) -> np.ndarray:
    """Mattes (K, S, S) uint8 of head crops (K, S, S, 3) uint8 RGB, S a multiple of 32, tidied.

    Each is seen as it is and mirrored, and the mean is taken: twice the work, and half a percent more of the person is right.
    """
    device, mattes = next(matte.parameters()).device, []
    for start in range(0, len(crops), MICRO_BATCH):
        part = torch.from_numpy(np.ascontiguousarray(crops[start : start + MICRO_BATCH])).to(device)
        part = part.permute(0, 3, 1, 2).float() / 255
        mean = (matte(part) + matte(part.flip(-1)).flip(-1)) / 2
        mattes += list(mean[:, 0].float().cpu().numpy())
    return np.stack([(tidied(m) * 255).round().astype(np.uint8) for m in mattes])


def tidied(matte: np.ndarray) -> np.ndarray:
    """One person without holes: what a matte network misses inside a head, or sees elsewhere, would stay in a
    clean plate as an eye, or tear the background. Soft edges are kept."""
    inside = (matte > 0.3).astype(np.uint8)
    _, labels, statistics, centres = cv2.connectedComponentsWithStats(inside, connectivity=4)
    if len(statistics) < 2:
        return matte
    side = matte.shape[0]
    off_centre = np.abs(centres - (side - 1) / 2).max(1) / side
    # The crop is centred on the face; a large component far from it is somebody or something else.
    score = statistics[:, cv2.CC_STAT_AREA] * (1 - off_centre)
    person = (labels == 1 + np.argmax(score[1:])).astype(np.uint8)
    outlines, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = cv2.drawContours(np.zeros_like(person), outlines, -1, 1, cv2.FILLED)
    around = cv2.dilate(solid, np.ones((2 * (side // 32) + 1,) * 2, np.uint8))
    core = cv2.erode(solid, np.ones((2 * (side // 64) + 1,) * 2, np.uint8), borderValue=1)
    return np.where(core > 0, np.float32(1), matte) * around
