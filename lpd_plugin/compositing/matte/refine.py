"""A coarse matte made sharp along the edges of the picture that it belongs to.

A weighted guided filter (He, Sun, Tang, "Guided image filtering", 2010; statistics on a reduced copy as in He and Sun, "Fast
guided filter", 2015). Around every pixel alpha is a linear function of colour; that function is fitted to the pixels whose
alpha is all but certain, far more than to the half-transparent ones that are to be found out. Where colour does not tell the
person from the background, the coarse matte stays.
"""

from __future__ import annotations

import cv2
import numpy as np

WORKING_SIDE = 128  # longer side, at most, of the copy that the linear functions are fitted on, pixels
TILE = 16  # pixels of that copy a side; the full picture is worked on in parts, only where there is an edge
WINDOW = (7, 7)  # of a fit, pixels of that copy
REACH = 0.025  # of the longer side: how far from the coarse edge hair is looked for
RIDGE = 1e-4  # variance of colour below which there is no edge to follow; the standard deviation is 2.5 codes of 255
LEAST_WEIGHT = 0.05  # of a pixel with alpha 0.5 in a fit, where a certain one has 1
EXPLAINED = (0.5, 0.95)  # share of alpha's variance that colour explains: below it is not believed, above it is wholly
CERTAIN = 0.06  # an alpha that close to 0 or 1 becomes 0 or 1: a line fitted to noisy colours never quite ends


def refined(matte: np.ndarray, guide: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """The matte with the guide's edges, in a band around its own edge; elsewhere the very values that came in.

    matte: (h, w) float32 in [0, 1]. guide: (h, w, 3) float32, the picture that shows person and background. strength: 0
    leaves the matte, 1 refines it wholly. Returns (h, w) float32 in [0, 1]. Serves mattes of filmed pictures only: a
    generated head is drawn on nothing, and what it has outside its matte leads astray.
    """
    step = min(-(-max(matte.shape) // WORKING_SIDE), *matte.shape)
    coarse, colours = _reduced(matte, step), _reduced(guide, step)
    band = _band(coarse)
    cells = band > 0
    if strength == 0 or not cells.any():
        return matte
    slopes, offset, explained = _fitted(colours, coarse, cells)
    low, high = EXPLAINED
    fits = np.zeros((coarse.shape[0] + 2, coarse.shape[1] + 2, 5), np.float32)
    inner = fits[1:-1, 1:-1]
    inner[cells, :3], inner[cells, 3] = slopes, offset
    inner[cells, 4] = band[cells] * np.clip((explained - low) / (high - low), 0, 1) * strength
    result = matte.copy()
    for top in range(0, coarse.shape[0], TILE):
        for left in range(0, coarse.shape[1], TILE):
            tile = fits[top : top + TILE + 2, left : left + TILE + 2]
            if tile[..., 4].any():
                inside = np.s_[top * step : (top + TILE) * step, left * step : (left + TILE) * step]
                _follow(result[inside], guide[inside], tile, step)
    return result


def _follow(matte: np.ndarray, guide: np.ndarray, fits: np.ndarray, step: int) -> None:
    """Change a part of the matte (h, w) in place by the fits of its blocks (h / step + 2, w / step + 2, 5), which hold
    one row and column more on each side: a, b and how far they count."""
    height, width = matte.shape
    fits = cv2.resize(fits, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
    fits = fits[step : step + height, step : step + width]
    alpha = cv2.transform(cv2.multiply(fits[..., :3], guide), np.float32([[1, 1, 1]]))
    alpha += fits[..., 3]
    alpha = np.clip((alpha - np.float32(CERTAIN)) * np.float32(1 / (1 - 2 * CERTAIN)), 0, 1)
    matte += fits[..., 4] * (alpha - matte)


def _reduced(picture: np.ndarray, step: int) -> np.ndarray:
    """Means of whole blocks of `step` pixels a side; an incomplete last row or column repeats the one before."""
    height, width = picture.shape[:2]
    rows, columns = height // step, width // step
    small = cv2.resize(picture[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_AREA)
    more = int(height % step > 0), int(width % step > 0)
    return cv2.copyMakeBorder(small, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE) if any(more) else small


def _band(coarse: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1]: 1 around the edge and where alpha is half-transparent, falling to 0 outside."""
    reach = max(1, round(REACH * max(coarse.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    unsure = ((coarse > 0.03) & (coarse < 0.97)).astype(np.float32)
    inside = (coarse > 0.5).astype(np.float32)
    near = cv2.dilate(inside, disc) - cv2.erode(inside, disc, borderType=cv2.BORDER_REPLICATE)
    return cv2.blur(np.maximum(near, unsure), (3, 3))


def _fitted(colour: np.ndarray, alpha: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, ...]:
    """alpha = a . colour + b around each of the K pixels that `cells` (h, w) names: (K, 3) a, (K,) b, and (K,) the share of
    alpha's variance that this explains."""
    weight = np.abs(2 * alpha - 1) ** 2 + np.float32(LEAST_WEIGHT)
    total = cv2.blur(weight, WINDOW)[cells]

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values * weight, WINDOW)[cells] / total

    parts = cv2.split(colour)
    middle, middles = mean(alpha), [mean(part) for part in parts]
    variance = mean(alpha * alpha) - middle * middle
    together = np.stack([mean(part * alpha) - m * middle for part, m in zip(parts, middles)], 1)
    covariance = np.empty((len(total), 3, 3), np.float32)
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        covariance[:, i, j] = covariance[:, j, i] = mean(parts[i] * parts[j]) - middles[i] * middles[j]
    covariance[:, range(3), range(3)] += np.float32(RIDGE)
    slope = np.linalg.solve(covariance, together[..., None])[..., 0]
    offset = middle - (slope * np.stack(middles, 1)).sum(1)
    return slope, offset, (slope * together).sum(1) / np.maximum(variance, 1e-4)
