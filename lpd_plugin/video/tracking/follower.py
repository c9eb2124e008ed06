"""One pass over the pictures: heads are found now and then and carried by motion in between."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..track import Origin
from .detectors import Detection, Detector, looked_for, overlap
from .flow import CutWatch, GreyPicture, Motion, carried
from .tracklet import Tracklet, look_of

LOOK_EVERY = 0.13  # seconds between detections while heads are followed
FIRST_LOOKS = 8  # pictures of a new shot that are all looked at: it may be over before two looks at the usual pace
BEGIN_SCORE = 0.5  # a new head needs this much
SURE_MOTION = 0.3  # share of points that must move as one
SURVIVES_CUT = 0.6  # a head that moved on like this says that there was no cut
UNSEEN = 1.5  # seconds a head is carried by motion alone
KEPT_UNSEEN = 1.0  # of which so many are believed if it is never seen again
FLASH = 0.3  # seconds: a shot interrupted for so long goes on
BACKWARDS = 8  # pictures kept to follow a new head back to where it came in


class Follower:
    """Feed it pictures in order; it keeps BACKWARDS small grey ones and 25 bytes a frame and head."""

    def __init__(self, detector: Detector, rate: float):
        self.detector = detector
        self.every = max(1, min(BACKWARDS - 2, round(LOOK_EVERY * rate)))
        self.active: list[Tracklet] = []
        self.ended: list[Tracklet] = []
        self.cuts: list[int] = []  # first frames of shots
        self.times: list[float] = []
        self.watch = CutWatch()
        self.recent: deque[GreyPicture] = deque(maxlen=BACKWARDS)
        self.looked = -BACKWARDS
        self.shot_start = 0

    def feed(self, time: float, rgb: np.ndarray) -> None:
        """One picture, uint8 RGB, at `time` seconds."""
        frame = len(self.times)
        self.times.append(time)
        grey = GreyPicture(rgb)
        motions = [self._motion(grey, tracklet) for tracklet in self.active]
        survived = any(motion is not None and motion.confidence > SURVIVES_CUT for motion in motions)
        if self.watch.is_cut(grey) and not survived:
            self._cut(frame)
            motions = []
        lost = any(motion is None for motion in motions)
        found: list[Detection] | None = None
        settling = frame - self.shot_start < FIRST_LOOKS
        # Without a head to follow, a new one is followed back, so it need not be looked for as often.
        if lost or settling or frame - self.looked >= (self.every if self.active else BACKWARDS - 2):
            found = looked_for(self.detector, rgb, [tracklet.box for tracklet in self.active])
            self.looked = frame
        self._advance(frame, time, rgb, motions, found)
        self.recent.append(grey)

    def finish(self) -> list[Tracklet]:
        """All heads' stretches, after the last picture."""
        for tracklet in self.active:
            self._end(tracklet)
        self.active = []
        return [tracklet for tracklet in self.ended if len(tracklet)]

    def _motion(self, grey: GreyPicture, tracklet: Tracklet) -> Motion | None:
        motion = carried(self.recent[-1], grey, tracklet.box)
        if motion is None or motion.confidence < SURE_MOTION:
            return None
        height, width = (size / grey.scale for size in grey.grey.shape)
        x, y = (motion.box[0] + motion.box[2]) / 2, (motion.box[1] + motion.box[3]) / 2
        return motion if 0 <= x <= width and 0 <= y <= height else None

    def _cut(self, frame: int) -> None:
        flash = self.watch.came_back and self.cuts and self.times[frame] - self.times[self.cuts[-1]] <= FLASH
        if flash:
            self.cuts.pop()  # a dark frame or a photographer's flash interrupts a shot, it does not end it
        else:
            self.cuts.append(frame)
        for tracklet in self.active:
            self._end(tracklet)
        self.active = []
        self.recent.clear()
        self.looked = -BACKWARDS
        self.shot_start = frame

    def _end(self, tracklet: Tracklet) -> None:
        stop = tracklet.seen_frame + 1
        while stop < len(self.times) and self.times[stop] - tracklet.seen_time <= KEPT_UNSEEN:
            stop += 1
        tracklet.cut_off(stop)
        self.ended.append(tracklet)

    def _advance(self, frame, time, rgb, motions: list[Motion | None], found: list[Detection] | None) -> None:
        expected = [motion.box if motion else tracklet.box for tracklet, motion in zip(self.active, motions)]
        pairs = _paired(expected, found or [])
        remaining: list[Tracklet] = []
        for index, (tracklet, motion) in enumerate(zip(self.active, motions)):
            tracklet.asked += found is not None
            detection = pairs.get(index)
            if detection is not None:
                tracklet.seen(frame, time, detection, look_of(rgb, detection.box))
                tracklet.add(_blended(detection, motion), detection.score, Origin.DETECTED)
            elif motion is not None and time - tracklet.seen_time <= UNSEEN:
                tracklet.add(motion.box, 0.8 * motion.confidence, Origin.TRACKED)
            else:
                self._end(tracklet)
                continue
            remaining.append(tracklet)
        self.active = remaining
        for detection in found or []:
            new = detection.score >= BEGIN_SCORE and not any(detection is one for one in pairs.values())
            if new and all(overlap(detection.box, tracklet.box) < 0.2 for tracklet in self.active):
                tracklet = Tracklet(frame, time, detection, look_of(rgb, detection.box), len(self.cuts))
                self._followed_back(tracklet, GreyPicture(rgb))
                self.active.append(tracklet)

    def _followed_back(self, tracklet: Tracklet, now: GreyPicture) -> None:
        """Detection is not asked on every picture: go back to where the head came into view."""
        boxes, confidences, box = [], [], tracklet.box
        for earlier in reversed(self.recent):
            motion = carried(now, earlier, box)
            if motion is None or motion.confidence < SURVIVES_CUT:
                break
            boxes.append(motion.box)
            confidences.append(0.6 * motion.confidence)
            now, box = earlier, motion.box
        tracklet.begin_earlier(boxes, confidences)


def _blended(detection: Detection, motion: Motion | None):
    """Mostly the detection, which does not drift; a little of the motion, which does not jitter."""
    if motion is None:
        return detection.box
    return tuple(0.7 * seen + 0.3 * moved for seen, moved in zip(detection.box, motion.box))


def _paired(expected: list, found: list[Detection]) -> dict[int, Detection]:
    """Greedily, best overlap first: index of the expected box -> detection."""
    candidates = sorted(
        ((overlap(box, one.box), index, number) for index, box in enumerate(expected) for number, one in enumerate(found)),
        reverse=True,
    )
    pairs: dict[int, Detection] = {}
    taken: set[int] = set()
    for score, index, number in candidates:
        if score >= 0.25 and index not in pairs and number not in taken:
            pairs[index] = found[number]
            taken.add(number)
    return pairs
