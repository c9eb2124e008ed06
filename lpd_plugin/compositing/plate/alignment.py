"""One frame's background laid over another's: by the camera's motion, and by optical flow for what is left."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...video.regions.region import Rect
from .fill import push_pull

GRID = 8  # pixels of the footage between the places for which a map is worked out
FLOW_SIDE = 224  # pixels of the longer side on which flow is measured
FARTHEST = 0.02  # of the longer side: more is a mistake, not parallax
NEW_RIM = 2  # pixels of that picture around what another frame shows anew
SURE = 0.06  # difference after the flow at which it is half believed


def mapped_rect(matrix: np.ndarray, rect: Rect) -> Rect:
    """The whole pixels around where a homography puts a rectangle."""
    corners = np.float64([[x, y] for y in (rect.top, rect.bottom) for x in (rect.left, rect.right)])
    there = cv2.perspectiveTransform(corners[None] - 0.5, matrix)[0] + 0.5
    low, high = np.floor(there.min(0) - 1).astype(int), np.ceil(there.max(0) + 1).astype(int)
    return Rect(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


@dataclass(frozen=True)
class Flow:
    """How a frame laid over another still misses it: field (h, w, 2) over `rect`, in pixels of the full resolution, how
    well the frames agree after it, (h, w) in 0..1, and where it shows background that the other does not, (h, w) bool."""

    rect: Rect
    field: np.ndarray
    agreement: np.ndarray
    new: np.ndarray

    def new_rect(self) -> Rect:
        """Around what is new, with a rim to compare; may be empty."""
        rows, columns = np.flatnonzero(self.new.any(1)), np.flatnonzero(self.new.any(0))
        if not len(rows):
            return Rect(0, 0, 0, 0)
        x, y = self.rect.width / self.new.shape[1], self.rect.height / self.new.shape[0]
        left, right = int((columns[0] - NEW_RIM) * x), int((columns[-1] + 1 + NEW_RIM) * x) + 1
        top, bottom = int((rows[0] - NEW_RIM) * y), int((rows[-1] + 1 + NEW_RIM) * y) + 1
        inside = Rect(left, top, right, bottom).clipped(self.rect.width, self.rect.height)
        return Rect(
            inside.left + self.rect.left, inside.top + self.rect.top,
            inside.right + self.rect.left, inside.bottom + self.rect.top,
        )  # fmt: skip

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The field at pixels of the frame, (len(y), len(x), 2)."""
        return self._sampled(self.field, x, y)

    def agreement_on(self, rect: Rect) -> np.ndarray:
        x, y = np.arange(rect.left, rect.right), np.arange(rect.top, rect.bottom)
        return self._sampled(self.agreement, x, y)

    def _sampled(self, values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        height, width = values.shape[:2]
        x = ((x - self.rect.left + 0.5) * width / self.rect.width - 0.5).astype(np.float32)
        y = ((y - self.rect.top + 0.5) * height / self.rect.height - 0.5).astype(np.float32)
        return cv2.remap(values, *np.meshgrid(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def pixel_map(matrix: np.ndarray, rect: Rect, source: Rect, flow: Flow | None = None) -> np.ndarray:
    """(height, width, 2) float32, for cv2.remap: where in a picture of `source` each pixel of `rect` comes from.

    matrix: from the pixels of `rect`'s frame to those of `source`'s; flow: added before. Worked out every GRID pixels and
    interpolated: both are smooth.
    """
    columns, rows = -(-rect.width // GRID) + 2, -(-rect.height // GRID) + 2
    x = (np.arange(columns) - 0.5) * GRID - 0.5 + rect.left
    y = (np.arange(rows) - 0.5) * GRID - 0.5 + rect.top
    grid = np.stack(np.meshgrid(x, y), -1)
    if flow is not None:
        grid = grid + flow.at(x, y)
    there = cv2.perspectiveTransform(grid.reshape(1, -1, 2), matrix).reshape(grid.shape)
    there = (there - (source.left, source.top)).astype(np.float32)
    whole = cv2.resize(there, (columns * GRID, rows * GRID), interpolation=cv2.INTER_LINEAR)
    return whole[GRID : GRID + rect.height, GRID : GRID + rect.width]


@dataclass(frozen=True)
class Thumbnail:
    """A whole frame, small: grey uint8, and known (bool): what of it is background. scale: its pixels over the frame's,
    across and down."""

    grey: np.ndarray
    known: np.ndarray
    scale: tuple[float, float]

    def on(self, matrix: np.ndarray, rect: Rect, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Drawn on a rectangle of another frame, `size` (width, height) pixels: grey, and what of it is known.

        matrix: from the other frame's pixels to this one's.
        """
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # from pixel centres at whole numbers to at halves
        place = np.array([[rect.width / size[0], 0, rect.left], [0, rect.height / size[1], rect.top], [0, 0, 1]])
        back = np.linalg.inv(half)
        matrix = back @ np.diag([*self.scale, 1.0]) @ half @ matrix @ back @ place @ half
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grey = cv2.warpPerspective(self.grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        known = cv2.warpPerspective(self.known.astype(np.float32), matrix, size, flags=flags)
        return grey, known > 0.99


def remaining_flow(target: Thumbnail, other: Thumbnail, matrix: np.ndarray, rect: Rect) -> Flow:
    """What the camera's motion (`matrix`, from the target's pixels to the other's) leaves between two frames on a
    rectangle of the target, measured on the background by dense inverse search (Kroeger et al. 2016) and carried on
    smoothly behind the person."""
    longest = max(rect.width, rect.height)
    scale = min(1.0, FLOW_SIDE / longest)
    size = max(16, round(rect.width * scale)), max(16, round(rect.height * scale))
    grey, known = _without_edges(*target.on(np.eye(3), rect, size))
    moved, moved_known = _without_edges(*other.on(matrix, rect, size))
    field = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(grey, moved, None)
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    there = cv2.remap(moved, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missed = cv2.blur(cv2.absdiff(there, grey).astype(np.float32) / 255, (5, 5))
    inner = cv2.erode((known & moved_known).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    believed = inner & (np.abs(field).max(-1) < FARTHEST * max(size)) & (missed < 2 * SURE)
    field = cv2.GaussianBlur(push_pull(field, believed.astype(np.float32)), (0, 0), 2.0)
    agreement = 1 / (1 + (missed / SURE) ** 2)
    agreement = push_pull(agreement[..., None], inner.astype(np.float32))[..., 0] if inner.any() else np.ones_like(missed)
    field *= np.float32([rect.width / size[0], rect.height / size[1]])
    return Flow(rect, field, agreement, moved_known & ~known)


def _without_edges(grey: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The unknown filled in smoothly, so that its outline does not pull the flow."""
    filled = push_pull(grey[..., None].astype(np.float32), known.astype(np.float32))[..., 0]
    return np.clip(filled, 0, 255).round().astype(np.uint8), known
