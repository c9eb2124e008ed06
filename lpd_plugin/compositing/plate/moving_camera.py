"""The clean plate of a moving camera: frames near in time laid over each other, made when a frame is asked for.

Every STRIDEth frame of a shot is a key. A key's plate shows what the keys around it saw, brought there by
the camera's motion and, for what is left, by optical flow; what none of them saw comes from the nearest anchors, of
which a shot has few: medians over long stretches, with texture filled in where nothing was ever seen. So what is invented
is invented once, and moves with the camera. A frame's plate is the two keys around it, mixed by time.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ...video.clip import Clip
from ...video.regions.region import EMPTY, Rect, rect_common
from ...video.track import Track
from ..matte.edge import smoothstep
from ..picture.square import HeadMatte
from .alignment import mapped_rect, pixel_map
from .camera_path import STRIDE, CameraPath
from .fill import fill_smoothly
from .plate import Plate
from .reach import reach_rect
from .samples import BACKGROUND, HEAD, Samples
from .seen_frames import SeenFrames, within

AROUND = 4  # keys before and after one whose pictures its plate is made from
ANCHOR_SPAN = 240  # frames for which one anchor stands
ANCHOR_SAMPLES = 16
OUTSIDE = 0.25  # of the picture's size: how far beyond its border a plate is kept
FADES_OVER = 30.0  # frames (sigma) over which a view of the background loses weight
ENOUGH = 0.35  # weight from which what the keys saw needs no anchor
DIFFERS = 0.06  # from what nearer keys show, at which a view counts half
AGREES = 0.3  # agreement from which an anchor takes a sample
RIM = 8  # pixels around what a key does not see where others are compared with it
THIRDS = np.full((1, 3), 1 / 3, np.float32)
KEPT = 4  # keys whose plates are kept, and anchors


@dataclass(frozen=True)
class _Part:
    """A plate in one frame's pixels: rect (may reach beyond the picture), rgb, confidence."""

    rect: Rect
    rgb: np.ndarray
    confidence: np.ndarray


