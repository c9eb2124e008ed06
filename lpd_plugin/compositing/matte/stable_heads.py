"""The same heads with mattes that do not flicker."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ...errors import BadInput
from ...reenactment.heads import Head, Heads
from .motion import Motion, grey_of, inner_part, small

LARGEST_REACH = 8
FADING = 0.9  # how much a moment counts in relation to the one next to it, towards the window's middle
AGREEING = 24.0  # codes of 255 that pictures may differ, moved onto each other, before their mattes count for a third
JUMP = 20.0  # codes of 255, mean over the head: two pictures that differ by more, moved onto each other, are two scenes


@dataclass(frozen=True)
class _Moment:
    """A head with what its motion is measured in: small copies."""

    head: Head
    inner: np.ndarray
    grey: np.ndarray


@dataclass(frozen=True)
class _Link:
    """Two consecutive moments of one scene: where the earlier one's content went, and where the later one's came from."""

    onward: Motion
    back: Motion


class StableHeads(Heads):
    """Heads whose mattes are averaged over `reach` moments before and after, moved along with the head; see `Heads`.

    The mattes of those moments are carried onto each one by the pictures' own motion, so that an edge which jumps to and fro
    comes to rest and a head that moves fast does not lag; where the pictures then differ, as behind a hand, a matte counts
    less. Colours stay as they are. A moment without a head and a change of scene end the window. Memory: 2 reach + 1 heads.
    strength: 0 leaves the mattes, 1 replaces them by the average. Raises `BadInput` for a strength or reach out of range.
    """

    def __init__(self, heads: Heads, strength: float = 1.0, reach: int = 2):
        if not 0 <= strength <= 1:
            raise BadInput(f"The matte's steadiness is {strength}; it has to lie between 0 and 1.")
        if not 1 <= reach <= LARGEST_REACH:
            raise BadInput(f"The matte's window reaches {reach} frames; it has to lie between 1 and {LARGEST_REACH}.")
        self.heads, self.strength, self.window = heads, strength, reach
        self.size, self.times = heads.size, heads.times
        self.reach, self.together = heads.reach + reach, heads.together

    def __len__(self) -> int:
        return len(self.heads)

    def retimed(self, times: np.ndarray, end_policy: str) -> "StableHeads":
        return StableHeads(self.heads.retimed(times, end_policy), self.strength, self.window)

    def fingerprint(self) -> str:
        made = f"{self.heads.fingerprint()} steadied {self.strength} {self.window}"
        return hashlib.sha256(made.encode()).hexdigest()

    def __iter__(self) -> Iterator[Head | None]:
        if not self.strength:
            yield from self.heads
            return
        # moments[i] and moments[i + 1] are joined by links[i]; the next one to give is `behind` from the end.
        moments: deque[_Moment | None] = deque(maxlen=2 * self.window + 1)
        links: deque[_Link | None] = deque(maxlen=2 * self.window)
        behind = 0
        for head in self.heads:
            moment = None if head is None else _moment(head)
            if moments:
                links.append(_linked(moments[-1], moment))
            moments.append(moment)
            behind += 1
            if behind > self.window:
                yield self._steadied(moments, links, len(moments) - behind)
                behind -= 1
        for left in range(behind, 0, -1):
            yield self._steadied(moments, links, len(moments) - left)

    def _steadied(self, moments: Sequence[_Moment | None], links: Sequence[_Link | None], middle: int) -> Head | None:
        now = moments[middle]
        if now is None:
            return None
        matte, size = now.head.matte, now.head.matte.shape[1::-1]
        change, weights = np.zeros_like(matte), np.ones_like(matte)
        for other, motion, distance in _around(moments, links, middle, self.window):
            # Pictures agree or not over several pixels, so that small copies tell; edges are carried at their own resolution.
            weight = np.float32(FADING**distance) * _agreement(now.grey, motion.carried(other.grey))
            weight = cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
            away = cv2.subtract(motion.enlarged(size).carried(other.head.matte), matte)
            cv2.accumulateProduct(away, weight, change)
            weights += weight
        change *= np.float32(self.strength)
        change /= weights
        change += matte
        return replace(now.head, matte=np.clip(change, 0, 1, out=change))


def _around(moments, links, middle: int, reach: int) -> Iterator[tuple[_Moment, Motion, int]]:
    """The moments of the same scene before and after, nearest first, with the motion from the middle one to each."""
    for step in (1, -1):
        motion = None
        for distance in range(1, reach + 1):
            place = middle + step * distance
            if not 0 <= place < len(moments):
                break
            link = links[place - 1] if step > 0 else links[place]
            if link is None:
                break
            next_motion = link.onward if step > 0 else link.back
            motion = next_motion if motion is None else motion.then(next_motion)
            yield moments[place], motion, distance


def _moment(head: Head) -> _Moment:
    inner = small(inner_part(head.matte))
    return _Moment(head, inner, grey_of(small(head.rgb), inner))


def _linked(before: _Moment | None, after: _Moment | None) -> _Link | None:
    """None where there is nothing to average over: no head, another scene, another size, or no edge."""
    if before is None or after is None or before.head.matte.shape != after.head.matte.shape:
        return None
    if before.head.matte.min() >= 1 and after.head.matte.min() >= 1:
        return None
    onward = Motion.between(before.grey, after.grey, before.inner)
    back = Motion.between(after.grey, before.grey, after.inner)
    difference = cv2.absdiff(after.grey, back.carried(before.grey))
    inside = after.inner > 0.5
    if not inside.any() or difference[inside].mean() > JUMP:
        return None
    return _Link(onward, back)


def _agreement(grey: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1]: 1 where two pictures are the same, over a few pixels; 1/e where they differ by AGREEING."""
    difference = cv2.blur(cv2.absdiff(grey, carried), (3, 3)).astype(np.float32)
    difference *= np.float32(1 / AGREEING)
    return cv2.exp(-difference * difference)
