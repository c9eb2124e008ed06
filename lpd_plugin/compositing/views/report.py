"""What a composite did to each frame."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Outcome(IntEnum):
    """What happened to a frame."""

    UNKNOWN = 0  # not made yet
    COMPOSITED = 1
    NO_HEAD_IN_FOOTAGE = 2  # passed through
    NO_HEAD_IN_PERFORMANCE = 3  # passed through
    HELD = 4  # composited with a head from before the performance's end (held, looped or played back)


class CompositeReport:
    """One byte a frame, filled in while the composite is iterated."""

    def __init__(self, count: int):
        self.outcomes = np.zeros(count, np.uint8)

    def note(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome

    def count(self, *outcomes: Outcome) -> int:
        """Frames with one of these outcomes."""
        return int(np.isin(self.outcomes, outcomes).sum())

    def spans(self, *outcomes: Outcome) -> list[tuple[int, int]]:
        """Runs of frames with one of these outcomes: first and last number, ascending."""
        inside = np.isin(self.outcomes, outcomes)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
        return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]

    def summary(self) -> str:
        """One sentence for people."""
        made = self.count(Outcome.COMPOSITED, Outcome.HELD)
        parts = [f"{made} of {len(self.outcomes)} frames composited"]
        for outcome, words in (
            (Outcome.NO_HEAD_IN_FOOTAGE, "passed through untouched because the footage shows no head"),
            (Outcome.NO_HEAD_IN_PERFORMANCE, "passed through untouched because the performance shows no head"),
            (Outcome.HELD, "of them beyond the performance's end"),
        ):
            if number := self.count(outcome):
                parts.append(f"{number} {words} (frames {_listed(self.spans(outcome))})")
        return ", ".join(parts)


def _listed(spans: list[tuple[int, int]], most: int = 8) -> str:
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in spans[:most]]
    return ", ".join(shown) + (f" and {len(spans) - most} more runs" if len(spans) > most else "")
