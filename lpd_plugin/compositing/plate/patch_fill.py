"""Completion of a picture's hole with texture from around it.

Every patch of the hole is to look like some patch of what is known (space-time completion, Wexler, Shechtman and
Irani 2007), the most similar ones found by random search and propagation (PatchMatch, Barnes et al. 2009), coarse
to fine. The result is a field of sources: which known pixel each pixel of the hole is copied from, so that the copy
can be made at the full resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .fill import fill_smoothly

RADIUS = 3  # of a patch, pixels of the working picture
LONGEST = 144  # of the working picture, pixels
COARSEST = 24
FEWEST = 60  # patches of the known part from which a texture can be told
ROUNDS = (12, 6, 4)  # of search and vote, from the coarsest level on; the last number holds for all finer ones
NEARNESS = 2e-4  # cost of a pixel's way between source and target: of two alike the nearer is taken


def patch_fill(values: np.ndarray, source: np.ndarray, hole: np.ndarray, seed: int = 0) -> np.ndarray:
    """`values` (height, width, 3) float32 with the hole replaced.

    source: bool, what may be copied; hole: bool, what is to be found; what is neither (somebody's body) is neither
    copied nor matched. The copies meet the known pixels around without a step. Without enough texture
    around, or without a hole, the fill is smooth.
    """
    if not hole.any():
        return values.copy()
    part = _context(hole)
    filled = values.copy()
    filled[part] = _filled(values[part], source[part], hole[part], seed)
    return filled


def _context(hole: np.ndarray) -> tuple[slice, slice]:
    """The hole's surroundings, as far as it is large: what is farther is less alike, and only costs resolution."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    reach = max(24, (rows[-1] - rows[0]) // 2, (columns[-1] - columns[0]) // 2)
    return tuple(slice(max(0, int(n[0] - reach)), int(n[-1] + reach + 1)) for n in (rows, columns))


def _filled(values: np.ndarray, source: np.ndarray, hole: np.ndarray, seed: int) -> np.ndarray:
    smooth = fill_smoothly(values, source.astype(np.float32))
    height, width = hole.shape
    levels = _levels(smooth, source, hole)
    picks = None
    for number, level in enumerate(reversed(levels)):
        if len(level.places) < FEWEST:
            continue
        rounds = ROUNDS[min(number, len(ROUNDS) - 1)]
        picks = _searched(level, picks, rounds, np.random.default_rng([seed, number]))
    result = np.where(hole[..., None], smooth, values)
    if picks is None:
        return result
    copied = _copied(values, picks, levels[0], hole)
    # Along the hole's rim the copies are shifted to what is there, and that shift fades smoothly into the hole.
    band = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = band & ~hole & source
    if rim.any():
        near = _carried(copied, hole, rim)
        shift = fill_smoothly(np.where(rim[..., None], values - near, 0), rim.astype(np.float32))
        copied = copied + shift
    return np.where(hole[..., None], np.clip(copied, values.min(), values.max()), values).astype(np.float32)


@dataclass
class _Level:
    """One resolution: the picture as it is guessed, at first smoothly (so that no object is invented where a wall
    does), weights of its pixels in a comparison, the hole's patches
    (M, 2) row and column, and the patches that may be copied (P, 2), with a map of these."""

    rgb: np.ndarray
    weight: np.ndarray
    targets: np.ndarray
    places: np.ndarray
    allowed: np.ndarray


def _levels(rgb: np.ndarray, source: np.ndarray, hole: np.ndarray) -> list[_Level]:
    """From fine to coarse."""
    longest = max(hole.shape)
    scale = min(1.0, LONGEST / longest)
    levels = []
    while scale * longest >= COARSEST:
        size = (max(1, round(hole.shape[1] * scale)), max(1, round(hole.shape[0] * scale)))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        open_ = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        known = (cv2.resize(source.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99) & ~open_
        levels.append(_level(small, known, open_))
        scale /= 1.7
    return levels


def _level(rgb: np.ndarray, known: np.ndarray, hole: np.ndarray) -> _Level:
    patch = np.ones((2 * RADIUS + 1,) * 2, np.uint8)
    allowed = cv2.erode(known.astype(np.uint8), patch, borderValue=0) > 0
    allowed[:RADIUS] = allowed[-RADIUS:] = False
    allowed[:, :RADIUS] = allowed[:, -RADIUS:] = False
    touched = cv2.dilate(hole.astype(np.uint8), patch) > 0
    weight = (known | hole).astype(np.float32)
    return _Level(rgb, weight, np.argwhere(touched), np.argwhere(allowed), allowed)


def _searched(level: _Level, before: np.ndarray | None, rounds: int, random: np.random.Generator) -> np.ndarray:
    """The source (row, column) of every pixel (height, width, 2); the level's picture becomes the completed one."""
    height, width = level.allowed.shape
    field = np.zeros((height, width, 2), np.int32)
    rows, columns = level.targets.T
    field[rows, columns] = level.places[random.integers(0, len(level.places), len(rows))]
    if before is not None:
        _take(level, field, _enlarged(before, (height, width)))
        level.rgb = _voted(level, field)
    for _ in range(rounds):
        costs = _costs(level, field[rows, columns])
        for reach in (8, 4, 2, 1):
            _propagate(level, field, costs, reach)
        spread = max(height, width) / 2
        while spread > 1:
            step = random.uniform(-spread, spread, (len(rows), 2)).astype(np.int32)
            _try(level, field, costs, field[rows, columns] + step)
            spread /= 2.5
        level.rgb = _voted(level, field)
    return field


def _take(level: _Level, field: np.ndarray, guess: np.ndarray) -> None:
    rows, columns = level.targets.T
    wanted = guess[rows, columns]
    good = _inside(level, wanted)
    field[rows[good], columns[good]] = wanted[good]


def _enlarged(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A coarser level's field: the same ways, in pixels of this one."""
    own = np.stack(np.mgrid[: field.shape[0], : field.shape[1]], -1)
    way = (field - own).astype(np.float32)
    scale = np.float32([shape[0] / field.shape[0], shape[1] / field.shape[1]])
    way = cv2.resize(way, shape[::-1], interpolation=cv2.INTER_NEAREST) * scale
    return np.rint(np.stack(np.mgrid[: shape[0], : shape[1]], -1) + way).astype(np.int32)


def _inside(level: _Level, places: np.ndarray) -> np.ndarray:
    height, width = level.allowed.shape
    within = (places >= 0).all(1) & (places[:, 0] < height) & (places[:, 1] < width)
    clipped = np.clip(places, 0, (height - 1, width - 1))
    return within & level.allowed[clipped[:, 0], clipped[:, 1]]


def _propagate(level: _Level, field: np.ndarray, costs: np.ndarray, reach: int) -> None:
    """Try the sources of neighbours `reach` pixels away, carried along."""
    height, width = level.allowed.shape
    rows, columns = level.targets.T
    for step in ((0, reach), (0, -reach), (reach, 0), (-reach, 0)):
        y, x = np.clip(rows + step[0], 0, height - 1), np.clip(columns + step[1], 0, width - 1)
        known_way = field[y, x].any(1)
        _try(level, field, costs, np.where(known_way[:, None], field[y, x] - step, -1))


def _try(level: _Level, field: np.ndarray, costs: np.ndarray, wanted: np.ndarray) -> None:
    chosen = np.flatnonzero(_inside(level, wanted))
    if not len(chosen):
        return
    fresh = _costs(level, wanted[chosen], chosen)
    better = fresh < costs[chosen]
    chosen, fresh = chosen[better], fresh[better]
    costs[chosen] = fresh
    rows, columns = level.targets[chosen].T
    field[rows, columns] = wanted[chosen]


def _costs(level: _Level, places: np.ndarray, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Mean squared difference of the patches, over the pixels that count, and a little for the way."""
    steps = np.arange(-RADIUS, RADIUS + 1)
    padded = _padded(level)
    targets = level.targets[chosen]
    total = np.zeros(len(targets), np.float32)
    count = np.full(len(targets), 1e-6, np.float32)
    rgb, weight = padded
    wide = rgb.shape[1]
    flat, flat_weight = rgb.reshape(-1, 3), weight.ravel()
    start = (targets[:, 0] + RADIUS) * wide + targets[:, 1] + RADIUS
    there = (places[:, 0] + RADIUS) * wide + places[:, 1] + RADIUS
    for y in steps:
        for x in steps:
            shift = y * wide + x
            part = flat_weight[start + shift]
            difference = flat[start + shift] - flat[there + shift]
            total += part * np.einsum("ij,ij->i", difference, difference)
            count += part
    way = np.abs(places - targets).sum(1).astype(np.float32)
    return total / count + NEARNESS * way / max(level.allowed.shape)


def _padded(level: _Level) -> tuple[np.ndarray, np.ndarray]:
    rgb = cv2.copyMakeBorder(level.rgb, RADIUS, RADIUS, RADIUS, RADIUS, cv2.BORDER_REPLICATE)
    weight = cv2.copyMakeBorder(level.weight, RADIUS, RADIUS, RADIUS, RADIUS, cv2.BORDER_CONSTANT, value=0)
    return rgb, weight


def _voted(level: _Level, field: np.ndarray) -> np.ndarray:
    """Every pixel of the hole: the mean of what the patches over it say, known pixels as they are."""
    height, width = level.allowed.shape
    rows, columns = level.targets.T
    total = np.zeros((height + 2 * RADIUS, width + 2 * RADIUS, 3), np.float32)
    count = np.zeros(total.shape[:2], np.float32)
    places = field[rows, columns]
    for y in range(-RADIUS, RADIUS + 1):
        for x in range(-RADIUS, RADIUS + 1):
            weight = np.float32(np.exp(-(y * y + x * x) / (RADIUS * RADIUS)))
            # Targets are distinct, so plain indexing adds each once.
            total[rows + RADIUS + y, columns + RADIUS + x] += weight * level.rgb[places[:, 0] + y, places[:, 1] + x]
            count[rows + RADIUS + y, columns + RADIUS + x] += weight
    inner = np.s_[RADIUS:-RADIUS, RADIUS:-RADIUS]
    mean = total[inner] / np.maximum(count[inner], 1e-6)[..., None]
    hole = cv2.erode(_mask(level), np.ones((2 * RADIUS + 1,) * 2, np.uint8), borderValue=1) > 0
    return np.where((hole & (count[inner] > 0))[..., None], mean, level.rgb)


def _mask(level: _Level) -> np.ndarray:
    mask = np.zeros(level.allowed.shape, np.uint8)
    mask[tuple(level.targets.T)] = 1
    return mask


def _copied(values: np.ndarray, field: np.ndarray, level: _Level, hole: np.ndarray) -> np.ndarray:
    """The hole at full resolution: the mean over 3 x 3 neighbouring patches of the pixels that they copy."""
    height, width = hole.shape
    own = np.stack(np.mgrid[: field.shape[0], : field.shape[1]], -1)
    scale = np.float32([height / field.shape[0], width / field.shape[1]])
    way = (field - own).astype(np.float32) * scale
    way[_mask(level) == 0] = 0
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    coarse_rows, coarse_columns = (rows + 0.5) / scale[0] - 0.5, (columns + 0.5) / scale[1] - 0.5
    total = np.zeros_like(values)
    weights = np.zeros((height, width, 1), np.float32)
    for y in (0, 1):
        for x in (0, 1):
            # The four patches around a pixel, each carrying its own whole way, mixed by nearness.
            row, column = np.floor(coarse_rows) + y, np.floor(coarse_columns) + x
            near = (1 - np.abs(coarse_rows - row)) * (1 - np.abs(coarse_columns - column))
            taken = way[
                np.clip(row, 0, field.shape[0] - 1).astype(int), np.clip(column, 0, field.shape[1] - 1).astype(int)
            ]
            moved = cv2.remap(
                values, columns + taken[..., 1], rows + taken[..., 0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
            total += near[..., None] * moved
            weights += near[..., None]
    return total / np.maximum(weights, 1e-6)


def _carried(copied: np.ndarray, hole: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """The copies' colours at the rim, from the nearest pixels of the hole."""
    mean = cv2.boxFilter(copied * hole[..., None].astype(np.float32), -1, (5, 5), normalize=False)
    count = cv2.boxFilter(hole.astype(np.float32), -1, (5, 5), normalize=False)
    return np.where(rim[..., None], mean / np.maximum(count, 1)[..., None], 0)
