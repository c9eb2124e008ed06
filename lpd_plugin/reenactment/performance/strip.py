"""A few generated heads of a performance before and after it was edited."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from ...networks.model import ReenactmentModel
from ..generate import GeneratedHeads
from ..identity import Identity
from ..pose import Pose

CELL = 192  # pixels of a head's side
LABEL = 22  # pixels above a row
BACKDROP = 32  # grey level


def strip(identity: Identity, before: Pose, after: Pose, model: ReenactmentModel, moments: int = 8) -> np.ndarray:
    """uint8 RGB (H, moments * 192, 3): the identity in `before`, and below it in `after`, at moments spread evenly over
    the edited performance; a grey cell where no head is seen, or the original is over.

    Raises `BadInput` if the identity comes from other weights than `model`.
    """
    times = np.linspace(0, after.times[-1], moments)
    rows = []
    for name, pose in (("before", before), ("after", after)):
        heads = GeneratedHeads(identity, pose.sampled(times, "trim"), model)
        rows += [_labels(name, times), np.concatenate(list(cells(heads)), axis=1)]
    return np.concatenate(rows)


def cells(heads: GeneratedHeads) -> Iterator[np.ndarray]:
    """Heads on the backdrop, uint8 RGB (192, 192, 3) each; the backdrop alone where no head is seen."""
    for head in heads:
        cell = np.full((CELL, CELL, 3), BACKDROP / 255, np.float32)
        if head is not None:
            matte = head.matte[..., None]
            cell = cv2.resize(head.rgb * matte + BACKDROP / 255 * (1 - matte), (CELL, CELL), interpolation=cv2.INTER_AREA)
        yield (cell.clip(0, 1) * 255).round().astype(np.uint8)


def _labels(name: str, times: np.ndarray) -> np.ndarray:
    row = np.full((LABEL, CELL * len(times), 3), BACKDROP, np.uint8)
    for column, time in enumerate(times):
        place = (column * CELL + 4, 16)
        cv2.putText(row, f"{name}  {time:.2f} s", place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (200,) * 3, 1, cv2.LINE_AA)
    return row
