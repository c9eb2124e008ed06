"""A driver's own mouth at rest: lips that hardly meet, or a long chin, are how somebody looks and not what somebody does.

The face reader measures everybody against everybody, and some of that it reads as a mouth that is never closed, or never opens.
A performance is a whole clip of one person, whose most closed moments say how much.
"""

from __future__ import annotations

import numpy as np

from ..networks.face_reader import OPENED
from ..networks.model import ReenactmentModel

MOST_CLOSED = 0.05  # quantile over a clip's frames that counts as rest
USUAL = 1 / 6  # quantile of the weights' bank of poses that is as closed as people usually are at rest (the median over training people)
TAKEN = 0.5  # share of the difference: the rest of it may be a mouth that is open all the time
FEW = 4  # frames at which half of that is believed
FARTHEST = 1.5  # spreads that are taken out at most


def rest_of(model: ReenactmentModel, descriptors: np.ndarray) -> np.ndarray:
    """What a driver's mouth at rest adds to pose descriptors, (D,) float32: of the numbers OPENED, how far the quantile MOST_CLOSED of
    `descriptors` (N, D) lies from what is usual, in part; 0 for all others, and for weights that read no faces.

    Rows with NaN, in which no face was seen, do not count.
    """
    rest = np.zeros(model.configuration.descriptor_size, np.float32)
    seen = descriptors[np.isfinite(descriptors).all(1)]
    if not model.reads_faces or not len(seen) or not len(model.pose_bank):
        return rest
    columns = model.columns_of(OPENED)
    usual = np.quantile(model.pose_bank[:, columns].float().cpu().numpy(), USUAL, axis=0)
    apart = np.quantile(seen[:, columns], MOST_CLOSED, axis=0) - usual
    rest[columns] = np.clip(TAKEN * len(seen) / (len(seen) + FEW) * apart, -FARTHEST, FARTHEST)
    return rest
