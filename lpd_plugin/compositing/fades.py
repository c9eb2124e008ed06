"""When and how much the composite shows: in and out points with fades."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from ..errors import BadInput

TOLERANCE = 1e-6  # seconds by which a point written in decimals may miss a frame's exact time


@dataclass(frozen=True)
class FadeOptions:
    """amount: how much of the composite is seen at most, 0 to 1. start, end: seconds of the footage between which
    it is seen at all (the frame at `end` is not any more); None: from its beginning, to its end. fade_in, fade_out:
    seconds over which it comes and goes, inside these points."""

    amount: float = 1.0
    start: float | None = None
    end: float | None = None
    fade_in: float = 0.0
    fade_out: float = 0.0

    def __post_init__(self):
        if not 0 <= self.amount <= 1:
            raise BadInput(f"the blend amount is {self.amount}; it has to lie between 0 and 1.")
        for name in ("start", "end", "fade_in", "fade_out"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value >= 0):
                raise BadInput(f"the blend's {name} is {value}; give seconds, 0 or more.")
        if self.end is not None and self.end <= (self.start or 0):
            raise BadInput(
                f"the blend ends at {self.end} s and starts at {self.start or 0} s; give an end after the start."
            )

    def weight(self, time: Fraction | float, duration: Fraction | float | None = None) -> float:
        """How much of the composite a frame shows, 0 to amount; exactly 0 outside of start and end.

        time: seconds from the footage's beginning. duration: of the footage, seconds; without it a composite that
        has no end of its own does not fade out. Ramps rise as 3 x^2 - 2 x^3; where both overlap they multiply.
        """
        end = self.end if self.end is not None else duration
        since = float(time) - (self.start or 0.0)
        left = None if end is None else float(end) - float(time)
        if since < -TOLERANCE or (self.end is not None and left <= TOLERANCE):
            return 0.0
        weight = self.amount * _ramp(since, self.fade_in)
        return weight if left is None else weight * _ramp(left, self.fade_out)


def _ramp(seconds: float, length: float) -> float:
    if length == 0:
        return 1.0
    x = min(1.0, max(0.0, seconds / length))
    return x * x * (3 - 2 * x)
