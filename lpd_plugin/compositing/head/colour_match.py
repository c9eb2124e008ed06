"""Bring the generated head's colours to the footage's: exposure, tint and contrast of the face, followed over time.

The change is made in OKLab. Exposure and tint are a linear map there that keeps black black, so hair is not lifted;
contrast and the spread of hues are brought over by the linear Monge-Kantorovitch map between covariances (Pitie and
Kokaram 2007; means and deviations alone: Reinhard et al. 2001), which fades out for colours that the face does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from .oklab import from_oklab, to_oklab

Probe = tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]

MOST_PROBES = 24
WORKING_SIDE = 128  # pixels; crops are measured at this size, where grain and sharpness hardly count
LARGEST_GAIN = 1.8  # of lightness: 2.5 stops of light
LARGEST_TINT = 0.15  # chroma over lightness
LARGEST_CONTRAST = 1.35
# Changes over time this small come from pose and expression rather than from light; larger ones are followed.
POSE_NOISE = np.array([0.06, 0.012, 0.012])
SMOOTHING = 1.0  # seconds, sigma
FACE_AXES = (0.19, 0.26)  # of the square's side: the inside of the face, with little hair and no background
MIDDLE_AXES = (0.12, 0.15)  # cheeks and nose, from which the face's colour is first guessed
FACE_REACH = 3.0  # deviations from the face's colour at which half of the change of contrast is left
MEDIAN_DISTANCE = 2.366  # of three normal coordinates from their mean, squared, in deviations
FARTHEST = 16.0  # ... beyond which a colour is not the face's
NOISE_FLOOR = 0.006  # OKLab units; deviations below are grain and coding, not the face


@dataclass(frozen=True)
class ColourTransfer:
    """What brings generated colours to the footage's at any moment of a clip; see `measure_transfer`.

    times (K,) seconds, ascending; changes (K, 3): logarithm of the gain of lightness, and what is added to a / L and
    b / L; centre (3,) and whitening (3, 3): the generated face's colours, whitening @ (lab - centre) has unit
    covariance; contrast (3, 3): what the deviations from the centre are multiplied by.
    """

    times: np.ndarray
    changes: np.ndarray
    centre: np.ndarray
    whitening: np.ndarray
    contrast: np.ndarray

    def change_at(self, time: float) -> np.ndarray:
        """(3,) at a moment, seconds: averaged smoothly, and the same wherever rendering starts."""
        return _average(self.times, self.changes, time)

    def apply(self, rgb: np.ndarray, time: float, strength: float = 1.0) -> np.ndarray:
        """rgb float32 (h, w, 3), clipped to 0..1; `time` of the frame in seconds; strength 0 (nothing) to 1."""
        change = strength * self.change_at(time)
        contrast = strength * (self.contrast - np.eye(3))
        if max(np.abs(change).max(), np.abs(contrast).max()) < 1e-4:
            return rgb
        lab = to_oklab(rgb)
        # Mahalanobis distance from the face's colours, squared, in units of FACE_REACH.
        whitened = _affine(lab, self.whitening / FACE_REACH, self.centre)
        fading = 1 / (1 + cv2.transform(whitened * whitened, np.ones((1, 3), np.float32)))
        lab += _affine(lab, contrast, self.centre) * fading.reshape(*lab.shape[:2], 1)
        return from_oklab(cv2.transform(lab, _exposure(change).astype(np.float32)))


def measure_transfer(probes: Iterable[Probe]) -> ColourTransfer | None:
    """From moments, ascending: (seconds, footage crop, its person's matte, generated crop, its matte).

    None where no moment shows a face in both. Crops are rgb float32 (S, S, 3) of head squares, mattes (S, S); footage
    and head may have different S. The two faces of a moment need not have the same pose. Colours are measured inside
    the face; what differs from most of it (mouth, eyes, glasses, highlights, hair, a hand) counts little. All is
    bounded, and single odd moments are dropped.
    """
    times, changes, centres, spreads, wanted = [], [], [], [], []
    for time, footage, footage_matte, generated, generated_matte in probes:
        real, made = face_colours(footage, footage_matte), face_colours(generated, generated_matte)
        if real is None or made is None:
            continue
        change = _change(real[0], made[0])
        back = np.linalg.inv(_exposure(change))
        times.append(float(time))
        changes.append(change)
        centres.append(made[0])
        spreads.append(made[1])
        wanted.append(back @ real[1] @ back.T)
    if not times:
        return None
    times = np.array(times)
    spread = _middle(spreads)
    return ColourTransfer(
        times,
        _followed(times, np.array(changes)),
        np.median(centres, 0),
        np.linalg.inv(np.linalg.cholesky(spread)),
        _between(spread, _middle(wanted)),
    )


def probe_frames(times: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Numbers of the frames to measure at: about one a second of those with a head, 3 to MOST_PROBES, ascending."""
    seen = np.flatnonzero(present)
    if not len(seen):
        return seen
    count = int(np.clip(round(float(times[seen[-1]] - times[seen[0]])) + 1, 3, MOST_PROBES))
    return np.unique(seen[np.linspace(0, len(seen) - 1, count).round().astype(int)])


def face_colours(rgb: np.ndarray, matte: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean (3,) and covariance (3, 3) in OKLab of the face in a head square; None where too little of it shows.

    A multivariate S-type estimate (Tukey's biweight, scaled by the median distance; Maronna et al. 2006, ch. 6),
    begun at the median of the face's middle: up to a third of other colours does not move it far.
    """
    side = WORKING_SIDE
    rgb, matte = (cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in (rgb, matte))
    solid = cv2.erode(matte, np.ones((5, 5), np.uint8)) > 0.9
    solid &= (rgb.max(2) < 0.99) & (rgb.max(2) > 0.01)  # clipped light, and nothing at all, have no colour
    inside, middle = solid & _ellipse(side, FACE_AXES), solid & _ellipse(side, MIDDLE_AXES)
    if middle.sum() < 0.01 * side * side:
        return None
    lab = to_oklab(rgb)
    colours, mean = lab[inside].astype(np.float64), np.median(lab[middle], 0).astype(np.float64)
    spread = np.diag(np.maximum(np.median(np.abs(colours - mean), 0), NOISE_FLOOR) ** 2)
    for _ in range(10):
        away = colours - mean
        distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(spread), away)
        distance *= MEDIAN_DISTANCE / max(np.median(distance), 1e-9)
        weight = np.clip(1 - distance / FARTHEST, 0, None) ** 2
        mean = (weight[:, None] * colours).sum(0) / weight.sum()
        away = colours - mean
        spread = (weight[:, None] * away).T @ away / weight.sum() + np.eye(3) * NOISE_FLOOR**2
    return mean, spread


def _change(real: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Gain and tint that bring one colour to another, bounded."""
    gain = np.clip(np.log(real[0] / made[0]), -np.log(LARGEST_GAIN), np.log(LARGEST_GAIN))
    tint = np.clip(real[1:] / real[0] - made[1:] / made[0], -LARGEST_TINT, LARGEST_TINT)
    return np.concatenate([[gain], tint])


def _exposure(change: np.ndarray) -> np.ndarray:
    """(3, 3) in OKLab: L' = g L, a' = g (a + tint_a L), b' = g (b + tint_b L)."""
    matrix = np.eye(3)
    matrix[1:, 0] = change[1:]
    return np.exp(change[0]) * matrix


def _followed(times: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Changes (K, 3) made smooth: single outliers gone, and all drawn to their median where the largest of them is
    no larger than poses make them."""
    if len(changes) >= 5:
        padded = np.concatenate([changes[:1], changes, changes[-1:]])
        changes = np.median([padded[:-2], padded[1:-1], padded[2:]], 0)
    changes = np.array([_average(times, changes, time) for time in times])
    middle = np.median(changes, 0)
    largest = np.abs(changes - middle).max(0)
    return middle + (changes - middle) * largest**4 / (largest**4 + POSE_NOISE**4)


def _average(times: np.ndarray, changes: np.ndarray, time: float) -> np.ndarray:
    """Gaussian average (3,) of changes (K, 3) around a moment, as wide as the probes are apart."""
    spacing = np.median(np.diff(times)) if len(times) > 1 else 0.0
    distance = (times - time) / max(SMOOTHING, 0.75 * spacing)
    weight = np.exp(-0.5 * (distance**2 - (distance**2).min()))
    return (weight[:, None] * changes).sum(0) / weight.sum()


def _middle(spreads: list[np.ndarray]) -> np.ndarray:
    """The median covariance (3, 3), element by element, kept positive."""
    values, directions = np.linalg.eigh(np.median(spreads, 0))
    return (directions * np.maximum(values, NOISE_FLOOR**2)) @ directions.T


def _between(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The Monge-Kantorovitch map of one covariance onto another, its stretches bounded: symmetric (3, 3)."""
    root = _power(own, 0.5)
    back = _power(own, -0.5)
    stretches, directions = np.linalg.eigh(back @ _power(root @ wanted @ root, 0.5) @ back)
    return (directions * np.clip(stretches, 1 / LARGEST_CONTRAST, LARGEST_CONTRAST)) @ directions.T


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def _affine(lab: np.ndarray, matrix: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """matrix @ (lab - centre) for every pixel."""
    return cv2.transform(lab, np.column_stack([matrix, -matrix @ centre]).astype(np.float32))


def _ellipse(side: int, axes: tuple[float, float]) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), tuple(round(axis * side) for axis in axes), 0, 0, 360, 1, -1)
    return mask > 0
