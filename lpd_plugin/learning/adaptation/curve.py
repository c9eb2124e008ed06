"""How an adaptation went, and where it should have stopped."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass

import cv2
import numpy as np

POSE_TOLERANCE = 0.05  # either pose distance may grow by this share of what it was before
POSE_PENALTY = 2.0  # what more than that costs, in shares of the other errors
WORTHWHILE = 0.01  # less than this share of the first errors is no gain
PATIENCE = 3  # measurements without a gain before the search ends
TRIED_AT_LEAST = 60  # steps: the first dozens may disturb the pose before they learn the person
FIRST, GROWTH = 15, 1.4  # steps at which to measure: later steps change less


@dataclass(frozen=True)
class Measurement:
    """One look at the running average after `step` steps.

    reconstruction: content error on held-out frames, 0 is perfect; pose: mean distance of re-encoded heads from
    the foreign poses that drove them, in units of those descriptors' spread; identity: 1 - cosine between what the
    judge of likeness sees in those heads and in the person; own_pose: like pose, of the held-out frames and their own poses.
    """

    step: int
    reconstruction: float
    pose: float
    identity: float
    own_pose: float = 0.0


def measured_steps(limit: int) -> list[int]:
    """0, then steps in growing distances, up to and with `limit` (>= 0)."""
    steps, step = [0], float(FIRST)
    while step < limit:
        steps.append(round(step))
        step *= GROWTH
    return steps if limit == 0 else [*steps, limit]


@dataclass(frozen=True)
class Curve:
    """Measurements in the order of their steps, the first at step 0. Empty where the steps were given."""

    measurements: tuple[Measurement, ...] = ()

    def costs(self) -> list[float]:
        """Mean of the reconstruction's and the identity's error as shares of the first, plus 2 for each share of either pose
        distance lost beyond 5 %.

        cost(s) = (R(s) / R(0) + I(s) / I(0)) / 2 + 2 sum_P max(0, P(s) / P(0) - 1.05), P the distance from foreign poses
        and that from the person's own; the first is 1.
        """
        if not self.measurements:
            return []
        start = self.measurements[0]

        def share(m: Measurement, name: str) -> float:
            first = getattr(start, name)
            return getattr(m, name) / first if first > 1e-9 else 1.0  # not measured, or perfect

        def lost(m: Measurement) -> float:
            return sum(max(0.0, share(m, name) - 1 - POSE_TOLERANCE) for name in ("pose", "own_pose"))

        return [(share(m, "reconstruction") + share(m, "identity")) / 2 + POSE_PENALTY * lost(m) for m in self.measurements]

    @property
    def best(self) -> int:
        """Index of the first measurement that no later one beats by more than 1 % of the first error."""
        costs = self.costs()
        return next(i for i, cost in enumerate(costs) if cost <= min(costs) + WORTHWHILE)

    @property
    def chosen(self) -> Measurement:
        """Where likeness no longer gains while pose keeps; raises IndexError for an empty curve."""
        return self.measurements[self.best]

    @property
    def settled(self) -> bool:
        """Whether going on is not worth while: no gain in the last three measurements, 60 steps or more."""
        if not self.measurements or self.measurements[-1].step < TRIED_AT_LEAST:
            return False
        return len(self.measurements) - 1 - self.best >= PATIENCE

    def sentence(self) -> str:
        """For people."""
        start, end = self.measurements[0], self.chosen
        kept = end.pose / max(start.pose, 1e-9)
        own = f", on own frames {end.own_pose / start.own_pose:.0%}" if start.own_pose > 1e-9 else ""
        return (
            f"{end.step} steps chosen of {self.measurements[-1].step} tried: error on held-out views "
            f"{end.reconstruction / max(start.reconstruction, 1e-9):.0%} of what it was without adaptation, "
            f"identity error {end.identity / max(start.identity, 1e-9):.0%}, pose distance {kept:.0%}{own}"
        )

    def as_rows(self) -> list[dict]:
        """JSON-ready, rounded."""
        return [{k: v if k == "step" else round(v, 5) for k, v in asdict(m).items()} for m in self.measurements]

    @classmethod
    def from_rows(cls, rows: list[dict]) -> "Curve":
        """What `as_rows` gave."""
        return cls(tuple(Measurement(**row) for row in rows))

    def csv(self) -> str:
        """A table with a header: step, reconstruction, pose, identity, own_pose, cost, chosen."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("step", "reconstruction", "pose", "identity", "own_pose", "cost", "chosen"))
        for index, (row, cost) in enumerate(zip(self.as_rows(), self.costs())):
            writer.writerow((*row.values(), f"{cost:.5f}", int(index == self.best)))
        return out.getvalue()

    def picture(self, width: int = 640, height: int = 400) -> np.ndarray:
        """uint8 RGB (height, width, 3): every measure as a share of its first value, over the square root of steps.

        The upright axis holds what was measured, whose changes are small, and not 0. Where nothing was measured the picture
        says so.
        """
        canvas = np.full((height, width, 3), 255, np.uint8)
        if not self.measurements:
            _write(canvas, "not measured: the steps were given", (20, 30), (60, 60, 60))
            return canvas
        left, right, top, bottom = 50, width - 20, 30, height - 40
        shares = {
            name: [getattr(m, name) / max(getattr(self.measurements[0], name), 1e-9) for m in self.measurements]
            for name in ("reconstruction", "pose", "identity", "own_pose")
            if getattr(self.measurements[0], name) > 1e-9
        }
        lowest, highest = (pick(pick(values) for values in shares.values()) for pick in (min, max))
        margin = 0.1 * (highest - lowest) + 0.01
        lowest, highest = lowest - margin, highest + margin
        across = np.sqrt([m.step for m in self.measurements]) / max(np.sqrt(self.measurements[-1].step), 1)

        def place(x: float, y: float) -> tuple[int, int]:
            return round(left + x * (right - left)), round(bottom - (y - lowest) / (highest - lowest) * (bottom - top))

        cv2.rectangle(canvas, (left, top), (right, bottom), (120, 120, 120), 1)
        cv2.line(canvas, place(0, 1), place(1, 1), (200, 200, 200), 1)
        chosen = across[self.best]
        cv2.line(canvas, place(chosen, lowest), place(chosen, highest), (0, 160, 0), 1)
        colours = {"reconstruction": (200, 40, 40), "pose": (40, 60, 200), "identity": (150, 120, 0), "own_pose": (130, 40, 150)}
        for row, (name, values) in enumerate(shares.items()):
            line = np.array([place(x, y) for x, y in zip(across, values)], np.int32)
            cv2.polylines(canvas, [line], False, colours[name], 2, cv2.LINE_AA)
            _write(canvas, name.replace("_", " "), (left + 8 + 140 * row, 20), colours[name])
        for measurement, x in zip(self.measurements, across):
            _write(canvas, str(measurement.step), (place(x, 1)[0] - 8, bottom + 16), (60, 60, 60))
        for share in (1.0, lowest, highest):
            _write(canvas, f"{share:.0%}", (8, place(0, share)[1] + 4), (60, 60, 60))
        _write(canvas, f"steps; {self.chosen.step} chosen", (left, height - 8), (0, 130, 0))
        return canvas


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
