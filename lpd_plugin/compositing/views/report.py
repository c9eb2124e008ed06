"""What a composite did to each frame."""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path

import numpy as np

from .frame_report import WATCHED, FrameTable

MOST_RUNS = 3  # of frames that a summary names for each thing to look at; the table has them all


class Outcome(IntEnum):
    """What happened to a frame."""

    UNKNOWN = 0  # not made yet
    COMPOSITED = 1
    NO_HEAD_IN_FOOTAGE = 2  # passed through
    NO_HEAD_IN_PERFORMANCE = 3  # passed through
    HELD = 4  # composited with a head from before the performance's end (held, looped or played back)
    FADED_OUT = 5  # passed through: outside of the composite's in and out points


class CompositeReport:
    """37 bytes a frame, filled in while the composite is iterated; `table`: what was measured of each frame."""

    def __init__(self, count: int):
        self.outcomes = np.zeros(count, np.uint8)
        self.table = FrameTable(count)

    def note(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome

    def count(self, *outcomes: Outcome) -> int:
        """Frames with one of these outcomes."""
        return int(np.isin(self.outcomes, outcomes).sum())

    def spans(self, *outcomes: Outcome) -> list[tuple[int, int]]:
        """Runs of frames with one of these outcomes: first and last number, ascending."""
        return _runs(np.isin(self.outcomes, outcomes))

    def odd_frames(self) -> dict[str, list[tuple[int, int]]]:
        """What stands out (see `frame_report.WATCHED`) and the runs of frames in which it does, first and last number."""
        found = {words: _runs(self.table.standing_out(name)) for name, (_, _, words) in WATCHED.items()}
        found["changed outside"] = _runs(np.nan_to_num(self.table.column("outside_change")) > 0)
        return {words: runs for words, runs in found.items() if runs}

    def write_csv(self, path: str | os.PathLike, overwrite: bool = False) -> Path:
        """A line a frame, see `FrameTable.write_csv`; ask for it after the composite was iterated."""
        names = [Outcome(number).name.lower().replace("_", " ") for number in self.outcomes]
        return self.table.write_csv(path, names, overwrite)

    def summary(self) -> str:
        """One sentence for people."""
        made = self.count(Outcome.COMPOSITED, Outcome.HELD)
        parts = [f"{made} of {len(self.outcomes)} frames composited"]
        for outcome, words in (
            (Outcome.NO_HEAD_IN_FOOTAGE, "passed through untouched because the footage shows no head"),
            (Outcome.NO_HEAD_IN_PERFORMANCE, "passed through untouched because the performance shows no head"),
            (Outcome.FADED_OUT, "passed through untouched outside of the in and out points"),
            (Outcome.HELD, "of them beyond the performance's end"),
        ):
            if number := self.count(outcome):
                parts.append(f"{number} {words} (frames {_listed(self.spans(outcome))})")
        if odd := self.odd_frames():
            named = "; ".join(f"{_listed(runs, MOST_RUNS)} ({words})" for words, runs in odd.items())
            parts.append(f"look at frames {named}")
        return ", ".join(parts)


def _runs(inside: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def _listed(spans: list[tuple[int, int]], most: int = 8) -> str:
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in spans[:most]]
    return ", ".join(shown) + (f" and {len(spans) - most} more runs" if len(spans) > most else "")
