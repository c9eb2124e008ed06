"""Stretches joined to heads, and the head the user means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import BadInput
from .tracklet import Tracklet, likeness

CHOICES = "largest, leftmost, rightmost, index:N or nearest:x,y"
SAME_HEAD = 0.5  # affinity from which two stretches are one head
SURE_SCORE = 0.58  # a head seen like this is believed at once
LONG_ENOUGH = 1.0  # seconds that a less sure head has to stay
FASTEST = 4.0  # face sides a second that a head moves at most while out of sight
RACING = 3.0  # face sides a second: a brief thing as fast is a hand, unless its score is beyond doubt
BEYOND_DOUBT = 0.75
MAY_COINCIDE = 3  # frames that stretches of one head may overlap


@dataclass(frozen=True)
class Which:
    """Parsed choice: kind, and its numbers."""

    kind: str
    numbers: tuple[float, ...] = ()


def parse_which(text: str) -> Which:
    """'largest', 'leftmost', 'rightmost', 'index:N' (from the left, 0 first), 'nearest:x,y' (pixels)."""
    kind, _, rest = text.strip().partition(":")
    try:
        numbers = tuple(float(part) for part in rest.split(",")) if rest else ()
    except ValueError:
        numbers = (math.nan,)
    wanted = {"largest": 0, "leftmost": 0, "rightmost": 0, "index": 1, "nearest": 2}.get(kind)
    fine = wanted == len(numbers) and all(math.isfinite(number) for number in numbers)
    if not fine or (kind == "index" and (numbers[0] < 0 or numbers[0] != int(numbers[0]))):
        raise BadInput(f"Which head is meant by '{text}' is not clear: use {CHOICES}.")
    return Which(kind, numbers)


@dataclass
class SeenHead:
    """One head's stretches, in order of time."""

    parts: list[Tracklet] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def score(self) -> float:
        return sum(part.score * part.hits for part in self.parts) / sum(part.hits for part in self.parts)

    @property
    def seen_share(self) -> float:
        """How often it was seen when looked for."""
        return sum(part.hits for part in self.parts) / sum(part.asked for part in self.parts)

    def boxes(self) -> np.ndarray:
        return np.concatenate([part.arrays()[0] for part in self.parts])

    def weight(self) -> float:
        """Frames x side x score: what makes a head the main one."""
        return float(_sides(self.boxes()).sum()) * self.score

    def box_at(self, frame: int) -> np.ndarray | None:
        for part in self.parts:
            if part.start <= frame < part.stop:
                return part.arrays()[0][frame - part.start]
        return None


def _sides(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def heads_from(tracklets: list[Tracklet], times: np.ndarray, cuts: Sequence[int] = ()) -> list[SeenHead]:
    """Join stretches of one head, drop what is likely none; heads from left to right.

    times: seconds of every frame; cuts: the first frames of shots.

    A head that leaves and comes back is the same one unless somebody else fits better.
    """
    confirmed = [one for one in tracklets if one.hits >= 2 or len(times) <= 3]
    heads: list[SeenHead] = []
    for part in sorted(confirmed, key=lambda one: -len(one) * one.score):
        fitting = [(affinity(part, head, times), head) for head in heads if not _coincide(part, head)]
        best = max(fitting, key=lambda pair: pair[0], default=(0.0, None))
        if best[0] >= SAME_HEAD:
            best[1].parts.append(part)
            best[1].parts.sort(key=lambda one: one.start)
        else:
            heads.append(SeenHead([part]))
    heads = [head for head in heads if _is_believed(head, times, cuts)]
    if not heads:
        return []
    main = max(heads, key=SeenHead.weight)
    kept = [head for head in heads if head is main or _is_head(head, main)]
    return sorted(kept, key=lambda head: float(np.median(head.boxes()[:, [0, 2]])))


def _is_believed(head: SeenHead, times: np.ndarray, cuts: Sequence[int]) -> bool:
    """Lettering and hands that pass for a head do so with a low score and for moments, and hands race."""
    if len(times) <= 3:
        return True
    step = (times[-1] - times[0]) / (len(times) - 1)
    brief = head.frames * step < LONG_ENOUGH
    if brief and head.score < BEYOND_DOUBT and max(part.speed(times) for part in head.parts) > RACING:
        return False
    wanted = min(LONG_ENOUGH, _seconds_of_shots(head, times, cuts) / 2)
    return head.score >= SURE_SCORE or (head.frames * step >= wanted and head.seen_share >= 0.6)


def _seconds_of_shots(head: SeenHead, times: np.ndarray, cuts: Sequence[int]) -> float:
    """How long the shots last that the head is in: it cannot be seen for longer than its shot."""
    bounds = np.array([0, *cuts, len(times)])
    shots = {int(np.searchsorted(bounds, part.stop - 1, side="right")) for part in head.parts}
    return sum(float(times[bounds[shot] - 1] - times[bounds[shot - 1]]) for shot in shots)


def _is_head(head: SeenHead, main: SeenHead) -> bool:
    """Against hands and patterns: seen most times, with a score like the main head's, for a while."""
    brief = head.frames < 0.3 * main.frames
    alike = head.score >= (0.85 if brief else 0.7) * main.score
    return alike and head.seen_share >= 0.5 and head.frames >= 0.05 * main.frames


def _coincide(part: Tracklet, head: SeenHead) -> bool:
    return any(min(part.stop, one.stop) - max(part.start, one.start) > MAY_COINCIDE for one in head.parts)


def affinity(part: Tracklet, head: SeenHead, times: np.ndarray) -> float:
    """0..1: how likely a stretch is the head, by colours, size, and place within one shot."""
    nearest = min(head.parts, key=lambda one: max(part.start - one.stop, one.start - part.stop))
    earlier, later = (nearest, part) if nearest.start < part.start else (part, nearest)
    last, first = earlier.arrays()[0][-1], later.arrays()[0][0]
    side_last, side_first = _sides(np.stack([last, first]))
    size = math.exp(-abs(math.log(side_first / side_last)))
    place = 0.5
    if part.shot == nearest.shot:
        distance = np.linalg.norm((last[:2] + last[2:] - first[:2] - first[2:]) / 2)
        away = float(distance) / max(side_last, side_first)
        between = max(0.0, float(times[later.start] - times[earlier.stop - 1]))
        if away > 0.5 + FASTEST * between:
            return 0.0
        place = math.exp(-away / 2)
    return 0.5 * likeness(part.look, nearest.look) + 0.25 * size + 0.25 * place


def chosen_head(heads: list[SeenHead], which: Which) -> SeenHead | None:
    """The head meant; None where there is none. Raises BadInput for an index beyond the heads seen."""
    if not heads:
        return None
    if which.kind == "largest":
        return max(heads, key=SeenHead.weight)
    if which.kind == "leftmost":
        return heads[0]
    if which.kind == "rightmost":
        return heads[-1]
    if which.kind == "index":
        if which.numbers[0] >= len(heads):
            raise BadInput(
                f"Head index:{which.numbers[0]:.0f} was asked for, but only {len(heads)} were seen: "
                f"use 0 to {len(heads) - 1}, counted from the left."
            )
        return heads[int(which.numbers[0])]

    def distance(head: SeenHead) -> float:
        first = head.parts[0].arrays()[0][0]
        return float(np.linalg.norm((first[:2] + first[2:]) / 2 - np.array(which.numbers)))

    return min(heads, key=distance)
