"""Single frames of a clip, asked for in about their order."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

import av

from ...errors import WorkFailed
from ...video.clip import Clip, Frame
from ..picture.look import SEEK_GAP


class FrameReader:
    """Decodes on where the next frame wanted is near, seeks where not; keeps the `kept` frames last asked for.

    A pickled reader opens its clip anew. May be used by several threads.
    """

    def __init__(self, clip: Clip, kept: int = 1):
        self.clip, self.kept = clip, kept
        self._forget()

    def _forget(self) -> None:
        self._pictures: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._frames: Iterator[Frame] | None = None
        self._position = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict:
        return {"clip": self.clip, "kept": self.kept}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._forget()

    def picture(self, index: int) -> av.VideoFrame:
        """The picture of a frame; raises WorkFailed where the clip ends before it."""
        with self._lock:
            if index not in self._pictures:
                self._pictures[index] = self._decoded(index)
                while len(self._pictures) > self.kept:
                    self._pictures.popitem(last=False)
            self._pictures.move_to_end(index)
            return self._pictures[index]

    def _decoded(self, index: int) -> av.VideoFrame:
        if self._frames is None or not 0 <= index - self._position <= SEEK_GAP:
            self._close()
            self._frames = self.clip.frames(index)
        for frame in self._frames:
            self._position = frame.index + 1
            if frame.index >= index:
                return frame.picture
        self._close()
        raise WorkFailed(f"{self.clip.describe()} ends before its frame {index}: check the file, or cut it shorter.")

    def _close(self) -> None:
        if self._frames is not None and hasattr(self._frames, "close"):
            self._frames.close()
        self._frames = None
