"""Heads that know where the footage's own fine detail fits on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...reenactment.heads import Head, Heads
from .detail import Agreement, DetailBank

WINDOW = 4  # moments before and after that say whether detail is steady


@dataclass(frozen=True)
class DetailedHead(Head):
    """window: the agreements of the moments around with every reference, the head's own in the middle; see `detail`."""

    window: tuple[Sequence[Agreement], ...] = ()


class DetailHeads(Heads):
    """The same heads, each with its window; memory: 2 WINDOW + 1 of them. A moment without a head ends the window: what is
    missing of it repeats the nearest, as at the clip's ends."""

    def __init__(self, heads: Heads, bank: DetailBank):
        self.heads, self.bank = heads, bank
        self.size, self.times, self.reach = heads.size, heads.times, heads.reach + WINDOW
        self.together = heads.together

    def __len__(self) -> int:
        return len(self.heads)

    def retimed(self, times: np.ndarray, end_policy: str) -> "DetailHeads":
        return DetailHeads(self.heads.retimed(times, end_policy), self.bank)

    def fingerprint(self) -> str:
        return f"{self.heads.fingerprint()} with detail of {len(self.bank.references)} frames"

    def __iter__(self) -> Iterator[Head | None]:
        known: deque[tuple[Head, Sequence[Agreement]] | None] = deque(maxlen=2 * WINDOW + 1)
        behind = 0
        for head in self.heads:
            known.append(None if head is None else (head, self.bank.agreements(head.rgb, head.matte)))
            behind += 1
            if behind > WINDOW:
                yield _windowed(known, len(known) - behind)
                behind -= 1
        for left in range(behind, 0, -1):
            yield _windowed(known, len(known) - left)


def _windowed(known: Sequence[tuple[Head, Sequence[Agreement]] | None], middle: int) -> Head | None:
    if known[middle] is None:
        return None
    head, own = known[middle]
    before, after = [own], [own]
    for step, side in ((-1, before), (1, after)):
        for distance in range(1, WINDOW + 1):
            place = middle + step * distance
            there = known[place] if 0 <= place < len(known) and len(side) == distance else None
            if there is not None:
                side.append(there[1])
    before, after = (side + [side[-1]] * (WINDOW + 1 - len(side)) for side in (before, after))
    return DetailedHead(head.rgb, head.matte, (*before[:0:-1], *after))
