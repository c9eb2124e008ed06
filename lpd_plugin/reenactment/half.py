"""Half precision: whether a device gains by it, and whether what it draws is what is drawn in full."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

LEAST_PSNR = 45.0  # dB, of premultiplied heads: what is further off can be seen as noise in dark, flat places
SAMPLE = 2  # poses that it is tried on

Drawn = tuple[torch.Tensor, torch.Tensor]


def half_type(device: torch.device) -> torch.dtype | None:
    """What half precision is on a device; None where it would be no faster, as on CPUs that have no arithmetic of it."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else None


def agreement(one: Drawn, other: Drawn) -> float:
    """PSNR in dB of heads (rgb (B, 3, S, S), mask (B, 1, S, S), in [0, 1]) as they are composited, premultiplied, over those that
    are finite in both: 10 log10(1 / mean squared difference). -inf where none is."""
    both = [torch.cat((rgb.clamp(0, 1) * mask, mask), 1).float() for rgb, mask in (one, other)]
    there = torch.stack([heads.flatten(1).isfinite().all(1) for heads in both]).all(0)
    if not there.any():
        return -math.inf
    error = (both[0][there] - both[1][there]).square().mean().item()
    return math.inf if error == 0 else -10 * math.log10(error)


def tried(draw: Callable[[torch.Tensor], Drawn], poses: torch.Tensor) -> tuple[torch.dtype | None, str]:
    """The half precision to draw in, or None and why not. draw: of poses, as they lie on its device; poses: to try it on."""
    kind = half_type(poses.device)
    if kind is None:
        return None, "half precision is no faster on this machine's CPU: heads are drawn in full"
    in_full = draw(poses[:SAMPLE])
    with torch.autocast(poses.device.type, kind):
        in_half = draw(poses[:SAMPLE])
    close = agreement(in_full, in_half)
    if close < LEAST_PSNR:
        return None, f"half precision draws something else ({close:.0f} dB, {LEAST_PSNR:.0f} wanted): heads are drawn in full"
    return kind, ""
