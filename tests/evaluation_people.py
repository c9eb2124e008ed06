"""Judges and people for the tests of evaluation: real people in small numbers, and judges that need no package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lpd_plugin.evaluation.judges.base import Face, Landmarker, Recogniser
from lpd_plugin.evaluation.judges.registry import PlugIn, register
from lpd_plugin.evaluation.measures.stability import OVAL
from lpd_plugin.evaluation.subjects import Performer
from lpd_plugin.learning.data.packs import write_pack
from lpd_plugin.learning.data.store import HeadStore
from lpd_plugin.learning.data.video_files import resized
from lpd_plugin.reenactment.heads import Head
from training_runs import two_persons

MASK = np.zeros((256, 256), np.float32)  # of whatever is driven by itself
MASK[40:220, 40:220] = 1


def face_points(centre=(128.0, 128.0), size: float = 100.0) -> np.ndarray:
    """(478, 2): points inside an oval, the outer eyes `size` pixels apart on a level line."""
    random = np.random.default_rng(0)
    points = random.normal(0, 0.2, (478, 2))
    around = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    points[list(OVAL)] = np.stack([0.7 * np.sin(around), -0.9 * np.cos(around)], 1)
    points[33], points[263] = (-0.5, -0.2), (0.5, -0.2)
    return points * size + np.asarray(centre)


class CoarseLandmarker(Landmarker):
    """Finds whatever is not grey, and takes brightness in seven places for movements."""

    def look(self, rgb: np.ndarray) -> Face | None:
        there = np.abs(rgb.astype(int) - 128).max(2) > 12
        if there.mean() < 0.02:
            return None
        y, x = np.nonzero(there)
        small = rgb[::16, ::16].mean(2) / 255
        moves = np.array([small[4:8, k : k + 3].mean() for k in range(3, 10)])
        return Face(face_points((x.mean(), y.mean()), 2 * x.std()), moves, small[:4].ravel()[:52])


class CoarseRecogniser(Recogniser):
    """Colours in sixteen places, as a unit vector."""

    def embedding(self, rgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        colours = rgb.reshape(4, 64, 4, 64, 3).mean((1, 3)).ravel() - 128
        return colours / max(float(np.linalg.norm(colours)), 1e-9)


class Mirror(Performer):
    """Gives back what drives it."""

    about: dict = {}

    def read(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def heads(self, readings):
        for frame in readings:
            yield Head(np.float32(frame) / 255, MASK)


def coarse_judges(folder: Path) -> Path:
    """A folder with the files of the two judges above, which are registered in this process."""
    register(PlugIn("coarse landmarker", "landmarker", "*.coarse-points", ".coarse-points", lambda _: CoarseLandmarker()))
    register(PlugIn("coarse recogniser", "recogniser", "*.coarse-names", ".coarse-names", lambda _: CoarseRecogniser()))
    folder.mkdir(exist_ok=True)
    for name in ("a.coarse-points", "b.coarse-names"):
        (folder / name).write_text("nothing to read")
    return folder


def people_of(carphone: Path, astronaut: Path, path: Path, split: str = "val") -> Path:
    """A pack of two real persons at 256 px, all of one split."""
    store = two_persons(carphone, astronaut)
    clips = [replace(clip, split=split) for clip in store.clips]
    write_pack(HeadStore(resized(store.frames, 256), resized(store.masks, 256), clips), path)
    return path
