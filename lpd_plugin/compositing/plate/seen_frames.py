"""Frames of a clip as a plate sees them: pictures, who is in them, and what they show of another frame's background."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np

from ...video.clip import Clip
from ...video.regions.region import Rect, read_region
from ...video.track import Track
from ..picture.square import HeadMatte
from .alignment import FARTHEST, Flow, Thumbnail, mapped_rect, pixel_map, remaining_flow
from .camera_path import CameraPath, small_grey
from .reader import FrameReader
from .samples import BACKGROUND, People


class SeenFrames:
    """The `kept` frames last asked for stay in memory."""

    def __init__(self, clip: Clip, track: Track, path: CameraPath, head_matte: HeadMatte | None, kept: int):
        self.clip, self.track, self.path, self.head_matte, self.kept = clip, track, path, head_matte, kept
        self.reader = FrameReader(clip, kept)
        self.known: OrderedDict[int, tuple[People, Thumbnail]] = OrderedDict()

    def background(self, source: int, target: int, rect: Rect, flow: Flow | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What frame `source` shows on a rectangle of frame `target`: rgb float32, and what of it is background, bool."""
        shape = rect.height, rect.width
        matrix = self.path.between(target, source)
        there = mapped_rect(matrix, rect)
        margin = 4 if flow is None else 4 + int(FARTHEST * max(flow.rect.width, flow.rect.height))
        there = Rect(there.left - margin, there.top - margin, there.right + margin, there.bottom + margin)
        there = there.clipped(self.clip.info.width, self.clip.info.height)
        if there.width < 4 or there.height < 4:
            return np.zeros((*shape, 3), np.float32), np.zeros(shape, bool)
        pixels = read_region(self.reader.picture(source), there)
        clear = (self._people(source).on(there) == BACKGROUND).astype(np.float32)
        if source == target and there == rect:
            return pixels, clear > 0
        places = pixel_map(matrix, rect, there, flow)
        picture = cv2.remap(pixels, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return picture, (cv2.remap(clear, places, None, cv2.INTER_LINEAR) > 0.99) & within(places, there)

    def flow(self, source: int, target: int, rect: Rect) -> Flow:
        """What the camera's motion leaves between the two on a rectangle of `target`."""
        matrix = self.path.between(target, source)
        return remaining_flow(self._noted(target)[1], self._noted(source)[1], matrix, rect)

    def _people(self, index: int) -> People:
        return self._noted(index)[0]

    def _noted(self, index: int) -> tuple[People, Thumbnail]:
        if index not in self.known:
            picture = self.reader.picture(index)
            people = People.of(picture, self.track, index, self.head_matte)
            grey = small_grey(picture)
            scale = grey.shape[1] / picture.width, grey.shape[0] / picture.height
            who = people.scaled(scale[0]).on(Rect(0, 0, grey.shape[1], grey.shape[0]))
            self.known[index] = people, Thumbnail(grey, who == BACKGROUND, scale)
            while len(self.known) > self.kept:
                self.known.popitem(last=False)
        self.known.move_to_end(index)
        return self.known[index]


def within(places: np.ndarray, source: Rect) -> np.ndarray:
    """Where a map points into a picture of `source`."""
    x, y = places[..., 0], places[..., 1]
    return (x >= 0) & (y >= 0) & (x <= source.width - 1) & (y <= source.height - 1)
