"""What was measured of every composited frame, as a table, and which frames stand out."""

from __future__ import annotations

import csv
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from ...video.planes import plane_views
from ...video.regions.components import components_of
from ...video.regions.region import Rect
from ...video.track import CropBox
from ...whole_files import checked_target, written_whole
from ..layer import Coarse, Shown
from ..picture.look import Look

MEASURES = ("time", "x", "y", "side", "confidence", "mask_area", "edge_flicker", "colour_shift", "outside_change")
GRID = 96  # side of the square's small copies in which edges are compared
COLOUR_GRID = 48  # ... and in which colours are
EDGE = (0.05, 0.95)  # alpha between which a small copy's pixel belongs to the edge
FACE = (0.19, 0.26)  # half axes of the inside of the face, shares of the square's side
SOLID = 0.9  # alpha of the new head from which on its colour is compared

# What makes a frame stand out: how far it may be from the frames around it before its deviation counts, which side
# matters (+1 above, -1 below, 0 both), and what to call it.
WATCHED = {
    "edge_flicker": (0.005, 1, "edge flicker"),
    "mask_area": (0.003, 0, "mask area"),
    "colour_shift": (0.4, 1, "colour shift"),
    "confidence": (0.03, -1, "low confidence"),
    "box_jump": (0.002, 1, "box jumps"),
}
EVERY_ROW = 4
AROUND = 25  # frames whose running median a frame is compared with
OUTLIER = 6.0  # robust standard deviations
LEAST_FRAMES = 12  # fewer measured ones have no usual value


class FrameTable:
    """One row of float32 a frame (36 bytes), NaN where nothing was measured; filled while a composite is iterated.

    time: seconds. x, y, side: the head's square in pixels. confidence: the track's. mask_area: share of the square that
    is covered. edge_flicker: mean |alpha - the mean of the alphas before and after| on the edge, in the square's own
    coordinates, so that steady motion does not count; NaN without both neighbours. colour_shift: CIE Lab distance
    (CIE76) between the mean colours of the new face and of the footage's. outside_change: the largest change of a
    sample outside the region, in codes; anything but 0 is a fault of this program.
    """

    def __init__(self, count: int):
        self.values = np.full((count, len(MEASURES)), np.nan, np.float32)
        self._edges: deque[tuple[int, np.ndarray]] = deque(maxlen=3)

    def column(self, name: str) -> np.ndarray:
        """(N,) of one measure: a view."""
        return self.values[:, MEASURES.index(name)]

    def measure(self, index: int, time: float, look: Look | None, layer: Shown | Coarse | None, confidence: float = np.nan) -> None:
        """What one frame shows, in any order; look: the footage's square, at any resolution, layer: what is laid over it,
        None: nothing."""
        self.column("time")[index] = time
        if look is None or layer is None:
            return
        box, rect = look.box, layer.rect
        shrunk, block = _shrunk(layer.alpha, box)
        row = dict(x=box.left, y=box.top, side=box.side, confidence=confidence)
        row["mask_area"] = float(shrunk.sum(dtype=np.float64)) * block**2 / box.side**2
        row["colour_shift"] = _colour_shift(look, layer)
        for name, value in row.items():
            self.column(name)[index] = value
        self._edges.append((index, _in_square(shrunk, block, rect, box)))
        numbers = [number for number, _ in self._edges]
        if numbers == [index - 2, index - 1, index]:
            self.column("edge_flicker")[index - 1] = _flicker(*(edge for _, edge in self._edges))

    def forget_neighbours(self) -> None:
        """Measure on as if nothing had come before: what is measured of a part is then the same wherever one starts."""
        self._edges.clear()

    def check_outside(self, index: int, before: av.VideoFrame, after: av.VideoFrame, rect: Rect) -> None:
        """Compare what is not the region `rect` of a frame with the footage: at each frame every EVERY_ROW-th row, at the next one
        those below, since all of a large picture would take longer than much of the composite."""
        self.column("outside_change")[index] = change_outside(before, after, rect, slice(index % EVERY_ROW, None, EVERY_ROW))

    def flags(self) -> list[tuple[str, ...]]:
        """For every frame, what stands out in it (see WATCHED)."""
        found = {words: self.standing_out(name) for name, (_, _, words) in WATCHED.items()}
        found["changed outside"] = np.nan_to_num(self.column("outside_change")) > 0
        return [tuple(words for words, rows in found.items() if rows[index]) for index in range(len(self.values))]

    def standing_out(self, name: str) -> np.ndarray:
        """(N,) bool: frames in which a measure of WATCHED is far from the frames around, by a robust z-score: distance
        to the running median over 1.4826 times the median distance (Iglewicz and Hoaglin 1993)."""
        least, side, _ = WATCHED[name]
        values = self._box_jumps() if name == "box_jump" else self.column(name).astype(np.float64)
        known = np.flatnonzero(np.isfinite(values))
        rows = np.zeros(len(values), bool)
        if len(known) >= LEAST_FRAMES:
            away = values[known] - _running_median(values[known])
            scores = away / max(1.4826 * np.median(np.abs(away)), least)
            rows[known] = (np.abs(scores) if side == 0 else side * scores) > OUTLIER
        return rows

    def _box_jumps(self) -> np.ndarray:
        """(N,) how far a square is from halfway between its neighbours, in shares of its side."""
        x, y, side = (self.column(name).astype(np.float64) for name in ("x", "y", "side"))
        jumps = np.full(len(side), np.nan)
        bends = [one[1:-1] - (one[:-2] + one[2:]) / 2 for one in (x + side / 2, y + side / 2, side)]
        jumps[1:-1] = np.linalg.norm(bends, axis=0) / side[1:-1]
        return jumps

    def write_csv(self, path: str | os.PathLike, outcomes: Sequence[str], overwrite: bool = False) -> Path:
        """A line a frame: frame number from 0, the measures, the outcome, what stands out; whole or not at all.

        Raises `BadInput` if the file exists (unless `overwrite`) or cannot be written.
        """
        target = checked_target(path, overwrite)
        with written_whole(target) as part, open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("frame", MEASURES[0], "outcome", *MEASURES[1:], "look at"))
            for index, (row, outcome, flags) in enumerate(zip(self.values, outcomes, self.flags(), strict=True)):
                cells = ["" if np.isnan(value) else f"{value:.5g}" for value in row]
                writer.writerow((index, cells[0], outcome, *cells[1:], "; ".join(flags)))
        return target


