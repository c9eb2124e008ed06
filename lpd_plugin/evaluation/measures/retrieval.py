"""Whether descriptors of the same pose lie near each other, whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COUNTS = (10, 20, 50, 100)
# Where a pose class ends and the next begins: yaw and pitch in degrees, jaw opening and smile as shares of a blendshape.
YAW, PITCH, JAW, SMILE = (-8.0, 8.0), (-6.0, 6.0), (0.15,), (0.3,)


@dataclass(frozen=True)
class Retrieval:
    """Shares in [0, 1] by the number N of nearest frames looked at: of the same pose class found; found by chance; and
    the most that could be found, since a class may have fewer frames than N."""

    accuracy: dict[int, float]
    chance: float
    possible: dict[int, float]
    queries: int


def pose_classes(yaw: np.ndarray, pitch: np.ndarray, jaw: np.ndarray, smile: np.ndarray) -> np.ndarray:
    """(N,) int: one of 3 x 3 x 2 x 2 classes of each frame, from (N,) angles in radians and blendshapes in [0, 1].

    In place of Multi-PIE's cameras and acted expressions: three turns, three nods, mouth shut or open, smiling or not.
    """
    classes = np.zeros(len(yaw), int)
    for values, edges in ((np.rad2deg(yaw), YAW), (np.rad2deg(pitch), PITCH), (jaw, JAW), (smile, SMILE)):
        classes = classes * (len(edges) + 1) + np.digitize(values, edges)
    return classes


def retrieval(descriptors: np.ndarray, classes: np.ndarray, persons: np.ndarray) -> Retrieval | None:
    """Every frame asks for the N frames of other persons that are nearest to it; how many are of its pose class.

    descriptors (M, D), classes (M,) int, persons (M,) of any kind. The paper's pose-based retrieval (section 4.3):
    accuracy(N) = mean over queries of (frames of the query's class among the N with the largest cosine) / N. Before,
    every number is brought to mean 0 and spread 1 over all frames, so that angles and shares count alike. Where fewer
    than N frames are of other persons, all of them are taken. None with fewer than two persons.
    """
    if len(np.unique(persons)) < 2:
        return None
    unit = standardised(descriptors)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    hits = {count: [] for count in COUNTS}
    possible, chance = {count: [] for count in COUNTS}, []
    for person in np.unique(persons):  # a person's queries at a time: M x M would not fit for many
        own, others = persons == person, np.flatnonzero(persons != person)
        order = np.argsort(-(unit[own] @ unit[others].T).round(12), axis=1, kind="stable")[:, : max(COUNTS)]
        same = classes[others][order] == classes[own][:, None]
        there = (classes[others][None] == classes[own][:, None]).sum(1)
        chance.append(there / len(others))
        for count in COUNTS:
            looked = min(count, len(others))
            hits[count].append(same[:, :looked].mean(1))
            possible[count].append(np.minimum(there, looked) / looked)
    return Retrieval(
        {count: float(np.concatenate(hits[count]).mean()) for count in COUNTS},
        float(np.concatenate(chance).mean()),
        {count: float(np.concatenate(possible[count]).mean()) for count in COUNTS},
        len(classes),
    )


def standardised(descriptors: np.ndarray) -> np.ndarray:
    """(M, D) float64 with mean 0 and spread 1 of every number that varies; one that does not becomes 0, and so does a row
    that is NaN because no face was seen: like nothing and nobody."""
    values = np.asarray(descriptors, np.float64)
    known = np.isfinite(values).all(1)
    centred = values - values[known].mean(0) if known.any() else values
    spread = centred[known].std(0) if known.any() else np.zeros(values.shape[1])
    scaled = np.where(spread > 1e-9, centred / np.maximum(spread, 1e-9), 0.0)
    return np.where(known[:, None], scaled, 0.0)
