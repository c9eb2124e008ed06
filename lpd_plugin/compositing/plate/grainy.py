"""A clean plate with the footage's grain: what is made of many frames has none left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...video.clip import Clip
from ...video.planes import bit_depth
from ...video.regions.components import Components
from ...video.regions.region import Rect, read_region
from ...video.track import Track
from ..head.grain import Grain, measure_grain
from ..picture.look import frames_at
from .plate import Plate
from .still_camera import all_reaches

PROBES = 6  # frames in which grain is measured
LARGEST = 1024  # pixels a side that are looked at


@dataclass(frozen=True)
class GrainyPlate(Plate):
    """`plate` with grain on it, another at every frame, the same whenever one frame is asked for again."""

    plate: Plate
    grain: Grain
    seed: int = 0

    @property
    def moving(self) -> bool:
        return self.plate.moving

    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        background, confidence = self.bare(index, rect, rgb)
        self.add_grain(background, index, rect)
        return background, confidence

    def bare(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        return self.plate.at(index, rect, rgb)

    def means(self, index: int, rect: Rect, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self.plate.means(index, rect, step)

    def own_codes(self, index: int, components: Components, size: tuple[int, int]) -> tuple[list[Rect], list[np.ndarray]] | None:
        return self.plate.own_codes(index, components, size)

    def noise(self, codes: np.ndarray, index: int, rect: Rect) -> np.ndarray | None:
        return self.grain.on_luma(codes, self.seed, index, (rect.left, rect.top))

    def add_grain(self, background: np.ndarray, index: int, rect: Rect) -> None:
        background += self.grain.synthesise(background, self.seed, index, (rect.left, rect.top))

    def shows(self, index: int) -> bool:
        return self.plate.shows(index)

    def fingerprint(self) -> str:
        made = hashlib.sha256(f"grainy {self.plate.fingerprint()} {self.seed}".encode())
        made.update(np.ascontiguousarray(self.grain.sigma).tobytes())
        return made.hexdigest()


def with_grain(plate: Plate, clip: Clip, track: Track) -> Plate:
    """The plate with grain as measured in a few frames of the clip; the same plate where there is none."""
    step = 1 / ((1 << bit_depth(clip.info.pixel_format)) - 1)
    grain = measure_grain(_parts(clip, track), step)
    return plate if grain.none else GrainyPlate(plate, grain)


def _parts(clip: Clip, track: Track) -> Iterator[np.ndarray]:
    """The surroundings of the heads' way, at most LARGEST pixels a side, at a few moments."""
    present = np.flatnonzero(track.present)
    chosen = sorted(set(present[np.linspace(0, len(present) - 1, min(PROBES, len(present))).round().astype(int)].tolist()))
    way = all_reaches(track, (clip.info.width, clip.info.height))
    x, y = (way.left + way.right) // 2, (way.top + way.bottom) // 2
    half = LARGEST // 2
    part = Rect(x - half, y - half, x + half, y + half).clipped(clip.info.width, clip.info.height)
    for frame in frames_at(clip, chosen):
        yield read_region(frame.picture, part)
