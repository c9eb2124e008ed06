"""How soft a picture's edges are, measured and matched.

Measured by blurring once more: an edge of Gaussian spread s, blurred by r, keeps s / sqrt(s^2 + r^2) of its slope, so
the loss of slope tells s (Elder & Zucker 1998, "Local scale control for edge detection and blur estimation"; the ratio
as in Zhuo & Sim 2011, "Defocus map estimation from a single image").
"""

from __future__ import annotations

import cv2
import numpy as np

STRONGEST = 0.1  # share of the edge points that are measured: what is an edge beyond doubt, also under grain
DERIVATIVE = 1.0  # pixels, Gaussian under the slopes; taken out of the result
FEWEST = 50  # edge points below which nothing is claimed
WIDEST = 8.0  # pixels; softer edges than that are shading, not edges
LARGEST_GAIN = 2.5  # of the finest detail when sharpening; more brings out what is not there
SHARPEST = 0.4  # of the spread that is there
STRIP = 96  # rows
OVERSHOOT = 0.1  # share of the local range by which a sharpened edge may leave it


def edge_spread(rgb: np.ndarray, weight: np.ndarray | None = None) -> float | None:
    """The spread of the edges in rgb float32 (h, w, 3): sigma in pixels of the Gaussian that a step looks blurred by.

    The median over the strongest edge points where weight (h, w) is above a half; None where there are too few.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    smooth = _blurred(grey, DERIVATIVE)
    across, down = _slopes(smooth)
    slope = cv2.magnitude(across, down)
    chosen = _strongest(slope, across, down, weight)
    if chosen is None:
        return None
    x, y, own = across[chosen], down[chosen], slope[chosen]
    spread = 0.0
    for more in (1.5, None):  # the second blur is best about as wide as the spread itself
        more = float(np.clip(spread, 1, 4)) if more is None else more
        again = _slopes(_blurred(smooth, more))
        left = (again[0][chosen] * x + again[1][chosen] * y) / own
        ratio = own / np.maximum(left, 1e-6)
        square = np.median(more**2 / np.maximum(ratio**2 - 1, 1e-6)) - DERIVATIVE**2
        spread = float(np.sqrt(np.clip(square, 0, WIDEST**2)))
    return spread


def match_sharpness(rgb: np.ndarray, own: float, wanted: float) -> np.ndarray:
    """rgb float32 (h, w, 3), whose edges have spread `own`, with edges of spread `wanted`, both in pixels.

    Softer: a Gaussian. Sharper: unsharp masking of the luma by the gain that makes an edge's slope the wanted one,
    bounded in gain and in the range of the neighbourhood, so that there are no halos; never below 0.4 of `own`,
    because what an enlarged picture lost is not in it.
    """
    wanted = max(wanted, SHARPEST * own)
    if wanted > own:
        extra = np.sqrt(wanted**2 - own**2)
        return rgb if extra < 0.15 else _blurred(rgb, extra)
    gain = sharpening_gain(own, wanted)
    if gain < 0.02:
        return rgb
    width, radius = _mask_width(own), max(1, round(own))
    reach = int(np.ceil(4 * width)) + radius
    result = np.empty_like(rgb)
    for top in range(0, len(rgb), STRIP):  # what is worked on stays in the processor's cache
        first, last = max(top - reach, 0), top + STRIP + reach
        luma = cv2.cvtColor(rgb[first:last], cv2.COLOR_RGB2GRAY)
        sharp = cv2.addWeighted(luma, 1 + gain, _blurred(luma, width), -gain, 0)
        added = _within_range(sharp, luma, radius) - luma
        added = added[top - first : top - first + STRIP]
        cv2.add(rgb[top : top + STRIP], cv2.merge([added] * 3), dst=result[top : top + STRIP])
    return result


def match_before(rgb: np.ndarray, own: float, wanted: float, scale: float) -> np.ndarray:
    """What has to be enlarged `scale` times to look as `match_sharpness` of the enlarged picture, whose edges have spread
    `own`; nearly, where scale is well above 1: a spline is blurred by blurring the pixels it runs through."""
    wanted = max(wanted, SHARPEST * own)
    if wanted > own:
        extra = np.sqrt(wanted**2 - own**2)
        return rgb if extra < 0.15 else _blurred(rgb, extra / scale)
    gain = sharpening_gain(own, wanted)
    if gain < 0.02:
        return rgb
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    sharp = cv2.addWeighted(luma, 1 + gain, _blurred(luma, _mask_width(own) / scale), -gain, 0)
    added = cv2.subtract(_within_range(sharp, luma, max(1, round(own / scale))), luma)
    return cv2.add(rgb, cv2.merge([added] * 3))


def sharpness_reach(own: float, wanted: float) -> int:
    """Pixels around a part of a picture that `match_sharpness` looks at for it."""
    if wanted > own:
        return int(np.ceil(4 * np.sqrt(wanted**2 - own**2))) + 1
    return int(np.ceil(4 * _mask_width(own))) + max(1, round(own))


def sharpening_gain(own: float, wanted: float) -> float:
    """How strongly to add what a Gaussian of the mask's width takes away, for edges of spread `own` to be measured
    as `wanted` by `edge_spread`; 0 up to LARGEST_GAIN."""
    if wanted >= own:
        return 0.0
    width = _mask_width(own)
    more = float(np.clip(wanted, 1, 4))

    def slope(*spreads: float) -> float:
        return 1 / np.sqrt(DERIVATIVE**2 + sum(s * s for s in spreads))

    # Slopes of the sharpened edge before and after the second blur, as (constant, per gain); their ratio is set.
    before = slope(own), slope(own) - slope(own, width)
    after = slope(own, more), slope(own, more) - slope(own, width, more)
    ratio = slope(wanted) / slope(wanted, more)
    per_gain = before[1] - ratio * after[1]
    gain = (ratio * after[0] - before[0]) / per_gain if per_gain > 1e-9 else np.inf
    return float(np.clip(gain, 0, LARGEST_GAIN))


def _mask_width(own: float) -> float:
    return max(0.7, own)


def _within_range(sharp: np.ndarray, luma: np.ndarray, radius: int) -> np.ndarray:
    """Clamp to the luma's range within `radius` pixels, a little widened; in place."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    low, high = cv2.erode(luma, kernel), cv2.dilate(luma, kernel)
    margin = cv2.subtract(high, low)
    cv2.min(sharp, cv2.scaleAdd(margin, OVERSHOOT, high), dst=sharp)
    return cv2.max(sharp, cv2.scaleAdd(margin, -OVERSHOOT, low), dst=sharp)


def _strongest(slope, across, down, weight) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and columns of the points on the ridges of the slope, the strongest of them."""
    height, width = slope.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    step = across / (slope + 1e-9), down / (slope + 1e-9)
    before = cv2.remap(slope, x - step[0], y - step[1], cv2.INTER_LINEAR)
    after = cv2.remap(slope, x + step[0], y + step[1], cv2.INTER_LINEAR)
    ridge = (slope >= after) & (slope > before) & (slope > 1e-3)
    if weight is not None:
        ridge &= weight > 0.5
    margin = 4  # the border's continuation is no edge
    inside = np.zeros_like(ridge)
    inside[margin:-margin, margin:-margin] = True
    ridge &= inside
    if ridge.sum() * STRONGEST < FEWEST:
        return None
    return np.nonzero(ridge & (slope >= np.quantile(slope[ridge], 1 - STRONGEST)))


def _slopes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kernel = {"ksize": 1, "scale": 0.5, "borderType": cv2.BORDER_REPLICATE}
    return cv2.Sobel(grey, cv2.CV_32F, 1, 0, **kernel), cv2.Sobel(grey, cv2.CV_32F, 0, 1, **kernel)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
