"""A driver's own face at rest: lips that hardly meet, a long chin or narrow eyes are how somebody looks and not what somebody does.

The face reader measures everybody against everybody, and some of that it reads as a mouth that is never closed, or never opens, and
as eyes that are half shut. A performance is a whole clip of one person, whose most closed mouth and most open eyes say how much.
"""

from __future__ import annotations

import numpy as np

from ..networks.face_reader import OPENED
from ..networks.model import ReenactmentModel

# Of numbers that are read: the quantile over a clip's frames that counts as rest, and that of the weights' bank of poses which is
# as people usually are then. Of mouths, the median over training people; of eyes, the same quantile of both.
USUAL, WIDE = 1 / 6, 0.9
AT_REST = {name: (0.05, USUAL) for name in OPENED} | {"eyes open": (WIDE, WIDE)}
TAKEN = 0.5  # share of the difference: the rest of it may be a mouth that is open all the time, or eyes that are half shut
FEW = 4  # frames at which half of that is believed
FARTHEST = 1.5  # spreads that are taken out at most


def rest_of(model: ReenactmentModel, descriptors: np.ndarray) -> np.ndarray:
    """What a driver's face at rest adds to pose descriptors, (D,) float32: of the numbers AT_REST, how far a quantile of
    `descriptors` (N, D) lies from what is usual, in part; 0 for all others, and for weights that read no faces.

    Rows with NaN, in which no face was seen, do not count.
    """
    rest = np.zeros(model.configuration.descriptor_size, np.float32)
    seen = descriptors[np.isfinite(descriptors).all(1)]
    if not model.reads_faces or not len(seen) or not len(model.pose_bank):
        return rest
    for column, (of_clip, of_bank) in zip(model.columns_of(list(AT_REST)), AT_REST.values()):
        apart = np.quantile(seen[:, column], of_clip) - np.quantile(model.pose_bank[:, column].float().cpu().numpy(), of_bank)
        rest[column] = np.clip(TAKEN * len(seen) / (len(seen) + FEW) * apart, -FARTHEST, FARTHEST)
    return rest
