"""Generated heads as the compositor sees them: a lazy sequence of RGB pictures with mattes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

END_POLICIES = ("trim", "hold", "loop", "ping-pong")


@dataclass(frozen=True)
class Head:
    """One head. rgb: float32 (S, S, 3), display-referred, straight (not premultiplied), nominally 0..1;
    meaningful where matte > 0. matte: float32 (S, S) in [0, 1]."""

    rgb: np.ndarray
    matte: np.ndarray


class Heads(ABC):
    """A lazy sequence of heads; nothing is computed before iteration, nothing is kept after it."""

    size: int  # S, pixels along a side of the square
    times: np.ndarray  # (N,) float64 seconds
    reach = 0  # moments before and after that a head depends on
    together = 1  # moments drawn at once: starting at a multiple of them, every head is the same to the last bit

    @abstractmethod
    def __iter__(self) -> Iterator[Head | None]:
        """One item per time; None where the driver shows no head."""

    @abstractmethod
    def retimed(self, times: np.ndarray, end_policy: str) -> "Heads":
        """The performance sampled at other times (seconds from the start), same length as `times`.

        `end_policy`, one of END_POLICIES, says what happens after the performance's last moment:
        "trim" yields None from there on; "hold" keeps the last; "loop" and "ping-pong" start again.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hex digest of everything the pictures depend on."""

    @property
    def moments(self) -> np.ndarray:
        """(N,) seconds in the driving clip that each head comes from; the times where nothing else is known."""
        return self.times

    def __len__(self) -> int:
        return len(self.times)