def change_outside(before: av.VideoFrame, after: av.VideoFrame, rect: Rect, rows: slice = slice(None)) -> int:
    """The largest difference, in codes, of samples that colour no pixel inside `rect` alone: 0 where only the region
    changed. Both pictures of one format and size. rows: which to compare, counted in each part around the region."""
    parts = {part.plane: part for part in components_of(before).parts}
    worst = 0
    for number, (old, new) in enumerate(zip(plane_views(before), plane_views(after), strict=True)):
        height, width = old.shape
        fx, fy = (1 << parts[number].shift_x, 1 << parts[number].shift_y) if number in parts else (1, 1)
        left, top = -(-rect.left // fx), -(-rect.top // fy)
        right = width if rect.right == before.width else rect.right // fx
        bottom = height if rect.bottom == before.height else rect.bottom // fy
        for part in (np.s_[:top], np.s_[bottom:], np.s_[top:bottom, :left], np.s_[top:bottom, right:]):
            if old[part][rows].size:
                worst = max(worst, int(cv2.norm(old[part][rows], new[part][rows], cv2.NORM_INF)))
    return worst


def _to_grid(rect: Rect, box: CropBox, grid: int, block: float) -> np.ndarray:
    """The affine map from a grid's pixels over the square to blocks of pixels of `rect`, centres at halves."""
    step = box.side / grid
    places = [(box.left - rect.left + step / 2) / block - 0.5, (box.top - rect.top + step / 2) / block - 0.5]
    return np.array([[step / block, 0, places[0]], [0, step / block, places[1]]])


def _shrunk(alpha: np.ndarray, box: CropBox) -> tuple[np.ndarray, int]:
    """Averages over blocks of whole pixels, about as many as the grid has, and a block's side."""
    block = max(1, int(box.side / GRID))  # a whole number: averaging is then many times as fast
    height, width = (length // block for length in alpha.shape)
    if not height or not width:
        return np.zeros((1, 1), np.float32), block
    return cv2.resize(alpha[: height * block, : width * block], (width, height), interpolation=cv2.INTER_AREA), block


def _in_square(shrunk: np.ndarray, block: int, rect: Rect, box: CropBox) -> np.ndarray:
    """What `_shrunk` gave of an alpha on `rect` as a small copy (96, 96) of the square; nothing beyond the rectangle."""
    flags, to_grid = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, _to_grid(rect, box, GRID, block)
    return cv2.warpAffine(shrunk, to_grid, (GRID, GRID), flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _flicker(before: np.ndarray, now: np.ndarray, after: np.ndarray) -> float:
    low, high = np.minimum(np.minimum(before, now), after), np.maximum(np.maximum(before, now), after)
    edge = (high > EDGE[0]) & (low < EDGE[1])
    return float(np.abs(now - (before + after) / 2)[edge].mean()) if edge.any() else 0.0


def _colour_shift(look: Look, layer: Shown | Coarse) -> float:
    """NaN where the new head covers none of the face."""
    flags, size = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, (COLOUR_GRID, COLOUR_GRID)

    def picked(values: np.ndarray, rect: Rect) -> np.ndarray:
        to_grid = _to_grid(rect, look.box, COLOUR_GRID, rect.width / values.shape[1])
        return cv2.warpAffine(values, to_grid, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)

    away = (np.arange(COLOUR_GRID) + 0.5) / COLOUR_GRID - 0.5
    face = np.hypot(away[None, :] / FACE[0], away[:, None] / FACE[1]) < 1
    face &= picked(layer.head, layer.rect) > SOLID
    if not face.any():
        return np.nan
    pictures = picked(look.rgb, look.rect), picked(layer.rgb, layer.rect)
    means = [cv2.cvtColor(np.clip(rgb, 0, 1).astype(np.float32), cv2.COLOR_RGB2Lab)[face].mean(0) for rgb in pictures]
    return float(np.linalg.norm(means[1] - means[0]))


def _running_median(values: np.ndarray) -> np.ndarray:
    half = AROUND // 2
    padded = np.pad(values, half, mode="reflect" if len(values) > half else "edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
