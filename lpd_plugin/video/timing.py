"""Timestamps: exact rates behind rounded ones, time bases that hold every moment, in and out points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ..errors import BadInput

# Rates that files with coarse timestamps (Matroska: milliseconds) mean when they say 41, 42 or 33, 34.
COMMON_RATES = tuple(
    Fraction(text) for text in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60", "15", "12")
)
_FINEST = 2_000_000_000  # a time base's denominator has to fit in 32 bits


def as_seconds(value: Fraction | float | int | str | None, what: str) -> Fraction | None:
    """A point in time as an exact fraction of seconds; "1.25", "5/4" and "0:01.25" mean the same.

    Raises BadInput naming `what` when it is no time or is negative.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str) and ":" in value:
            seconds = Fraction(0)
            for part in value.split(":"):
                seconds = seconds * 60 + Fraction(part.strip())
        elif isinstance(value, float):
            seconds = Fraction(value).limit_denominator(1_000_000)
        else:
            seconds = Fraction(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise BadInput(f"the {what} {value!r} is not a time: give seconds, such as 2.5, or 0:02.5.") from None
    if seconds < 0:
        raise BadInput(f"the {what} {value} is negative: give seconds from the clip's start.")
    return seconds


def window(in_point: Fraction | None, out_point: Fraction | None, name: str) -> tuple[Fraction, Fraction | None]:
    """In and out point with the open start filled in. Raises BadInput unless in < out."""
    start = in_point if in_point is not None else Fraction(0)
    if out_point is not None and out_point <= start:
        raise BadInput(
            f"the out point {float(out_point):g} s of {name} is not after its in point {float(start):g} s: "
            "give a later out point."
        )
    return start, out_point


def nested_window(
    outer: tuple[Fraction, Fraction | None], in_point: Fraction | None, out_point: Fraction | None, name: str
) -> tuple[Fraction, Fraction | None]:
    """The window of a part of a part: points are seconds from the outer in point, the result from the clip's start."""
    start, end = window(as_seconds(in_point, "in point"), as_seconds(out_point, "out point"), name)
    ends = [point for point in (outer[1], None if end is None else outer[0] + end) if point is not None]
    return outer[0] + start, min(ends, default=None)


def constant_rate(ticks: Sequence[int], time_base: Fraction, candidates: Iterable[Fraction | None]) -> Fraction | None:
    """The frame rate whose moments, rounded to the time base, are `ticks`; None if there is none (variable rate).

    `ticks` ascending; `candidates` (rates a file's header claims) are tried after the spacing itself.
    """
    if len(ticks) < 2:
        return next((rate for rate in candidates if rate), None)
    step = ticks[1] - ticks[0]
    even = 1 / (step * time_base) if all(b - a == step for a, b in zip(ticks, ticks[1:])) else None
    if even and step >= 50:  # below, a few frames 33 ms apart may be 30 or 30000/1001 a second
        return even
    claimed = (rate for rate in candidates if rate and rate > 0 and _misfit(ticks, time_base, rate) <= 1)
    rate = next(claimed, even)
    if rate is None:
        rate = min(COMMON_RATES, key=lambda common: _misfit(ticks, time_base, common))
    return rate if _misfit(ticks, time_base, rate) <= 1 else None


def _misfit(ticks: Sequence[int], time_base: Fraction, rate: Fraction) -> Fraction:
    """By how many units the worst tick is off; up to 1 is rounding, half a unit each of it and of the first."""
    per_frame = 1 / (rate * time_base)
    return max(abs(tick - ticks[0] - index * per_frame) for index, tick in enumerate(ticks))


def average_rate(times: Sequence[Fraction]) -> Fraction | None:
    """Frames a second over the whole list; None for fewer than two."""
    if len(times) < 2 or times[-1] == times[0]:
        return None
    return ((len(times) - 1) / (times[-1] - times[0])).limit_denominator(60_000)


def exact_time_base(times: Iterable[Fraction], rate: Fraction) -> Fraction:
    """The coarsest unit of which every time and one frame's duration are whole multiples.

    Where that would be finer than containers can say, 1/90000 s at least as fine as 1/50 of a frame.
    """
    denominator = (1 / rate).denominator
    for time in times:
        denominator = math.lcm(denominator, time.denominator)
        if denominator > _FINEST:
            return Fraction(1, max(90_000, math.ceil(rate * 50)))
    return Fraction(1, denominator)
