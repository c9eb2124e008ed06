"""Two performances in one, and one played faster or slower."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import BadInput
from ..pose import Pose

FASTEST = 10.0  # times; beyond, a clip is over in a few frames
LONGEST = 100.0  # times the performance's own duration: a near standstill is not played to its end


def cross_faded(first: Pose, second: Pose, begin: float, end: float, second_begins: float = 0.0) -> Pose:
    """The first performance until `begin` seconds, the second from `end` on, between them a smooth mix (3 x^2 - 2 x^3).

    second_begins: when the second one starts, seconds on the first one's clock; 0: both run from the start. Moments are
    the first one's up to `end` and the second one's after it, so the result ends where the second one does. Where only
    one of them shows a head during the fade, that one is seen alone. `source_times` are those of the one that counts more.
    Raises `BadInput` for performances of different weights, or where the two do not both last through the fade.
    """
    if first.weights != second.weights:
        raise BadInput(
            "The two performances were read with different weights, so their numbers do not mix; read both with the same."
        )
    for name, pose, start in (("first", first, 0.0), ("second", second, second_begins)):
        if not pose.present.any():
            raise BadInput(f"The {name} performance shows no head in any frame; choose another driving clip.")
        if not start <= begin <= end <= start + pose.duration:
            raise BadInput(
                f"The cross-fade from {begin:g} s to {end:g} s does not lie within the {name} performance, which runs from "
                f"{start:g} s to {start + pose.duration:g} s; move the fade, or when the second performance begins."
            )
    early, late = first.times < end, second.times + second_begins >= end
    times = first.times[early]
    share = np.clip((times - begin) / max(end - begin, 1e-9), 0, 1)
    share = share * share * (3 - 2 * share)
    other = second.sampled(np.maximum(times - second_begins, 0), "hold")
    share = np.where(other.present, np.where(first.present[early], share, np.ceil(share)), 0.0)
    mixed = (1 - share)[:, None] * first.descriptors[early] + share[:, None] * other.descriptors
    return replace(
        first,
        times=np.concatenate((times, second.times[late] + second_begins)),
        descriptors=np.concatenate((mixed.astype(np.float32), second.descriptors[late])),
        present=np.concatenate((np.where(share > 0, other.present, first.present[early]), second.present[late])),
        duration=second_begins + second.duration,
        source_times=np.concatenate((np.where(share < 0.5, first.moments[early], other.moments), second.moments[late])),
    )


@dataclass(frozen=True)
class SpeedRamp:
    """How fast a performance is played: straight lines between (seconds of the result, speed), level before the first
    and after the last. Speeds are times the performance's own, 0 (held) to 10."""

    seconds: tuple[float, ...]
    speeds: tuple[float, ...]

    @classmethod
    def parsed(cls, text: str) -> "SpeedRamp | None":
        """From text such as "0:1, 2:0.5, 4:1" or a single speed "0.5"; None for empty text.

        Raises `BadInput` naming the piece that is wrong.
        """
        if not text.strip():
            return None
        points = []
        for piece in text.split(","):
            second, _, speed = piece.rpartition(":")
            point = _number(second or "0", "the time", piece, text), _number(speed, "the speed", piece, text)
            if point[0] < 0 or (points and point[0] <= points[-1][0]):
                raise BadInput(f"The speed ramp's times have to ascend from 0, and '{piece.strip()}' in '{text}' does not.")
            if not 0 <= point[1] <= FASTEST:
                raise BadInput(f"The speed in '{piece.strip()}' of '{text}' has to lie between 0 and {FASTEST:g}.")
            points.append(point)
        if points[-1][1] == 0:
            raise BadInput(f"The speed ramp '{text}' ends with a standstill, so it never ends; give a last speed above 0.")
        return cls(*(tuple(column) for column in zip(*points)))

    def moments(self, times: np.ndarray) -> np.ndarray:
        """(M,) seconds in the performance that are shown at `times` (M,) of the result: the integral of the speed."""
        knots, speeds = self._knots()
        steps = np.diff(knots)
        reached = np.concatenate(([0.0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * steps)))
        at = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 1)
        into = times - knots[at]
        slope = np.append(np.diff(speeds) / steps, 0.0)
        return reached[at] + speeds[at] * into + slope[at] * into**2 / 2

    def lasting(self, duration: float) -> float:
        """Seconds of the result in which `duration` seconds of a performance are shown, at most 100 times as many."""
        low, high = 0.0, LONGEST * duration
        for _ in range(60):  # what is shown never goes back, so halving finds it
            middle = (low + high) / 2
            low, high = (middle, high) if self.moments(np.array([middle]))[0] < duration else (low, middle)
        return high

    def _knots(self) -> tuple[np.ndarray, np.ndarray]:
        knots, speeds = np.array(self.seconds, np.float64), np.array(self.speeds, np.float64)
        return (knots, speeds) if knots[0] == 0 else (np.insert(knots, 0, 0.0), np.insert(speeds, 0, speeds[0]))


def ramped(pose: Pose, ramp: SpeedRamp | None) -> Pose:
    """The performance played at the ramp's speeds, at as many moments a second as before; None: as it is.

    A single moment, such as a still's, stays as it is.
    """
    if ramp is None or len(pose) < 2 or set(ramp.speeds) == {1.0}:
        return pose
    step, duration = float(np.median(np.diff(pose.times))), ramp.lasting(pose.duration)
    times = np.arange(max(1, int(np.ceil(duration / step - 1e-6)))) * step
    return replace(pose.sampled(ramp.moments(times), "trim"), times=times, duration=duration)


def parsed_offsets(text: str, known) -> dict[str, float]:
    """Amounts by name from text such as "yaw:0.5, smile:1"; empty for empty text.

    known: the names there are. Raises `BadInput` naming the piece that is wrong.
    """
    offsets: dict[str, float] = {}
    for piece in text.split(",") if text.strip() else ():
        name, _, amount = (part.strip() for part in piece.partition(":"))
        if name not in known:
            names = ", ".join(known)
            raise BadInput(f"'{piece.strip()}' in the offsets '{text}' names no movement; the names are: {names}.")
        if name in offsets:
            raise BadInput(f"The offsets '{text}' name {name} twice; give each movement once.")
        offsets[name] = _number(amount, "the amount", piece, text)
    return offsets


def _number(text: str, what: str, piece: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise BadInput(f"'{text.strip()}' is not a number: {what} in '{piece.strip()}' of '{whole}'.")
    return value
