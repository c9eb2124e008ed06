"""What a judge is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

MOVEMENTS = ("yaw", "pitch", "roll", "jaw", "blink", "smile", "gaze")


@dataclass(frozen=True)
class Face:
    """What a landmarker sees. landmarks: (478, 2) pixels, MediaPipe's points; movements: (7,), see MOVEMENTS: yaw, pitch
    and roll in radians, jaw opening, blink and smile in [0, 1], gaze in [-2, 2], sideways; blendshapes: (52,) in [0, 1]."""

    landmarks: np.ndarray
    movements: np.ndarray
    blendshapes: np.ndarray


class Judge(ABC):
    """Base of both kinds."""

    def close(self) -> None:
        """Let go of what it holds; it is not asked again."""


class Landmarker(Judge):
    """Where a face's points are and what it does."""

    @abstractmethod
    def look(self, rgb: np.ndarray) -> Face | None:
        """The face in a uint8 RGB picture (S, S, 3), or None where it sees none."""


class Recogniser(Judge):
    """Who a face belongs to."""

    @abstractmethod
    def embedding(self, rgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The unit vector (D,) of the face in a uint8 RGB picture (S, S, 3) whose landmarks (478, 2) these are."""


@dataclass(frozen=True)
class Judges:
    """Who judges; None: nobody does that."""

    landmarker: Landmarker | None = None
    recogniser: Recogniser | None = None

    def faces(self, pictures) -> list[Face | None]:
        """What the landmarker sees in each of some pictures; None also where there is no landmarker."""
        return [None if self.landmarker is None else self.landmarker.look(one) for one in pictures]
