"""How a moving camera's frames lie over each other: homographies from features of the background."""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np

from ...progress import Progress
from ...video.clip import Clip
from ...video.planes import bit_depth, plane_views
from ...video.track import CropBox, Track
from .camera import LONGEST, background_mask
from .reach import lost_near

STRIDE = 12  # frames over which motion is measured at once, and between the moments for which a plate is made
POINTS, FEWEST = 240, 10
BELIEVED = 0.5  # pixels (of LONGEST a side) that a feature may miss its start by, followed there and back
AGREES = 1.0  # pixels that features of one plane may stray from its motion
ENOUGH_FOR_PERSPECTIVE = 40  # features; with fewer a similarity says less wrong
MOST_TURNED, MOST_PERSPECTIVE = 0.12, 2e-4  # change of scale or angle, and of perspective a pixel, in STRIDE frames
CUT = 18  # mean change of a thumbnail's codes from one frame to the next that an unfollowed motion means a cut


@dataclass(frozen=True)
class CameraPath:
    """to_first: (N, 3, 3) float64, a frame's pixels (centres at whole numbers) on the first frame of its shot;
    shot: (N,) number of the shot that a frame belongs to."""

    to_first: np.ndarray
    shot: np.ndarray

    def __len__(self) -> int:
        return len(self.shot)

    def between(self, source: int, target: int) -> np.ndarray:
        """(3, 3): where background at a pixel of frame `source` lies in frame `target`, both of one shot."""
        matrix = np.linalg.inv(self.to_first[target]) @ self.to_first[source]
        return matrix / matrix[2, 2]

    def shots(self) -> list[tuple[int, int]]:
        """First frame and frame after the last of every shot."""
        starts = [0, *(np.flatnonzero(np.diff(self.shot)) + 1).tolist(), len(self)]
        return list(zip(starts[:-1], starts[1:]))


def camera_path(clip: Clip, track: Track, progress: Progress) -> CameraPath:
    """Follow the background through the whole clip, one frame after the other; 80 bytes a frame are kept.

    Features are found in every STRIDEth frame and followed from there directly, so that errors add up slowly. Where the
    motion is lost and the picture changes at once, a new shot begins.
    """
    follower = _Follower((clip.info.width, clip.info.height))
    for frame in progress.track(clip.frames(), "camera motion", clip.info.frame_count):
        follower.follow(small_grey(frame.picture), lost_near(track, frame.index))
    return CameraPath(np.array(follower.to_first).reshape(-1, 3, 3), np.array(follower.shot, int))


class _Follower:
    """Takes the frames in order. Motions are 3 x 3 in pixels of the small pictures, from a base frame to the newest."""

    def __init__(self, size: tuple[int, int]):
        self.size = size
        self.to_first: list[np.ndarray] = []
        self.shot: list[int] = []
        self.before: np.ndarray | None = None  # the frame before the newest
        self.box_before: CropBox | None = None

    def follow(self, grey: np.ndarray, box: CropBox | None) -> None:
        if self.before is None:
            self._begin(grey, box, np.eye(3))
        else:
            motion = self._motion(grey, box)
            if motion is None:
                # The frame just before looks more alike than the base does.
                self._begin(self.before, self.box_before, self.to_first[-1])
                motion = self._motion(grey, box)
            if motion is None and self._cut_to(grey):
                self.shot.append(self.shot[-1] + 1)
                self._begin(grey, box, np.eye(3))
            else:
                self.shot.append(self.shot[-1])
                # Without any motion to see (a blank wall) the camera is taken to stand.
                self._place(np.eye(3) if motion is None else motion)
                if self.age >= STRIDE:
                    self._begin(grey, box, self.to_first.pop())
        if not self.shot:
            self.shot.append(0)
        self.before, self.box_before = grey, box

    def _begin(self, grey: np.ndarray, box: CropBox | None, place: np.ndarray) -> None:
        """Make a frame the base; place: its own way to the first frame, which is noted where it is the newest."""
        self.base, self.base_place, self.age = grey, place, 0
        self.points = cv2.goodFeaturesToTrack(grey, POINTS, 0.01, 8, mask=self._background(grey.shape, box))
        self.there = self.points
        if grey is not self.before:
            self.to_first.append(place)

    def _place(self, motion: np.ndarray) -> None:
        self.age += 1
        self.to_first.append(self.base_place @ self._full_size(np.linalg.inv(motion)))

    def _motion(self, grey: np.ndarray, box: CropBox | None) -> np.ndarray | None:
        if self.points is None or len(self.points) < FEWEST:
            return None
        settings = {"winSize": (21, 21), "maxLevel": 3}
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            self.base, grey, self.points, self.there.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **settings
        )
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(
            grey, self.base, there, self.points.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **settings
        )
        good = (found & found_back).ravel().astype(bool)
        good &= np.linalg.norm((back - self.points).reshape(-1, 2), axis=1) < BELIEVED
        x, y = np.clip(np.rint(there.reshape(-1, 2)).astype(int), 0, np.array(grey.shape[::-1]) - 1).T
        good &= self._background(grey.shape, box)[y, x] > 0
        if good.sum() < FEWEST:
            return None
        matrix = _plane_motion(self.points[good], there[good])
        if matrix is not None:
            self.there = cv2.perspectiveTransform(self.points, matrix)
        return matrix

    def _cut_to(self, grey: np.ndarray) -> bool:
        old, new = (cv2.resize(g, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32) for g in (self.before, grey))
        return float(np.abs(new - old).mean()) > CUT

    def _background(self, shape: tuple[int, int], box: CropBox | None) -> np.ndarray:
        return background_mask(shape, box, shape[1] / self.size[0])

    def _full_size(self, motion: np.ndarray) -> np.ndarray:
        """The motion in the footage's pixels; a pixel's centre is a whole number in both."""
        x, y = self.before.shape[1] / self.size[0], self.before.shape[0] / self.size[1]
        small = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
        return np.linalg.inv(small) @ motion @ small


def _plane_motion(start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """The homography that most points follow, or the similarity where that is not plausible; None where too few agree,
    or on a motion that no camera makes in so few frames."""
    matrix, agree = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=AGREES)
    matrix = None if matrix is None else np.vstack([matrix, [0, 0, 1]])
    count = 0 if matrix is None else int(agree.sum())
    if len(start) >= ENOUGH_FOR_PERSPECTIVE:
        plane, agree = cv2.findHomography(start, end, cv2.RANSAC, AGREES)
        if plane is not None and agree.sum() >= count and np.abs(plane[2, :2]).max() < MOST_PERSPECTIVE:
            matrix, count = plane, int(agree.sum())
    if matrix is None or count < max(FEWEST, 0.4 * len(start)):
        return None
    turned = matrix[:2, :2] - np.eye(2)
    return matrix if np.abs(turned).max() < MOST_TURNED else None


def small_grey(picture: av.VideoFrame) -> np.ndarray:
    """Luma (green of RGB) as uint8, at most LONGEST pixels a side."""
    plane = plane_views(picture)[0]
    scale = min(1.0, LONGEST / max(plane.shape))
    size = (max(1, round(plane.shape[1] * scale)), max(1, round(plane.shape[0] * scale)))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    if plane.dtype == np.uint8:
        return small
    return (small >> (bit_depth(picture.format.name) - 8)).astype(np.uint8)
