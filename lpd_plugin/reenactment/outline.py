"""One person's outline: what several pictures that lie on each other leave half-transparent is decided, and odds and ends go.

A head is painted from a few pictures of the person. Where their outlines do not meet, as with hair that only some of them show,
their mean is a veil over a wide area, which no real head has: 0.3 % of one is half-transparent further than HAIR from its edge,
of painted ones it was 2 %.
"""

from __future__ import annotations

import cv2
import numpy as np

HAIR = 1 / 64  # of the side, from the 50 % line: so far edges stay as soft as they were painted
DECIDED = 3.0  # how much steeper alpha becomes about a half beyond that; not a step, which would flicker
NECK = 8 / 256  # of the side: what hangs on the person by less than twice as much is no part of it
FAINT = 0.35  # alpha from which on a part holds on to the person, or can be held on by: a veil that vanishes jumps by no more
STRANDS = 4 / 256  # how much further than that parts that taper off go on


def one_outline(matte: np.ndarray) -> np.ndarray:
    """A painted matte (S, S) float32 in [0, 1] as one person's, whose edge is soft only near its 50 % line; that line stays where
    it is, around the person. A matte without such a line comes back as it is."""
    within = (matte >= 0.5).view(np.uint8)
    if not within.any() or within.all():
        return matte
    return _one_piece(_decided(matte, within))


def _decided(matte: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Alpha within bounds that begin at 0 and 1 on the 50 % line and meet, at HAIR from it, in a steeper alpha."""
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (within, 1 - within))
    nearness = np.float32(1 / (HAIR * matte.shape[0]))
    steeper = np.clip((matte - np.float32(0.5)) * np.float32(DECIDED) + np.float32(0.5), 0, 1)
    # The line runs between two pixels, half a pixel before the other one's centre.
    least = np.clip((inside - np.float32(0.5)) * nearness, 0, 1) * steeper
    most = 1 - np.clip((outside - np.float32(0.5)) * nearness, 0, 1) * (1 - steeper)
    return np.clip(matte, least, most)


def _one_piece(matte: np.ndarray) -> np.ndarray:
    """The largest piece, and what hangs on it not only by a thin neck: chairs and hands of other pictures come along so."""
    side = matte.shape[0]
    inside = cv2.distanceTransform((matte > FAINT).view(np.uint8), cv2.DIST_L2, 5)
    core = (inside > NECK * side).view(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    if len(statistics) < 2:
        return matte
    beyond = (labels != 1 + np.argmax(statistics[1:, cv2.CC_STAT_AREA])).view(np.uint8)
    away = cv2.distanceTransform(beyond, cv2.DIST_L2, 5)
    return np.where(away <= (NECK + STRANDS) * side, matte, np.float32(0))
