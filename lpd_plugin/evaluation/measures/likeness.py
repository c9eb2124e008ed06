"""Whether somebody is still who they are."""

from __future__ import annotations

import numpy as np


def mean_embedding(embeddings: np.ndarray) -> np.ndarray:
    """The unit vector (D,) along the mean of unit vectors (N, D), N >= 1: who the person is."""
    mean = np.mean(embeddings, 0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def identity_error(embeddings: np.ndarray, person: np.ndarray) -> float:
    """1 - mean cosine between generated heads' embeddings (M, D) and the person's (D,), all unit vectors.

    The paper's I_T (section 4.2): 0 is the person's mean face itself, 1 is a stranger, at most 2.
    """
    return float(1 - np.mean(np.asarray(embeddings) @ person))
