"""A head with a known matte before a known background: what a clean plate has to find."""

from __future__ import annotations

import av
import cv2
import numpy as np
import torch
from composite_media import fixed_track

from lpd_plugin.video.batch_clip import BatchClip

COUNT, SIZE = 36, (640, 400)


def decoded(path, pixel_format: str, count: int) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [f.to_ndarray(format=pixel_format) for f, _ in zip(container.decode(video=0), range(count))]


def standing(_index: int) -> np.ndarray:
    return np.float32([[1, 0, 0], [0, 1, 0]])


def panning(index: int) -> np.ndarray:
    """Frame pixels to those of the wide picture: 6.3 pixels a frame aside, a little down and a slow zoom."""
    zoom = 1 + 0.002 * index
    return np.float32([[zoom, 0, 6.3 * index], [0, zoom, 0.4 * index]])


def creeping(index: int) -> np.ndarray:
    """A pixel and a half a frame: a head that moves with it hides most of what is behind it all the time."""
    return np.float32([[1, 0, 1.5 * index], [0, 1, 0]])


class KnownScene:
    """A real head with its matte moving over a real background with grain, seen by a camera; the truth is known.

    camera: frame number -> (2, 3) from a frame's pixels to those of the wide background.
    """

    def __init__(self, shared, camera=standing, swing: float = 150):
        person = shared / "heads" / "val" / "p067"
        rgb = np.stack(decoded(person / "clip0.mp4", "rgb24", COUNT)) / np.float32(255)
        self.mattes = np.stack(decoded(person / "clip0.mask.mp4", "gray", COUNT)) / np.float32(255)
        wide = decoded(shared / "footage" / "foot_01_static_1080p.mp4", "rgb24", 1)[0][600:1040, 200:1300]
        self.wide, self.camera = wide / np.float32(255), camera
        random = np.random.default_rng(0)
        self.left = np.rint(192 + swing * np.sin(np.arange(COUNT) / 6)).astype(int)
        self.top, frames = 100, []
        for index, left in enumerate(self.left):
            frame = self.truth_at(index) + random.normal(0, 2 / 255, (SIZE[1], SIZE[0], 3)).astype(np.float32)
            part, alpha = frame[self.top : self.top + 256, left : left + 256], self.mattes[index, ..., None]
            part += alpha * (rgb[index] - part)
            frames.append((frame.clip(0, 1) * 255).round().astype(np.uint8))
        self.crops = torch.from_numpy(rgb).permute(0, 3, 1, 2)
        self.clip = BatchClip(np.stack(frames))
        centres = np.stack([self.left + 128, np.full(COUNT, self.top + 128)], 1)
        self.track = fixed_track(self.clip.timestamps(), centres, 256, SIZE)
        self.truth = self.truth_at(0)

    def truth_at(self, index: int) -> np.ndarray:
        """The background that frame `index` would show without anybody, float32 (400, 640, 3)."""
        return self._seen_by_camera(self.wide, index)

    def _seen_by_camera(self, wide: np.ndarray, index: int) -> np.ndarray:
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(wide, self.camera(index), SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def head_matte(self, crops: torch.Tensor) -> torch.Tensor:
        """The true matte of the frame that a crop shows."""
        middle = np.s_[:, :, 80:176, 96:160]
        found = [int((self.crops[middle] - crop[None][middle]).abs().mean((1, 2, 3)).argmin()) for crop in crops]
        return torch.from_numpy(self.mattes[found])[:, None]

    def clear(self, index: int, alpha: float = 0.02) -> np.ndarray:
        """Where frame `index` shows background through less than `alpha` of the person: float32 (400, 640), 0 or 1. Whoever
        does not know that the person ends at the square's lower border does not find all of it."""
        free = np.ones(SIZE[::-1], np.float32)
        left = self.left[index]
        free[self.top : self.top + 256, left : left + 256] = self.mattes[index] < alpha
        return free

    def seen(self, least: int, frame: int = 0, alpha: float = 0.02) -> np.ndarray:
        """Pixels of a frame whose background is `clear` in at least so many frames."""
        wide = np.zeros(self.wide.shape[:2], np.float32)
        for index in range(COUNT):
            wide += cv2.warpAffine(self.clear(index, alpha), self.camera(index), wide.shape[::-1]) > 0.99
        return self._seen_by_camera(wide, frame) > least - 0.5
