"""All that may be done to a performance, in one order."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..pose import Pose
from .filters import amplified, moved, smoothed
from .timing import SpeedRamp, cross_faded, ramped


@dataclass(frozen=True)
class Fade:
    """Seconds of the first performance between which it gives way to a second, which begins at `second_begins`."""

    begin: float
    end: float
    second_begins: float = 0.0


@dataclass(frozen=True)
class PoseEdit:
    """smooth: cut-off in Hz, 0 for none. expression, head: amounts about the neutral moment, 1 as performed; neutral:
    its time in seconds, None to have one found. offsets: movements added, by name. reverse: backwards. ramp: speeds,
    None as performed. Seconds of a ramp are the result's; all others the performance's before it is reversed and retimed."""

    smooth: float = 0.0
    expression: float = 1.0
    head: float = 1.0
    neutral: float | None = None
    offsets: dict[str, float] = field(default_factory=dict)
    reverse: bool = False
    ramp: SpeedRamp | None = None

    def shaped(self, pose: Pose, second: Pose | None = None, fade: Fade | None = None) -> Pose:
        """Cross-faded, then smoothed, amplified, offset, reversed and retimed. With its default values an edit gives
        the very same performance. Raises `BadInput` as its parts do."""
        if second is not None and fade is not None:
            pose = cross_faded(pose, second, fade.begin, fade.end, fade.second_begins)
        pose = amplified(smoothed(pose, self.smooth), self.expression, self.head, self.neutral)
        pose = moved(pose, self.offsets)
        return ramped(pose.reversed() if self.reverse else pose, self.ramp)
