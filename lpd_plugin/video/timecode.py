"""SMPTE timecode: hours, minutes, seconds and frames, as editors count them (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True)
class Timecode:
    """The label of a frame. frame: counted from 00:00:00:00, below a day's. nominal: whole frames a second that the
    label counts (30 for 29.97). drop: whether two labels (four at 60) are left out every minute but each tenth, which
    keeps 29.97 in step with the clock."""

    frame: int
    nominal: int
    drop: bool = False

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Timecode | None:
        """"01:00:00:12", or "01:00:00;12" where frames are dropped; None for anything else, or a number out of range."""
        match = re.fullmatch(r"\s*(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})\s*", text)
        nominal = max(1, round(rate))
        if match is None:
            return None
        hours, minutes, seconds, frames = int(match[1]), int(match[2]), int(match[3]), int(match[5])
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= nominal:
            return None
        drop = match[4] != ":" and nominal % 30 == 0
        count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
        if drop:
            passed = hours * 60 + minutes
            count -= nominal // 15 * (passed - passed // 10)
        return cls(count, nominal, drop)

    def later(self, frames: int) -> Timecode:
        """The label that many frames on; a day later it starts again."""
        day = 24 * 3600 * self.nominal
        if self.drop:
            day -= self.nominal // 15 * (24 * 60 - 24 * 6)
        return replace(self, frame=(self.frame + frames) % day)

    def fields(self) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds and frames of the label."""
        count = self.frame
        if self.drop:
            left_out = self.nominal // 15
            minute = 60 * self.nominal - left_out
            tens, rest = divmod(count, 10 * minute + left_out)
            # The first of ten minutes is whole; in the others the labels left out are added again.
            count += left_out * (9 * tens + max(0, (rest - left_out) // minute))
        seconds, frames = divmod(count, self.nominal)
        return seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, frames

    def __str__(self) -> str:
        hours, minutes, seconds, frames = self.fields()
        return f"{hours:02}:{minutes:02}:{seconds:02}{';' if self.drop else ':'}{frames:02}"
