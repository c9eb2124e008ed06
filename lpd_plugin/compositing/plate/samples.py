"""Pictures of one view at several moments, and what of the background they show together."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import torch

from ...video.regions.region import Rect, rect_common
from ...video.track import CropBox, Track
from ..matte.edge import region_weight, shift_edge
from ..picture.look import look_at, person_around
from ..picture.square import MATTE_SIDE, HeadMatte
from .fill import fill_smoothly
from .patch_fill import patch_fill
from .reach import lost_near, reach_box, reaching_mattes

MEMORY = 384 << 20  # bytes for samples of the background, whatever the clip's length and size
FEWEST = 5  # samples, however large the pictures are
PERSON_MARGIN = 0.04  # of the square's side around the matte that may still hold hair or a blurred edge
CHIN = 0.77  # of the square's height: what is seen of the person above is head, hair or a hand
HEAD, BODY, BACKGROUND = 0, 1, 2


@dataclass(frozen=True)
class People:
    """Who is seen in one frame. box: the head's square, None without one; matte: grown by PERSON_MARGIN, on the square's
    reach; lost: the square where a head that was not found most likely is."""

    box: CropBox | None
    matte: np.ndarray | None
    lost: CropBox | None

    @classmethod
    def of(cls, picture: av.VideoFrame, track: Track, index: int, head_matte: HeadMatte | None) -> "People":
        look = look_at(picture, track.box(index) if index < len(track) else None)
        if look is None:
            return cls(None, None, lost_near(track, index))
        matte = reaching_mattes([picture], [look], head_matte)[0]
        return cls(look.box, shift_edge(matte, PERSON_MARGIN * MATTE_SIDE), None)

    def scaled(self, scale: float) -> "People":
        """The same in pixels of a picture `scale` times the frame."""
        box, lost = (b and CropBox(b.left * scale, b.top * scale, b.side * scale) for b in (self.box, self.lost))
        return People(box, self.matte, lost)

    def on(self, rect: Rect) -> np.ndarray:
        """(height, width) uint8 of HEAD, BODY, BACKGROUND on any rectangle of the frame."""
        who = np.full((rect.height, rect.width), BACKGROUND, np.uint8)
        if self.lost is not None:
            # Nobody knows what hides the head; all that may be it, or an arm in front of it, is not background.
            here = rect_common(Rect(*(round(v) for v in _around(self.lost))), rect)
            if not here.empty:
                who[here.slices(rect)] = HEAD
        if self.box is None:
            return who
        person = person_around(self.matte, reach_box(self.box), rect) > 0.1
        rows = (np.arange(rect.top, rect.bottom) + 0.5 - self.box.top) / self.box.side
        head = (region_weight("head", self.box, rect) > 0.05) | (rows < CHIN)[:, None]
        who[person] = BODY
        who[person & head] = HEAD
        return who


def _around(box: CropBox) -> tuple[float, float, float, float]:
    """The reach and all below it, as l, t, r, b."""
    reach = reach_box(box)
    return reach.left, reach.top, reach.left + reach.side, 1e6


class Samples:
    """At most so many pictures of `rect`, float16, and who is seen at each pixel: 7 bytes a pixel and sample."""

    def __init__(self, rect: Rect, count: int):
        self.rect = rect
        self.rgb = np.empty((count, rect.height, rect.width, 3), np.float16)
        self.seen = np.empty((count, rect.height, rect.width), np.uint8)
        self.count = 0

    @staticmethod
    def affordable(rect: Rect, wanted: int) -> int:
        """How many samples of a rectangle fit into MEMORY."""
        return int(np.clip(MEMORY // max(1, rect.width * rect.height * 7), FEWEST, max(wanted, FEWEST)))

    def add(self, rgb: np.ndarray, seen: np.ndarray) -> None:
        """rgb (height, width, 3); seen (height, width): HEAD also where the picture shows nothing."""
        self.rgb[self.count], self.seen[self.count] = rgb, seen
        self.count += 1

    def completed(self) -> tuple[np.ndarray, np.ndarray]:
        """The background, rgb float32, with texture filled in where it was never seen, and the confidence."""
        rgb, confidence, kind = self._median()
        never, source = confidence == 0, kind == BACKGROUND
        if source.any():
            rgb = patch_fill(rgb, source, never)
        elif not never.all():
            rgb = fill_smoothly(rgb, (~never).astype(np.float32))
        return rgb, confidence

    def _median(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """rgb, the share of samples that saw it, and what it is: where both were seen background goes before body."""
        count, height, width = self.count, self.rect.height, self.rect.width
        rgb = np.zeros((height, width, 3), np.float32)
        confidence = np.zeros((height, width), np.float32)
        kinds = np.full((height, width), HEAD, np.uint8)
        # One stray sample is more often a matte's mistake than a view of the background.
        enough = 2 if count >= 12 else 1
        rows = max(1, (4 << 20) // max(1, count * width * 12))
        for top in range(0, height, rows):
            part = slice(top, top + rows)
            values = torch.from_numpy(self.rgb[:count, part].astype(np.float32))
            who = torch.from_numpy(self.seen[:count, part])
            for kind in (BODY, BACKGROUND):
                here = who == kind
                times = here.sum(0).numpy()
                found = times >= enough
                if found.any():
                    middle = torch.where(here[..., None], values, torch.nan).nanmedian(0).values.numpy()
                    rgb[part][found] = middle[found]
                    confidence[part][found] = times[found] / count
                    kinds[part][found] = kind
        return rgb, confidence, kinds
