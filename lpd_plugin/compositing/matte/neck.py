"""Where a person's neck is, from its matte: there a new head ends and the footage's own body begins."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

RAMP = 0.12  # height of the ramp in which the new neck gives way to the footage's, square sides
ABOVE_NARROWEST = 0.02  # the ramp begins that far above the narrowest row: collars begin 0.05 to 0.1 below it
HIGHEST, LOWEST = 0.74, 0.84  # of the ramp's beginning: a chin may reach 0.78, and shoulders come up to 0.75
BESIDE = 0.05  # added to the neck's half width: the new neck may lean
SEARCHED = (0.60, 0.90)  # rows among which the narrowest is looked for
USUAL_ROW, SPREAD = 0.77, 0.07  # where necks are in the training clips
SOFTNESS = 0.02  # of width: rows that little wider than the narrowest count too, so that noise moves the neck a little only
SEEN_BESIDE = 0.3  # of the middle: hands beside the head do not count, and shoulders are no wider than twice that
PRONOUNCED = (0.06, 0.2)  # growth from neck to shoulders, below which there is no neck to see and above which there is


SHOULDER_TOP = 0.6  # of the square: what reaches higher from below, without a gap, is hair rather than a shoulder
SHOULDER_REACH = 0.06  # of the square: above a shoulder, where the removal of hair and blur around a head would still bite
SHOULDER_EDGE = 0.012  # of the square: softness of what is told to be a shoulder


@dataclass(frozen=True)
class Neck:
    """The ramp from top (wholly the new head) to bottom (wholly the footage), and what of the width it leaves: the
    middle and half the width. All in square coordinates."""

    top: float
    bottom: float
    middle: float
    half_width: float


# Chins lie at about 0.75 to 0.8 (the face box ends at 0.78), shoulders of the training clips are twice as wide as the head
# from 0.85 on.
TYPICAL_NECK = Neck(0.80, 0.94, 0.5, 0.23)


def neck_of(matte: np.ndarray) -> Neck:
    """The neck of a person's matte (S, S) in [0, 1]: its narrowest rows below the face, as far as they are narrower than the
    shoulders; the typical one where hair or clothes hide it.

    A smooth function of the matte: small changes of the matte, as from frame to frame, move it a little only.
    """
    size = matte.shape[0]
    v, u = (np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size
    near = np.abs(u - 0.5) < SEEN_BESIDE
    widths = matte[:, near].sum(1, dtype=np.float64) / size
    searched = (v >= SEARCHED[0]) & (v < SEARCHED[1])
    rows, own = v[searched], widths[searched]
    weight = np.exp(-(own - own.min()) / SOFTNESS - 0.5 * ((rows - USUAL_ROW) / SPREAD) ** 2)
    weight /= weight.sum()
    row, width = float(weight @ rows), float(weight @ own)
    columns = weight @ (matte[searched] * near)
    middle = float(columns @ u / max(columns.sum(), 1e-6))
    shoulders = float(np.sort(widths[v > row])[-max(1, size // 16) :].mean()) if row < v[-1] else width
    low, high = PRONOUNCED
    seen = float(np.clip((shoulders - width - low) / (high - low), 0, 1)) * (width > 0.05)
    top = min(max(row - ABOVE_NARROWEST, HIGHEST), LOWEST)
    half_width = min(width / 2 + BESIDE, TYPICAL_NECK.half_width)  # what makes it wider is hair, or a hand

    def mixed(typical: float, found: float) -> float:
        return typical + seen * (found - typical)

    return Neck(
        mixed(TYPICAL_NECK.top, top), mixed(TYPICAL_NECK.bottom, top + RAMP),
        mixed(TYPICAL_NECK.middle, middle), mixed(TYPICAL_NECK.half_width, half_width),
    )  # fmt: skip


def shoulders_of(matte: np.ndarray, neck: Neck) -> np.ndarray:
    """(S, S) in [0, 1]: the part of a person's matte (S, S) that is body beside the neck.

    Columns outside the neck's width whose matte goes on from the lower border to no higher than SHOULDER_TOP: raised
    shoulders lie beside the jaw, and are not the head that is taken out. With what is just above them.
    """
    size = matte.shape[0]
    inside = matte > 0.5
    gaps = ~inside[::-1]
    run = np.where(gaps.any(0), gaps.argmax(0), size)  # rows from below without a gap
    rows = np.arange(size)[:, None] >= size - run
    columns = np.abs((np.arange(size) + 0.5) / size - neck.middle) > neck.half_width - BESIDE
    body = (rows & columns & (run < (1 - SHOULDER_TOP) * size)).astype(np.float32)
    reach = round(SHOULDER_REACH * size)
    above = cv2.dilate(body, np.ones((2 * reach + 1, 1), np.uint8)) * columns
    return cv2.GaussianBlur(np.float32(above), (0, 0), SHOULDER_EDGE * size)