class MovingPlate(Plate):
    """See the module. Holds a bounded number of pictures, whatever the clip's length; may be used by several threads."""

    moving = True

    def __init__(self, clip: Clip, track: Track, path: CameraPath, head_matte: HeadMatte | None, digest: str):
        self.clip, self.track, self.path, self.head_matte, self.digest = clip, track, path, head_matte, digest
        self.size = clip.info.width, clip.info.height
        self.keys = [n for start, end in path.shots() for n in [*range(start, end - 1, STRIDE), end - 1]]
        self._forget()

    def _forget(self) -> None:
        self.seen = SeenFrames(self.clip, self.track, self.path, self.head_matte, kept=2 * AROUND + 2)
        self._parts: OrderedDict[tuple[str, int], _Part | None] = OrderedDict()
        self._lock = threading.RLock()

    def __getstate__(self) -> dict:
        return {k: v for k, v in self.__dict__.items() if k not in ("seen", "_parts", "_lock")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._forget()

    def fingerprint(self) -> str:
        return self.digest

    def shows(self, index: int) -> bool:
        return 0 <= index < len(self.path)

    def at(self, index: int, rect: Rect, rgb: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        brought = []
        for key, share in self._keys_around(index) if self.shows(index) else ():
            part = self._kept("key", key, self._key_part)
            if part is not None:
                brought.append((share, *self._brought(part, key, index, rect)))
        return _mixed(brought, rect)

    def _keys_around(self, index: int) -> list[tuple[int, float]]:
        """The keys before and after a frame, with their shares."""
        number = bisect.bisect_right(self.keys, index) - 1
        before = self.keys[number]
        if before == index:
            return [(before, 1.0)]
        after = self.keys[number + 1]
        late = (index - before) / (after - before)
        return [(before, 1 - late), (after, late)]

    def _brought(
        self, part: _Part, source: int, target: int, rect: Rect
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """A plate in the pixels of another frame's rectangle: rgb, confidence, and where it covers that at all, float32
        (None: everywhere)."""
        places = pixel_map(self.path.between(target, source), rect, part.rect)
        picture = cv2.remap(part.rgb, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        sure = cv2.remap(part.confidence, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A homography keeps straight lines: with its corners the whole rectangle lies inside.
        if within(places[:: max(1, rect.height - 1), :: max(1, rect.width - 1)], part.rect).all():
            return picture, sure, None
        return picture, sure, within(places, part.rect).astype(np.float32)

    def _kept(self, kind: str, number: int, make: Callable[[int], _Part | None]) -> _Part | None:
        with self._lock:
            name = kind, number
            if name not in self._parts:
                made = make(number)
                self._parts[name] = made
                while sum(one == kind for one, _ in self._parts) > KEPT:
                    del self._parts[next(n for n in self._parts if n[0] == kind)]
            self._parts.move_to_end(name)
            return self._parts[name]

    def _key_part(self, key: int) -> _Part | None:
        number = self.keys.index(key)
        near = self.keys[max(0, number - 1)], self.keys[min(len(self.keys) - 1, number + 1)]
        rect = self._covering(key, range(near[0], near[1] + 1))
        if rect.empty:
            return None
        around = [k for k in self.keys[max(0, number - AROUND) : number + AROUND + 1] if self._same_shot(k, key)]
        around.sort(key=lambda k: (abs(k - key), k))
        rgb, weight = self._merged(key, rect, around)
        known = smoothstep(weight / ENOUGH)
        if known.min() < 1:
            rest, sure = self._from_anchors(key, rect)
            # Where both know the background they may differ in light: the anchor is brought to the key's.
            rest = rest + fill_smoothly(rgb - rest, (weight > ENOUGH).astype(np.float32))
            rgb = known[..., None] * rgb + (1 - known[..., None]) * rest
            weight = np.maximum(np.minimum(weight, known), (1 - known) * sure)
        return _Part(rect, rgb, np.minimum(weight, 1).astype(np.float32))

    def _merged(self, key: int, rect: Rect, around: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The background at a key as the keys around saw it, nearest first: rgb and the weight of what it is made of."""
        rgb, own = self.seen.background(key, key, rect)
        weight = own.astype(np.float32)
        rgb = rgb * weight[..., None]
        hole = _hole_and_rim(own, rect)
        total, sum_ = rgb[hole.slices(rect)], weight[hole.slices(rect)]  # what the key itself does not see
        for source in around:
            if hole.empty or source == key:
                continue
            flow = self.seen.flow(source, key, rect)
            new = rect_common(hole, flow.new_rect())
            if new.empty:
                continue
            picture, clear = self.seen.background(source, key, new, flow)
            some, so_far = total[new.slices(hole)], sum_[new.slices(hole)]
            share = clear * flow.agreement_on(new) * np.float32(np.exp(-0.5 * ((source - key) / FADES_OVER) ** 2))
            apart = cv2.transform(cv2.absdiff(picture, some / np.maximum(so_far, 1e-6)[..., None]), THIRDS)
            share *= np.where(so_far > 0.05, 1 / (1 + (apart / DIFFERS) ** 2), 1)
            some += share[..., None] * picture
            so_far += share
        return rgb / np.maximum(weight, 1e-6)[..., None], weight

    def _from_anchors(self, key: int, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        """What the anchors nearest to a key show: rgb and confidence; smoothly continued where they do not reach."""
        brought = []
        for anchor, share in self._anchors_around(key):
            part = self._kept("anchor", anchor, self._anchor_part)
            if part is not None:
                brought.append((share, *self._brought(part, anchor, key, rect)))
        rgb, confidence = _mixed(brought, rect)
        if all(covered is None for *_, covered in brought) and brought:
            return rgb, confidence
        known = np.zeros_like(confidence)
        for *_, covered in brought:
            known = np.maximum(known, 1 if covered is None else covered)
        return fill_smoothly(rgb, known), confidence

    def _anchors_around(self, key: int) -> list[tuple[int, float]]:
        start, end = next(shot for shot in self.path.shots() if shot[0] <= key < shot[1])
        anchors = self._anchors(start, end)
        number = bisect.bisect_right(anchors, key)
        if number in (0, len(anchors)):
            return [(anchors[max(0, number - 1)], 1.0)]
        before, after = anchors[number - 1], anchors[number]
        late = (key - before) / (after - before)
        return [(before, 1 - late), (after, late)]

    @staticmethod
    def _anchors(start: int, end: int) -> list[int]:
        """The middles of equal stretches of a shot."""
        count = max(1, -(-(end - start) // ANCHOR_SPAN))
        return [start + int((2 * i + 1) * (end - start) / (2 * count)) for i in range(count)]

    def _anchor_part(self, anchor: int) -> _Part | None:
        start, end = next(shot for shot in self.path.shots() if shot[0] <= anchor < shot[1])
        reach = ANCHOR_SPAN if end - start > ANCHOR_SPAN else end - start
        span = range(max(start, anchor - reach), min(end, anchor + reach + 1))
        rect = self._covering(anchor, [n for n in self.keys if n in span])
        if rect.empty:
            return None
        store = Samples(rect, Samples.affordable(rect, ANCHOR_SAMPLES))
        chosen = np.linspace(span[0], span[-1], min(len(span), len(store.rgb))).round().astype(int)
        for source in sorted({int(n) for n in chosen}):
            flow = self.seen.flow(source, anchor, rect)
            picture, clear = self.seen.background(source, anchor, rect, flow)
            clear &= flow.agreement_on(rect) > AGREES
            store.add(picture, np.where(clear, BACKGROUND, HEAD).astype(np.uint8))
        return _Part(rect, *store.completed())

    def _covering(self, target: int, frames) -> Rect:
        """Everything that removing the head may touch in these frames, in a frame's pixels; not far beyond its borders."""
        rects = []
        for frame in frames:
            box = self.track.box(frame) if frame < len(self.track) and self._same_shot(frame, target) else None
            rect = EMPTY if box is None else reach_rect(box, *self.size)
            if not rect.empty:
                rects.append(mapped_rect(self.path.between(frame, target), rect))
        if not rects:
            return EMPTY
        whole = rects[0]
        for rect in rects[1:]:
            whole = whole.union(rect)
        x, y = (int(OUTSIDE * side) for side in self.size)
        return rect_common(whole, Rect(-x, -y, self.size[0] + x, self.size[1] + y))

    def _same_shot(self, one: int, other: int) -> bool:
        return self.path.shot[one] == self.path.shot[other]


def _mixed(
    brought: list[tuple[float, np.ndarray, np.ndarray, np.ndarray | None]], rect: Rect
) -> tuple[np.ndarray, np.ndarray]:
    """Plates (share, rgb, confidence, cover) together: rgb and confidence, 0 where none covers. What one alone covers it
    shows alone."""
    if all(covered is None for *_, covered in brought) and brought:
        (share, rgb, sure, _), *rest = brought
        for other_share, other, other_sure, _ in rest:
            rgb = cv2.addWeighted(rgb, share, other, other_share, 0)
            sure = cv2.addWeighted(sure, share, other_sure, other_share, 0)
        return rgb, sure
    rgb = np.zeros((rect.height, rect.width, 3), np.float32)
    sure, weight = np.zeros(rgb.shape[:2], np.float32), np.zeros(rgb.shape[:2], np.float32)
    for share, picture, own, covered in brought:
        # A little more than its share, so that one with none is shown where it is the only one.
        part = np.float32(share + 1e-3) * (np.ones_like(weight) if covered is None else covered)
        rgb += part[..., None] * picture
        sure += part * own
        weight += part
    some = np.maximum(weight, 1e-6)
    return rgb / some[..., None], sure / some


def _hole_and_rim(known: np.ndarray, rect: Rect) -> Rect:
    """The rectangle around what is not known, with a rim of what is."""
    rows, columns = np.flatnonzero(~known.all(1)), np.flatnonzero(~known.all(0))
    if not len(rows):
        return EMPTY
    hole = Rect(columns[0] - RIM, rows[0] - RIM, columns[-1] + RIM + 1, rows[-1] + RIM + 1)
    hole = hole.clipped(rect.width, rect.height)
    return Rect(hole.left + rect.left, hole.top + rect.top, hole.right + rect.left, hole.bottom + rect.top)
