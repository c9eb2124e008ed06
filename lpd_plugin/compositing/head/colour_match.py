"""Bring the generated head's colours to the footage's: one gain and offset per channel for the whole clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from kornia.color import lab_to_rgb, rgb_to_lab

LARGEST_GAIN = 1.35
LARGEST_OFFSET = 25.0  # CIE Lab units
FACE_AXES = (0.19, 0.26)  # of the square's side: the inside of the face, without hair and background


@dataclass(frozen=True)
class ColourMatch:
    """lab' = lab * gain + offset, in CIE Lab (D65, from sRGB)."""

    gain: np.ndarray
    offset: np.ndarray

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """rgb float32 (S, S, 3); what lies outside 0..1 is clipped by the way through Lab."""
        lab = _to_lab(rgb) * self.gain + self.offset
        back = lab_to_rgb(torch.from_numpy(lab.astype(np.float32)).permute(2, 0, 1)[None])
        return back[0].permute(1, 2, 0).numpy()


def measure_match(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> ColourMatch | None:
    """From pairs of crops (footage, generated), rgb (S, S, 3) of one S each; None without a pair.

    Medians and median deviations inside the face, over all pairs together, so that mouths, glasses and
    highlights do not steer it; gain and offset are bounded.
    """
    footage, generated = [], []
    for real, made in pairs:
        inside = _face(real.shape[0])
        footage.append(_to_lab(real)[inside])
        generated.append(_to_lab(made)[inside])
    if not footage:
        return None
    (level, spread), (own_level, own_spread) = (_statistics(np.concatenate(x)) for x in (footage, generated))
    gain = np.clip(spread / np.maximum(own_spread, 0.5), 1 / LARGEST_GAIN, LARGEST_GAIN)
    shift = np.clip(level - own_level, -LARGEST_OFFSET, LARGEST_OFFSET)
    return ColourMatch(gain, own_level + shift - own_level * gain)


def _statistics(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    level = np.median(lab, 0)
    return level, np.median(np.abs(lab - level), 0)


def _face(size: int) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    axes = tuple(round(a * size) for a in FACE_AXES)
    cv2.ellipse(mask, (size // 2, size // 2), axes, 0, 0, 360, 1, -1)
    return mask > 0


def _to_lab(rgb: np.ndarray) -> np.ndarray:
    tensor = torch.from_numpy(np.ascontiguousarray(np.clip(rgb, 0, 1), np.float32)).permute(2, 0, 1)[None]
    return rgb_to_lab(tensor)[0].permute(1, 2, 0).numpy()
