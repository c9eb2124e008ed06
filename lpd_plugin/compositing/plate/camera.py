"""Does the camera stand still? Background features of one frame looked for in others."""

from __future__ import annotations

import cv2
import numpy as np

from ...video.track import CropBox

LONGEST = 640  # pixels a side in which features are followed
FEWEST = 8  # features from which their motion is trusted
STILL = 0.75  # pixels of the footage that features of a standing camera may seem to move
STILL_SHARE = 0.0008  # ... or this share of the longer side, where that is more


class CameraReference:
    """The background of one frame, to compare others with."""

    def __init__(self, rgb: np.ndarray, box: CropBox | None):
        """rgb: uint8 (H, W, 3), the whole frame; box: the head's square, left out with all below it."""
        self.scale = min(1.0, LONGEST / max(rgb.shape[:2]))
        self.longest = max(rgb.shape[:2])
        self.grey = self._small(rgb)
        self.points = cv2.goodFeaturesToTrack(self.grey, 200, 0.02, 6, mask=self._background(box))
        self.box = box

    def stands(self, rgb: np.ndarray, box: CropBox | None) -> bool:
        """Whether another frame (with its own head square) shows the same view."""
        grey = self._small(rgb)
        count = 0 if self.points is None else len(self.points)
        if count >= FEWEST:
            return self._features_stay(grey, box)
        mask = (self._background(box) > 0) & (self._background(self.box) > 0)
        return not mask.any() or float(np.median(cv2.absdiff(grey, self.grey)[mask])) < 8

    def _features_stay(self, grey: np.ndarray, box: CropBox | None) -> bool:
        there, found, _ = cv2.calcOpticalFlowPyrLK(self.grey, grey, self.points, None)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(grey, self.grey, there, None)
        certain = (found & found_back).ravel().astype(bool)
        certain &= np.linalg.norm(back - self.points, axis=-1).ravel() < 0.5
        x, y = np.clip(np.rint(there.reshape(-1, 2)).astype(int), 0, np.array(grey.shape[::-1]) - 1).T
        visible = self._background(box)[y, x] > 0
        if visible.sum() < FEWEST:
            return True
        moved = np.linalg.norm((there - self.points).reshape(-1, 2), axis=1)[certain & visible] / self.scale
        limit = max(STILL, STILL_SHARE * self.longest)
        return len(moved) > 0.4 * visible.sum() and float(np.median(moved)) < limit

    def _small(self, rgb: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        size = (max(1, round(grey.shape[1] * self.scale)), max(1, round(grey.shape[0] * self.scale)))
        return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)

    def _background(self, box: CropBox | None) -> np.ndarray:
        return background_mask(self.grey.shape, box, self.scale)


def background_mask(shape: tuple[int, int], box: CropBox | None, scale: float) -> np.ndarray:
    """uint8 of `shape`, a picture `scale` times the footage: 255 but for the head's square and all below it."""
    mask = np.full(shape, 255, np.uint8)
    if box is not None:
        # Arms and shoulders reach beyond the square by about a third of its side.
        left, right = box.left - box.side / 3, box.left + box.side * 4 / 3
        columns = slice(max(0, int(left * scale)), max(0, int(right * scale)))
        mask[max(0, int(box.top * scale)) :, columns] = 0
    return mask
