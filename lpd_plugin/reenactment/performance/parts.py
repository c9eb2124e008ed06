"""What the numbers of a pose descriptor mean: how the head is held, and what the face does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...networks.face_reader import HELD, NAMES
from ...networks.model import ReenactmentModel

RIDGE = 0.01  # of the bank's size: numbers that hardly vary there must not explain what they cannot
LEAST_BANK = 5  # poses in the bank for each number of the face reader; fewer do not tell what belongs to what

# One unit of a movement in spreads of the face reader's numbers, with what goes along with it in the bank of poses
# (correlations of about 0.4 and more): a turned head's points lie to one side of the crop, an open mouth's middle lies lower.
# Positive: yaw to the picture's right, pitch chin down, roll clockwise. Gaze is missing: it is read, and painters do not follow it yet.
MOVEMENTS = {
    "yaw": {"yaw": -1.0, "x": 0.8},
    "pitch": {"pitch": 1.0, "y": 0.4},
    "roll": {"roll": 1.0},
    "right": {"x": 1.0},
    "down": {"y": 1.0},
    "nearer": {"size": 1.0},
    "jaw": {"lips apart": 1.0, "jaw down": 1.0, "corners up": 0.7},
    "smile": {"mouth width": 1.0, "corners up": 0.8},
    "pucker": {"lips forward": 1.0, "mouth width": -0.6},
    "blink": {"eyes open": -1.0},
    "brows": {"brows up": 1.0},
}


@dataclass(frozen=True)
class DescriptorParts:
    """A descriptor of D numbers: a latent pose, then what a face reader reads, as `networks.face_reader.NAMES`.

    latent_of_face (14, D - 14): how far the latent pose moves with each of the reader's numbers, from the weights' own
    bank of poses (ridge regression, Hoerl and Kennard 1970). What of a latent movement the numbers of the head's
    position explain belongs to the head; the rest is expression.
    """

    latent_of_face: np.ndarray

    @property
    def latent_size(self) -> int:
        return self.latent_of_face.shape[1]

    def face(self, descriptors: np.ndarray) -> np.ndarray:
        """The face reader's numbers (N, 14) of descriptors (N, D), in spreads of the training faces."""
        return descriptors[:, self.latent_size :]

    def movement(self, name: str) -> np.ndarray:
        """(D,) what one unit of a movement of MOVEMENTS adds to a descriptor. Raises KeyError for another name."""
        face = np.zeros(len(NAMES))
        for number, amount in MOVEMENTS[name].items():
            face[NAMES.index(number)] = amount
        return self._with_latent(face[None])[0]

    def amount(self, name: str, descriptors: np.ndarray) -> np.ndarray:
        """(N,) how much of a movement descriptors (N, D) show: the mean of its main numbers, in spreads."""
        main = {NAMES.index(n): np.sign(a) for n, a in MOVEMENTS[name].items() if abs(a) == 1}
        return sum(sign * self.face(descriptors)[:, n] for n, sign in main.items()) / len(main)

    def held(self, movement: np.ndarray) -> np.ndarray:
        """The share (N, D) that the head's position and turn have in movements (N, D) of descriptors."""
        face = self.face(movement).copy()
        face[:, HELD:] = 0
        return self._with_latent(face)

    def _with_latent(self, face: np.ndarray) -> np.ndarray:
        return np.concatenate((face @ self.latent_of_face, face), 1)


def parts_of(model: ReenactmentModel) -> DescriptorParts | None:
    """The parts of the descriptors that drive `model`; None for weights without a face reader, or without a bank of
    poses that is large enough to tell them apart."""
    known, bank = model.configuration, model.pose_bank.double().cpu().numpy()
    if not model.reads_faces or len(bank) < LEAST_BANK * len(NAMES):
        return None
    latent, face = np.split(bank - bank.mean(0), [known.pose_size], axis=1)
    ridge = RIDGE * len(bank) * np.eye(len(NAMES))
    return DescriptorParts(np.linalg.solve(face.T @ face + ridge, face.T @ latent))
