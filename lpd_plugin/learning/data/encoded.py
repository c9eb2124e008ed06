"""Heads kept as small encoded pictures (JPEG, PNG, WebP) and decoded when asked for; OpenCV alone does it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from ...errors import BadInput
from .store import HeadClip, Heads, HeadStore
from .video_files import resized

MOST_THREADS = 8


def encoded_picture(picture: np.ndarray, suffix: str, *parameters: int) -> bytes:
    """A picture (S, S, 3) RGB or (S, S), uint8, as a file of that suffix; `parameters` are OpenCV's for writing it."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    written, data = cv2.imencode(suffix, picture, list(parameters))
    if not written:
        raise BadInput(f"This OpenCV cannot write {suffix} pictures: install opencv-python-headless.")
    return data.tobytes()


def decoded_picture(data: bytes, side: int, where: str, grey: bool = False) -> np.ndarray:
    """The square picture of `side` pixels in `data`: (side, side, 3) RGB, or (side, side) if grey; uint8.

    Raises `BadInput`, which begins with `where`, if there is none or it has another size.
    """
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR) if data else None
    what = "mask" if grey else "picture"
    if picture is None:
        raise BadInput(f"{where} is damaged: a {what} in it cannot be decoded; copy or prepare it again.")
    if picture.shape[:2] != (side, side):
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise BadInput(f"{where}: a {what} measures {size} pixels, not {side}x{side} as it says; prepare it again.")
    return picture if grey else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


class EncodedHeads(Heads):
    """Base of stores whose pictures are decoded when asked for, at `side` pixels; they are kept at `stored_side`.

    Subclasses set `clips` and say where a row's bytes are. Raises `BadInput` if they are kept smaller than wanted:
    enlarged heads would quietly be blurred ones.
    """

    def __init__(self, name: str, clips: list[HeadClip], stored_side: int, side: int | None):
        self.name, self.clips, self.stored_side, self.side = name, clips, stored_side, side or stored_side
        if self.side > stored_side:
            raise BadInput(
                f"{name} holds heads of {stored_side} pixels, but {self.side} are wanted: prepare it again with "
                f"--side {self.side}."
            )
        self._starts = np.array([clip.start for clip in clips])

    def encoded(self, clip: int, frame: int) -> tuple[bytes, bytes]:
        """Picture and mask of one frame of a clip (its index in `clips`), as stored; called from several threads."""
        raise NotImplementedError

    def raw(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = list(_threads().map(self._row, np.asarray(rows).tolist()))
        return np.stack([b[0] for b in both]), np.stack([b[1] for b in both])

    def loaded(self) -> HeadStore:
        """The same heads, all decoded in memory."""
        frames = np.empty((self.count, self.side, self.side, 3), np.uint8)
        masks = np.empty((self.count, self.side, self.side), np.uint8)

        def load(row: int) -> None:
            frames[row], masks[row] = self._row(row)

        _drain(_threads().map(load, range(self.count)))
        return HeadStore(frames, masks, self.clips)

    def decoded_size(self) -> int:
        """Bytes that `loaded` takes."""
        return self.count * self.side**2 * 4

    def _row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        clip = int(np.searchsorted(self._starts, row, "right")) - 1
        one = self.clips[clip]
        where = f"{self.name}: {one.person}, {one.clip}"
        picture, mask = self.encoded(clip, row - one.start)
        frame = decoded_picture(picture, self.stored_side, where)
        mask = decoded_picture(mask, self.stored_side, where, grey=True)
        return resized(frame[None], self.side)[0], resized(mask[None], self.side)[0]


@functools.cache
def _threads() -> ThreadPoolExecutor:
    # OpenCV decodes without holding Python's lock.
    return ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "heads")


def _drain(results: Iterable) -> None:
    for _ in results:
        pass
