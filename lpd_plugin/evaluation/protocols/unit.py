"""The results of one person, one subject and one protocol, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from ..choice import Moments
from ..judges.base import Face, Judges
from ..subjects import Shown, filmed

TILE = 128  # pixels of a picture in a contact sheet
TILES = 8
WORST = 2  # frames kept of each unit to be looked at


@dataclass
class Unit:
    """about: what the subject says of itself; frames: a record for each; runs: of consecutive frames; pictures: JPEG files
    by name (bytes); worst: what is wrong with which picture; arrays: descriptors by name (N, D)."""

    about: dict = field(default_factory=dict)
    frames: list[dict] = field(default_factory=list)
    runs: list[dict] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    worst: list[dict] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Driven:
    """Driving moments as they were filmed, beside what was made of them; faces: what the landmarker sees in each."""

    moments: Moments
    filmed: list[Shown]
    wanted: list[Face | None]
    made: list[Shown]
    seen: list[Face | None]


def driven(moments: Moments, made: list[Shown], judges: Judges) -> Driven:
    """Ask the landmarker about both sides."""
    real = [filmed(*both) for both in zip(moments.frames, moments.masks)]
    wanted, seen = (judges.faces([one.picture for one in many]) for many in (real, made))
    return Driven(moments, real, wanted, made, seen)


def tiles(pictures: list[np.ndarray]) -> bytes:
    """A strip of pictures (S, S, 3) RGB side by side, as a JPEG."""
    return jpeg(np.concatenate([cv2.resize(p, (TILE, TILE), interpolation=cv2.INTER_AREA) for p in pictures], 1))


def jpeg(picture: np.ndarray, quality: int = 85) -> bytes:
    """A picture (H, W, 3) RGB uint8 as a JPEG."""
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def some(count: int, of: int) -> list[int]:
    """Up to `count` places of a list of that length, evenly."""
    return sorted(set(np.linspace(0, of - 1, min(count, of)).round().astype(int).tolist())) if of else []
