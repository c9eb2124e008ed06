"""One head from where it is first seen to where it is lost."""

from __future__ import annotations

from array import array

import cv2
import numpy as np

from ..track import Origin
from .detectors import Detection


class Tracklet:
    """Boxes of consecutive frames, 25 bytes a frame, and what the head looks like."""

    def __init__(self, frame: int, time: float, detection: Detection, look: np.ndarray, shot: int):
        self.start = frame
        self.shot = shot
        self.look = look
        self.hits = self.asked = 1
        self.score = detection.score  # running mean
        self.seen_frame, self.seen_time = frame, time
        self._rows = array("f")
        self._origins = bytearray()
        self.add(detection.box, detection.score, Origin.DETECTED)

    def __len__(self) -> int:
        return len(self._origins)

    @property
    def stop(self) -> int:
        """The frame after the last."""
        return self.start + len(self)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The newest box."""
        return tuple(self._rows[-5:-1])

    def add(self, box, confidence: float, origin: Origin) -> None:
        self._rows.extend((*box, confidence))
        self._origins.append(origin)

    def seen(self, frame: int, time: float, detection: Detection, look: np.ndarray) -> None:
        """Count a detection of this head (its box is given to `add`)."""
        self.hits += 1
        self.score += (detection.score - self.score) / self.hits
        self.look = 0.9 * self.look + 0.1 * look
        self.seen_frame, self.seen_time = frame, time

    def begin_earlier(self, boxes: list, confidences: list[float]) -> None:
        """Put frames before the first, given from the latest to the earliest."""
        for box, confidence in zip(boxes, confidences):
            self._rows = array("f", (*box, confidence)) + self._rows
            self._origins.insert(0, Origin.TRACKED)
            self.start -= 1

    def cut_off(self, stop: int) -> None:
        """Forget frames from `stop` on."""
        keep = max(0, min(len(self), stop - self.start))
        del self._rows[5 * keep :]
        del self._origins[keep:]

    def scale(self, across: float, down: float) -> None:
        """From the pixels of a reduced picture to the footage's."""
        rows = np.array(self._rows, np.float32).reshape(-1, 5) * np.float32([across, down, across, down, 1])
        self._rows = array("f", rows.ravel().tolist())

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (n, 4) float32 l, t, r, b; confidence (n,) float32; origin (n,) uint8."""
        rows = np.array(self._rows, np.float32).reshape(-1, 5)
        return rows[:, :4], rows[:, 4], np.frombuffer(bytes(self._origins), np.uint8)


    def speed(self, times: np.ndarray) -> float:
        """Face sides a second between the first and the last time it was detected; 0 for one detection."""
        boxes, _, origins = self.arrays()
        seen = np.flatnonzero(origins == Origin.DETECTED)
        if len(seen) < 2:
            return 0.0
        boxes = boxes[seen]
        middles, sides = boxes[:, :2] + boxes[:, 2:], np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3).max(axis=1)
        way = np.linalg.norm(np.diff(middles, axis=0), axis=1).sum() / 2
        lasted = times[self.start + seen[-1]] - times[self.start + seen[0]]
        return float(way / sides.mean() / max(lasted, 1e-6))


def look_of(rgb: np.ndarray, box) -> np.ndarray:
    """What a head looks like: a hue, saturation, value histogram (128,) of its surroundings' square, sum 1."""
    left, top, right, bottom = box
    grow_x, grow_y = 0.25 * (right - left), 0.25 * (bottom - top)
    height, width = rgb.shape[:2]
    part = rgb[
        int(np.clip(top - grow_y, 0, height - 1)) : int(np.clip(bottom + grow_y, 1, height)),
        int(np.clip(left - grow_x, 0, width - 1)) : int(np.clip(right + grow_x, 1, width)),
    ]
    if not part.size:
        return np.full(128, 1 / 128, np.float32)
    hsv = cv2.cvtColor(cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV)
    histogram = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
    return histogram / histogram.sum()


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Bhattacharyya coefficient of two looks, 0..1."""
    return float(np.sqrt(a * b).sum())
