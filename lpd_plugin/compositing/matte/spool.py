"""Alphas put aside on disk, so that a matte does not cost the composite a second time."""

from __future__ import annotations

import tempfile
import threading
import zlib

import numpy as np

from ...video.regions.region import Rect


class AlphaSpool:
    """Compressed 8-bit alphas by frame number, in a nameless temporary file that goes with the object."""

    def __init__(self):
        self._file = tempfile.TemporaryFile(prefix="lpd-alpha-")
        self._places: dict[int, tuple[int, int, Rect]] = {}
        self._lock = threading.Lock()  # a matte may be written by another thread than the picture

    def __contains__(self, index: int) -> bool:
        return index in self._places

    def put(self, index: int, rect: Rect | None, alpha: np.ndarray | None) -> None:
        """alpha: uint8 (height, width) on `rect`; None: nothing was laid over this frame."""
        if index in self._places:
            return
        data = b"" if alpha is None else zlib.compress(np.ascontiguousarray(alpha), 1)
        with self._lock:
            place = self._file.seek(0, 2)
            self._file.write(data)
            self._places[index] = (place, len(data), rect or Rect(0, 0, 0, 0))

    def get(self, index: int) -> tuple[Rect, np.ndarray | None]:
        place, length, rect = self._places[index]
        if not length:
            return rect, None
        with self._lock:
            self._file.seek(place)
            data = self._file.read(length)
        codes = np.frombuffer(zlib.decompress(data), np.uint8)
        return rect, codes.reshape(rect.height, rect.width)


def to_codes(alpha: np.ndarray) -> np.ndarray:
    """Alpha 0..1 as codes 0..255; only an exact 0 gives 0, so that the matte shows all that was touched."""
    codes = np.rint(alpha * 255)
    return np.where(alpha > 0, np.maximum(codes, 1), 0).astype(np.uint8)
