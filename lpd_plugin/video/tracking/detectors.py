"""What every face detector gives, and the chain that asks one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Detection:
    """A face: box l, t, r, b in pixels of the picture, framed as YuNet frames faces; score in [0, 1]; who found it."""

    box: tuple[float, float, float, float]
    score: float
    source: str

    @property
    def centre(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def side(self) -> float:
        """The longer side, pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


class Detector(Protocol):
    """Anything that finds faces."""

    name: str

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """uint8 RGB (H, W, 3) -> faces, best first; an empty list where there is none."""
        ...


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes l, t, r, b."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def without_duplicates(found: Sequence[Detection], most_overlap: float = 0.35) -> list[Detection]:
    """The best of every group of overlapping faces, best first. A small box well inside a kept one goes too."""
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda one: -one.score):
        if all(overlap(detection.box, other.box) < most_overlap and not _within(detection, other) for other in kept):
            kept.append(detection)
    return kept


def _within(small: Detection, large: Detection) -> bool:
    x, y = small.centre
    left, top, right, bottom = large.box
    return left < x < right and top < y < bottom and small.score < large.score and small.side < large.side


class DetectorChain:
    """Asks detectors in order; the next one only where those before missed something.

    `looking_for` are the boxes of heads known to be about; without any, one face found is enough.
    """

    name = "chain"

    def __init__(self, detectors: Sequence[Detector]):
        self.detectors = list(detectors)

    def detect(self, rgb: np.ndarray, looking_for: Sequence[Sequence[float]] = ()) -> list[Detection]:
        found: list[Detection] = []
        for detector in self.detectors:
            for detection in detector.detect(rgb):
                if all(overlap(detection.box, other.box) < 0.2 for other in found):
                    found.append(detection)
            if found and all(max(overlap(box, one.box) for one in found) > 0.2 for box in looking_for):
                break
        return found


def looked_for(detector: Detector, rgb: np.ndarray, boxes: Sequence[Sequence[float]]) -> list[Detection]:
    """Detect with any detector; a chain is told where heads are expected."""
    if isinstance(detector, DetectorChain):
        return detector.detect(rgb, boxes)
    return detector.detect(rgb)
