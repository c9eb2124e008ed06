"""The embedded head finder: our own small network, no download, any OpenCV."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file

from ...errors import BadInput
from ...networks.finder import HeadFinder, boxes_from_maps
from .detectors import Detection, overlap, without_duplicates

WEIGHTS = Path(__file__).parents[2] / "weights" / "finder.safetensors"
LEVELS = (288, 144)  # longer side of the picture, pixels; between them faces of 8 % to 90 % are of trained size
FINE_LEVEL = 576  # looked at only where the others see nothing
CELL = 32  # the network wants multiples of it
CANDIDATE = 0.2  # score from which a second look is worth it
SECOND_LOOKS = 6  # at most
LOOK_SIDE, LOOK_SCALE = 128, 2.2  # pixels of the second look, and its side over the face's


@lru_cache(maxsize=2)
def load_finder(path: Path = WEIGHTS) -> HeadFinder:
    """The network in evaluation mode, from safetensors. Raises BadInput where the file is missing."""
    if not path.is_file():
        raise BadInput(f"The head finder's weights are missing at {path}: reinstall the plugin or give a detector.")
    finder = HeadFinder()
    finder.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=False)
    return finder.eval()


class HeadFinderDetector:
    """Faces between about 5 % and 90 % of the picture's longer side, frontal to profile, tilted up to 50 degrees."""

    name = "finder"

    def __init__(self, threshold: float = 0.42, path: Path = WEIGHTS):
        self.threshold, self.finder = threshold, load_finder(path)

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        found = self._looked_again(rgb, [one for level in LEVELS for one in self._at(rgb, level)])
        if not found and max(rgb.shape[:2]) > LEVELS[0]:
            found = self._looked_again(rgb, self._at(rgb, FINE_LEVEL))
        return found

    def _at(self, rgb: np.ndarray, longer_side: int) -> list[Detection]:
        """Candidates seen with the picture's longer side scaled to so many pixels."""
        height, width = rgb.shape[:2]
        scale = longer_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        below, beside = -size[1] % CELL, -size[0] % CELL
        small = np.pad(small, ((0, below), (0, beside), (0, 0)), constant_values=128)
        unit = np.array([width / size[0], height / size[1]] * 2 + [1.0])
        return [self._detection(row * unit) for row in self._boxes([small])[0]]

    def _looked_again(self, rgb: np.ndarray, candidates: list[Detection]) -> list[Detection]:
        """Look at every candidate at one size: it must be seen again; the box is the mean of both.

        The network has its surest view of faces of about LOOK_SIDE / LOOK_SCALE pixels; hands and
        lettering that pass at one size rarely pass at another.
        """
        candidates = without_duplicates(candidates)[:SECOND_LOOKS]
        squares = [_around(one) for one in candidates]
        looks = self._boxes([_view(rgb, square) for square in squares])
        found = []
        for candidate, (left, top, side), rows in zip(candidates, squares, looks):
            corner = np.array([left, top, left, top])
            again = [self._detection(np.append(row[:4] * (side / LOOK_SIDE) + corner, row[4])) for row in rows]
            again = [one for one in again if overlap(one.box, candidate.box) > 0.35]
            if not again:
                continue
            score = (again[0].score * candidate.score) ** 0.5
            if score >= self.threshold:
                box = tuple((one + other) / 2 for one, other in zip(again[0].box, candidate.box))
                found.append(Detection(box, score, self.name))
        return without_duplicates(found)

    def _boxes(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Rows l, t, r, b, score of pictures of one size."""
        if not pictures:
            return []
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2)).float() / 255
            return [boxes_from_maps(maps, CANDIDATE).numpy().astype(float) for maps in self.finder(batch)]

    def _detection(self, row: np.ndarray) -> Detection:
        left, top, right, bottom, score = row.tolist()
        return Detection((left, top, right, bottom), score, self.name)


def _around(candidate: Detection) -> tuple[float, float, float]:
    (x, y), side = candidate.centre, candidate.side * LOOK_SCALE
    return x - side / 2, y - side / 2, side


def _view(rgb: np.ndarray, square: tuple[float, float, float]) -> np.ndarray:
    """The square, scaled to LOOK_SIDE; grey outside the picture as in the network's training."""
    left, top, side = square
    scale = LOOK_SIDE / side
    if scale < 0.7:  # warpAffine does not smooth
        x, y = max(0, int(left)), max(0, int(top))
        part = rgb[y : max(y + 1, int(top + side) + 1), x : max(x + 1, int(left + side) + 1)]
        if part.size:
            rgb = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            left, top, scale = (left - x) * scale, (top - y) * scale, 1.0
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    return cv2.warpAffine(rgb, matrix, (LOOK_SIDE, LOOK_SIDE), borderValue=(128, 128, 128))
