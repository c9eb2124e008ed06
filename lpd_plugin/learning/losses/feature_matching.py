"""Discriminator features of the generated picture should be those of the real one."""

from __future__ import annotations

import torch


def feature_matching(fake: list[torch.Tensor], real: list[torch.Tensor]) -> torch.Tensor:
    """mean over features f of mean(|f(fake) - f(real)|); no gradient into the real side."""
    return sum((f - r.detach()).abs().mean() for f, r in zip(fake, real)) / len(fake)
