"""What an adaptation may be told; all of it has defaults that were measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AdaptationConfig:
    """Steps of `batch` frames of the person; `foreign` poses a step keep the pose control alive.

    steps None: chosen by measuring, at most `limit`; a number: that many, on all frames, unmeasured.
    """

    steps: int | None = None
    limit: int = 240
    batch: int = 3
    foreign: int = 2
    rate: float = 6e-4
    painter_rate: float = 7e-5  # at three times that, poses are lost faster than likeness is won
    embedding_rate: float = 5e-3
    discriminator_rate: float = 8e-4
    keep_pose: float = 4.0  # weight of the foreign poses' terms
    centre_ratio: float = 3.0
    average: float = 0.95  # of the running average that is measured and kept
    seed: int = 0
