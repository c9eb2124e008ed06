"""The footage's grain: measured where nothing else varies, and made anew on a generated head, which has none.

Measured in squares of the picture that are smooth on a coarse scale (blocks without structure, as in Amer & Dubois 2005,
"Fast and reliable structure-oriented video noise estimation"): what varies in them on a fine scale is grain. Where two
frames show the same still square their difference is measured as well, which leaves texture out altogether.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

BLOCK, STRIDE = 32, 16  # pixels; squares that are looked at
BINS = 8  # of luma, over 0..1
MOST = 400  # squares of a picture that are looked at
FEWEST = 12  # squares a frame that make a measurement trustworthy
COARSE = 3.0  # pixels, Gaussian: structure survives it, grain hardly does
STILL = 0.5 / 255  # by which the coarse picture of a still square may change,
STILL_SHARE = 0.25  # or the share of all change that it may be: grain alone has little on a coarse scale
SMOOTH = 0.8 / 255  # coarse slope per pixel of a smooth square, on average,
SMOOTH_SHARE = 0.03  # or the share of the fine picture's energy that its square may be
FLATTEST = 0.2  # share of the squares of a luma that are taken for smooth
LEAST = 0.3  # quantile of smooth squares' variances that is grain alone; the others have texture too
INVISIBLE = 0.4 / 255  # grain weaker than that everywhere is none
UNEVEN = 2.6  # between the squares' variances' 80th and 20th percentile: texture
STEEPEST = 2.0  # by which a luma's grain may exceed the typical one
CORRELATED = 6  # pixels up to which neighbours' correlation is kept
TILE = 512

# Cycles a pixel. Shading makes slow waves as well, so those of grain are inferred from the two rings above, as if grain
# were white noise through a Gaussian, of at most WIDEST pixels.
FREQUENCY = np.hypot(*np.meshgrid(*[np.fft.fftfreq(BLOCK)] * 2))
SLOW, RING, NEXT = (
    (FREQUENCY >= low) & (FREQUENCY < high) for low, high in ((0, 0.08), (0.08, 0.125), (0.125, 0.19))
)  # fmt: skip
WIDEST = 1.8
WINDOW = np.outer(np.hanning(BLOCK + 2)[1:-1], np.hanning(BLOCK + 2)[1:-1])
WINDOW /= np.sqrt((WINDOW**2).mean())
TO_YCC = np.float32([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])  # BT.709


@dataclass(frozen=True)
class Grain:
    """sigma (BINS, 3): standard deviation of R, G, B by luma, at the middles of equal bins over 0..1.

    correlation (3, 3): between the grain of R, G, B. luma, chroma (2 * CORRELATED + 1, same): autocorrelation of the
    grain in luma and in colour differences, 1 in the middle.
    """

    sigma: np.ndarray
    correlation: np.ndarray = field(default_factory=lambda: np.eye(3))
    luma: np.ndarray = field(default_factory=lambda: _white())
    chroma: np.ndarray = field(default_factory=lambda: _white())

    @property
    def none(self) -> bool:
        """Nothing worth adding."""
        return float(self.sigma.mean(1).max()) < INVISIBLE

    def synthesise(self, rgb: np.ndarray, seed: int, frame_number: int, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Grain for rgb float32 (h, w, 3) whose left top pixel is `origin` (left, top) in the frame: (h, w, 3).

        Zero mean, to be added. The same seed, frame number and place in the frame give the same grain.
        """
        if self.none:
            return np.zeros_like(rgb)
        codes = cv2.convertScaleAbs(cv2.max(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 0), alpha=255)
        return self.on_luma(codes, seed, frame_number, origin)

    def on_luma(self, codes: np.ndarray, seed: int, frame_number: int, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
        """As `synthesise` for a picture of which the luma is known, codes (h, w) uint8; for grain that is not `none`."""
        random = np.random.default_rng((seed, frame_number))
        shift = random.integers(0, TILE, 2) + origin[::-1]
        pattern = self._pattern(seed, int(random.integers(0, 4)))
        noise = cv2.LUT(cv2.merge([codes] * 3), self._curve)
        for rows, pattern_rows in _repeats(shift[0], len(codes)):
            for columns, pattern_columns in _repeats(shift[1], codes.shape[1]):
                noise[rows, columns] *= pattern[pattern_rows, pattern_columns]
        return noise

    @cached_property
    def _curve(self) -> np.ndarray:
        """(1, 256, 3) float32: sigma for codes of luma."""
        middles = (np.arange(BINS) + 0.5) / BINS
        codes = np.arange(256) / 255
        return np.stack([np.interp(codes, middles, one) for one in self.sigma.T], -1)[None].astype(np.float32)

    def _pattern(self, seed: int, flips: int) -> np.ndarray:
        """The pattern, mirrored in one of four ways; kept for the next frame."""
        kept = self.__dict__.setdefault("_patterns", {})
        if (seed, 0) not in kept:
            kept.clear()
            kept[seed, 0] = self._made_pattern(seed)
        if (seed, flips) not in kept:
            kept[seed, flips] = np.ascontiguousarray(kept[seed, 0][:: 1 - 2 * (flips & 1), :: 1 - (flips & 2)])
        return kept[seed, flips]

    def _made_pattern(self, seed: int) -> np.ndarray:
        """(TILE, TILE, 3) of unit variance, repeating seamlessly, with the measured correlations."""
        random = np.random.default_rng(seed)
        own = TO_YCC @ self.correlation @ TO_YCC.T
        mixing = np.linalg.cholesky(own + 1e-6 * np.trace(own) * np.eye(3))
        parts = [_filtered(random.standard_normal((TILE, TILE)), kind) for kind in (self.luma, self.chroma, self.chroma)]
        rgb = np.stack(parts, -1) @ (np.linalg.inv(TO_YCC) @ mixing).T
        rgb -= rgb.mean((0, 1))
        return (rgb / rgb.std((0, 1))).astype(np.float32)


def measure_grain(frames: Iterable[np.ndarray], step: float = 0.0) -> Grain:
    """From a few frames, rgb float32 (h, w, 3) of one size, in order; spread over the clip rather than neighbours.

    step: one code of the footage (1 / 255 for 8 bits): what rounding to codes adds is not taken for grain.
    Without a single smooth or still square the result is no grain. Motion and texture can only be taken for grain,
    so the weaker of the two measurements, over time and over space, holds.
    """
    still, smooth = _Squares(0.5), _Squares(LEAST)
    before = None
    for frame in frames:
        frame = np.ascontiguousarray(frame, np.float32)
        coarse = cv2.GaussianBlur(frame, (0, 0), COARSE)
        if before is not None and before[0].shape == frame.shape:
            still.take(*_still_squares(before, (frame, coarse)))
        smooth.take(*_smooth_squares(frame, coarse))
        before = frame, coarse
    found = [grain for grain in (still.grain(step), smooth.grain(step)) if grain is not None]
    if not found:
        return Grain(np.zeros((BINS, 3)))
    weaker = min(found, key=lambda one: one.sigma.sum())
    return replace(weaker, sigma=np.min([one.sigma for one in found], 0))


def _white() -> np.ndarray:
    one = np.zeros((2 * CORRELATED + 1,) * 2)
    one[CORRELATED, CORRELATED] = 1
    return one


class _Squares:
    """What varies in squares of one kind: covariances in RGB, spectra in luma and colour differences, by luma.

    quantile: which of the squares' variances stands for all.
    """

    def __init__(self, quantile: float):
        self.quantile, self.pictures = quantile, 0
        self.levels, self.waves = [np.zeros(0)], [np.zeros((0, BLOCK, BLOCK, 3))]

    def take(self, squares: np.ndarray, levels: np.ndarray) -> None:
        """squares (n, BLOCK, BLOCK, 3) of one more picture; levels (n,) their luma."""
        every = -(-len(squares) // MOST) or 1
        squares, levels = squares[::every], levels[::every]
        windowed = (squares - squares.mean((1, 2), keepdims=True)) * WINDOW[..., None]
        self.pictures += 1
        self.levels.append(levels)
        self.waves.append(np.fft.fft2(windowed, axes=(1, 2)).astype(np.complex64) / BLOCK**2)

    def grain(self, step: float) -> Grain | None:
        """None where there are too few squares or all have texture."""
        if sum(map(len, self.levels)) < FEWEST * max(self.pictures, 1):
            return None
        levels, waves = np.concatenate(self.levels), np.concatenate(self.waves)
        power = (waves.real**2 + waves.imag**2).sum(-1)
        spectrum = power[power[:, ~SLOW].sum(1) <= np.quantile(power[:, ~SLOW].sum(1), 2 * self.quantile)].mean(0)
        share = ~SLOW + RING * (_slow_waves(spectrum).sum() / max(float(spectrum[RING].sum()), 1e-20))
        covariance = np.einsum("ij,nijc,nijd->ncd", share, waves, waves.conj(), optimize=True).real
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        sigma = _by_luma(levels, variance, self.quantile, FEWEST * self.pictures, step)
        if sigma is None:
            return None
        weak = variance.sum(1) <= np.quantile(variance.sum(1), 2 * self.quantile)
        typical = covariance[weak].mean(0)
        own = np.sqrt(np.maximum(np.diagonal(typical), 1e-12))
        power = (np.abs(waves[weak] @ TO_YCC.T) ** 2).mean(0)
        luma, chroma = _autocorrelation(power[..., 0]), _autocorrelation(power[..., 1:].sum(-1))
        return Grain(sigma, typical / own / own[:, None], luma, chroma)


def _by_luma(levels: np.ndarray, variance: np.ndarray, quantile: float, fewest: int, step: float):
    """(BINS, 3) standard deviations or None; bins that fewer squares show, or textured ones, take their neighbours'."""
    places = np.clip((levels * BINS).astype(int), 0, BINS - 1)
    bins = {one: variance[places == one] for one in range(BINS)}
    known = [one for one, here in bins.items() if len(here) >= fewest and _even(here)]
    typical = np.quantile(variance, quantile, axis=0)
    if known:
        values = np.array([np.quantile(bins[one], quantile, axis=0) for one in known])
    elif _even(variance):
        known, values = [0], typical[None]
    else:
        return None
    values = np.sqrt(np.maximum(np.minimum(values, STEEPEST**2 * typical) - step**2 / 12, 0))
    return np.stack([np.interp(np.arange(BINS), known, one) for one in values.T], -1)


def _even(variance: np.ndarray) -> bool:
    """Whether squares vary alike, as by grain; texture is strong here and weak there."""
    low, high = np.quantile(variance.mean(1), (0.2, 0.8)) + INVISIBLE**2
    return bool(high < UNEVEN * low)


def _slow_waves(power: np.ndarray) -> np.ndarray:
    """The power of the slow waves of a spectrum (BLOCK, BLOCK), from those above, as of a Gaussian: ln P = a - b f^2."""
    squares = [(FREQUENCY[one] ** 2).mean() for one in (RING, NEXT)]
    near, far = (max(float(power[one].mean()), 1e-20) for one in (RING, NEXT))
    fall = np.clip(np.log(near / far) / (squares[1] - squares[0]), 0, (2 * np.pi * WIDEST) ** 2)
    return near * np.exp(fall * (squares[0] - FREQUENCY[SLOW] ** 2))


def _autocorrelation(power: np.ndarray) -> np.ndarray:
    """Of a spectrum (BLOCK, BLOCK), its slow waves inferred; 1 in the middle."""
    power = power.copy()
    power[SLOW] = _slow_waves(power)
    full = np.fft.fftshift(np.fft.ifft2(power).real)
    middle = BLOCK // 2
    part = full[middle - CORRELATED : middle + CORRELATED + 1, middle - CORRELATED : middle + CORRELATED + 1]
    return part / max(part[CORRELATED, CORRELATED], 1e-20)


def _filtered(white: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """White noise (TILE, TILE) given an autocorrelation, periodic, unit variance."""
    kernel = np.zeros((TILE, TILE))
    kernel[: 2 * CORRELATED + 1, : 2 * CORRELATED + 1] = correlation
    spectrum = np.fft.rfft2(np.roll(kernel, (-CORRELATED, -CORRELATED), (0, 1))).real
    made = np.fft.irfft2(np.fft.rfft2(white) * np.sqrt(np.maximum(spectrum, 0)), s=white.shape)
    return made / made.std()


def _repeats(shift: int, length: int) -> list[tuple[slice, slice]]:
    """One axis covered by copies of the pattern: (slice of the picture, slice of the pattern)."""
    starts = np.unique(np.clip(np.arange(-(shift % TILE), length, TILE), 0, None))
    ends = [*starts[1:], length]
    return [(slice(a, b), slice((a + shift) % TILE, (a + shift) % TILE + b - a)) for a, b in zip(starts, ends)]


def _still_squares(before, after) -> tuple[np.ndarray, np.ndarray]:
    (one, coarse_one), (two, coarse_two) = before, after
    difference = (two - one) / np.float32(np.sqrt(2))
    change = cv2.boxFilter(np.square(coarse_two - coarse_one).max(-1), -1, (BLOCK, BLOCK))
    fine = cv2.boxFilter(np.square(difference).max(-1), -1, (BLOCK, BLOCK))
    corners = _corners(change.shape, (change < STILL**2) | (change < STILL_SHARE * fine))
    return _cut(difference, corners), _levels(coarse_two, corners)


def _smooth_squares(frame: np.ndarray, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slope = cv2.magnitude(
        cv2.Sobel(coarse, cv2.CV_32F, 1, 0, ksize=1, scale=0.5), cv2.Sobel(coarse, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    ).max(-1)
    mean = cv2.boxFilter(slope, -1, (BLOCK, BLOCK))
    fine = cv2.boxFilter(np.square(frame - coarse).max(-1), -1, (BLOCK, BLOCK))
    corners = _corners(slope.shape, (mean < SMOOTH) | (mean**2 < SMOOTH_SHARE * fine))
    if not len(corners):
        return _cut(frame, corners), _levels(coarse, corners)
    half = BLOCK // 2
    roughness, levels = mean[corners[:, 0] + half, corners[:, 1] + half], _levels(coarse, corners)
    places = np.clip((levels * BINS).astype(int), 0, BINS - 1)
    kept = np.zeros(len(corners), bool)
    for one in np.unique(places):
        here = places == one
        kept |= here & (roughness <= np.quantile(roughness[here], FLATTEST))
    return _cut(frame, corners[kept]), levels[kept]


def _corners(shape: tuple[int, int], allowed: np.ndarray) -> np.ndarray:
    """(n, 2) top, left of the squares on a regular grid whose middle is allowed."""
    half = BLOCK // 2
    grid = np.mgrid[0 : shape[0] - BLOCK + 1 : STRIDE, 0 : shape[1] - BLOCK + 1 : STRIDE].reshape(2, -1).T
    return grid[allowed[grid[:, 0] + half, grid[:, 1] + half]] if len(grid) else grid


def _cut(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    squares = [image[y : y + BLOCK, x : x + BLOCK] for y, x in corners]
    return np.stack(squares) if squares else np.zeros((0, BLOCK, BLOCK, 3), np.float32)


def _levels(coarse: np.ndarray, corners: np.ndarray) -> np.ndarray:
    half = BLOCK // 2
    return coarse[corners[:, 0] + half, corners[:, 1] + half] @ TO_YCC[0]
