"""A head's track through a clip: one pass over its pictures, then smoothing without lag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...progress import Progress
from ..clip import Clip, Frame
from ..track import CropBox, Origin, Track
from .cascade import CascadeDetector, cascades_available
from .detectors import Detector, DetectorChain
from .finder import WEIGHTS, HeadFinderDetector
from .follower import Follower
from .by_hand import checked_keyframes, with_keyframes
from .landmarker import LandmarkerDetector
from .selection import SeenHead, Which, chosen_head, heads_from, parse_which
from .smoothing import gliding
from .yunet import YuNetDetector

WORKING_SIDE = 720  # longer side of the picture that heads are looked for in, pixels
LONGEST_GAP = 1.0  # seconds that are bridged
WIDEST_GAP = 1.5  # face sides that the head may have moved in a gap that is bridged


def default_detector(yunet: str | Path | None = None, landmarker: str | Path | None = None) -> Detector:
    """YuNet or MediaPipe's landmarker where their files are given, in this order.

    Else the embedded head finder with OpenCV's cascades behind it: it finds what they find and more,
    frames faces more closely as YuNet does, and needs a third of their time.
    Raises BadInput where nothing of this can be used.
    """
    detectors: list[Detector] = []
    if yunet is not None:
        detectors.append(YuNetDetector(yunet))
    if landmarker is not None:
        detectors.append(LandmarkerDetector(landmarker))
    if detectors:
        return DetectorChain(detectors)
    if WEIGHTS.is_file():
        detectors.append(HeadFinderDetector())
    if cascades_available():
        detectors.append(CascadeDetector(tilted=not detectors))  # the finder sees tilted heads itself
    if not detectors:
        raise BadInput("No face detector is at hand: give a YuNet ONNX file, or set the head's box by hand.")
    return DetectorChain(detectors)


@dataclass(frozen=True)
class SeenClip:
    """What one pass saw: heads from left to right, where shots begin, times (N,) seconds, (width, height)."""

    heads: list[SeenHead]
    cuts: list[int]
    times: np.ndarray
    frame_size: tuple[int, int]


def see_heads(clip: Clip, detector: Detector | None = None, progress: Progress | None = None) -> SeenClip:
    """Find and follow every head of a clip; holds a few small pictures and 25 bytes a frame and head."""
    progress = progress or Progress()
    follower = Follower(detector or default_detector(), float(clip.info.rate))
    frame_size = working_size = (clip.info.width, clip.info.height)
    for frame in progress.track(clip.frames(), f"Tracking {clip.describe()}", clip.info.frame_count):
        rgb = _reduced(frame)
        frame_size = (frame.picture.width, frame.picture.height)
        working_size = rgb.shape[1::-1]
        follower.feed(float(frame.time), rgb)
        if clip.info.is_still:
            break
    tracklets = follower.finish()
    for tracklet in tracklets:
        tracklet.scale(frame_size[0] / working_size[0], frame_size[1] / working_size[1])
    times = np.array(follower.times, np.float64)
    return SeenClip(heads_from(tracklets, times, follower.cuts), follower.cuts, times, frame_size)


def _reduced(frame: Frame) -> np.ndarray:
    """uint8 RGB with the longer side at most WORKING_SIDE; reducing before converting saves most of the time."""
    picture = frame.picture
    scale = WORKING_SIDE / max(picture.width, picture.height)
    if scale >= 1:
        return frame.rgb()
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()


def track_head(
    clip: Clip,
    which: str = "largest",
    keyframes: Mapping[int, CropBox] | None = None,
    detector: Detector | None = None,
    progress: Progress | None = None,
) -> Track:
    """One head's crop square in every frame.

    which: "largest", "leftmost", "rightmost", "index:N" from the left, "nearest:x,y" to a point in
    pixels where the head is first seen. keyframes: crop squares set by hand, by frame number; they
    win, and the head nearest to them is meant. A clip without any head gives a track that is absent
    throughout (see `require_head`). Raises BadInput for a choice or keyframes that make no sense.
    """
    wanted, keyframes = parse_which(which), checked_keyframes(keyframes)
    try:
        detector = detector or default_detector()
    except BadInput:
        if not keyframes:
            raise
        detector = DetectorChain([])  # boxes set by hand need none
    seen = see_heads(clip, detector, progress)
    return with_keyframes(_track_of(seen, _meant(seen.heads, wanted, keyframes)), keyframes, seen.cuts)


def require_head(track: Track, clip: Clip) -> Track:
    """The track itself; raises BadInput where it shows no head in any frame."""
    if not track.present.any():
        raise BadInput(
            f"No head was found in any of the {len(track)} frames of {clip.describe()}: "
            "use footage with a visible face or set the head's box by hand."
        )
    return track


def _meant(heads: list[SeenHead], which: Which, keyframes: dict[int, CropBox]) -> SeenHead | None:
    if not keyframes:
        return chosen_head(heads, which)
    distances = []
    for head in heads:
        away = []
        for frame, key in keyframes.items():
            box = head.box_at(frame)
            if box is not None:
                centre = np.array([key.left, key.top]) + key.side / 2
                away.append(float(np.linalg.norm((box[:2] + box[2:]) / 2 - centre)) / key.side)
        if away and np.mean(away) < 1.0:
            distances.append((float(np.mean(away)), head))
    return min(distances, key=lambda pair: pair[0], default=(0.0, None))[1]


def _track_of(seen: SeenClip, head: SeenHead | None) -> Track:
    boxes, confidence, origin = raw_boxes(seen, head)
    centre, side = np.zeros((len(boxes), 2), np.float32), np.zeros(len(boxes), np.float32)
    for begin, end in _stretches(origin != Origin.ABSENT, seen.cuts):
        centre[begin:end], side[begin:end] = gliding(seen.times[begin:end], boxes[begin:end])
    return Track(seen.times, centre, side, confidence, origin, seen.frame_size)


def raw_boxes(seen: SeenClip, head: SeenHead | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A head's face boxes as measured: (N, 4) l, t, r, b, confidence (N,), origin (N,); short gaps bridged."""
    count = len(seen.times)
    boxes, confidence = np.zeros((count, 4)), np.zeros(count, np.float32)
    origin = np.full(count, Origin.ABSENT, np.uint8)
    for part in head.parts if head else ():
        where = slice(part.start, part.stop)
        boxes[where], confidence[where], origin[where] = part.arrays()
    present = np.flatnonzero(origin != Origin.ABSENT)
    for last, first in zip(present[:-1], present[1:]):
        if first == last + 1 or any(last < cut <= first for cut in seen.cuts):
            continue
        if seen.times[first] - seen.times[last] > LONGEST_GAP or not _near(boxes[last], boxes[first]):
            continue
        gap = slice(last + 1, first)
        share = ((seen.times[gap] - seen.times[last]) / (seen.times[first] - seen.times[last]))[:, None]
        boxes[gap] = boxes[last] * (1 - share) + boxes[first] * share
        confidence[gap], origin[gap] = 0.5 * min(confidence[last], confidence[first]), Origin.INTERPOLATED
    return boxes, confidence, origin


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    distance = np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2)
    return bool(distance < WIDEST_GAP * max(a[2] - a[0], b[2] - b[0]))


def _stretches(present: np.ndarray, cuts: list[int]) -> list[tuple[int, int]]:
    """Begin and end of every run of frames with a head, split where shots begin."""
    change = np.flatnonzero(np.diff(np.concatenate([[0], present.astype(np.int8), [0]])))
    stretches = []
    for begin, end in zip(change[::2], change[1::2]):
        inner = [cut for cut in cuts if begin < cut < end]
        stretches += list(zip([begin, *inner], [*inner, end]))
    return stretches
