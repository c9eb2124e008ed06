"""Nobody is judged by who was trained on them, unless that is asked for and said."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import BadInput
from ..learning.data.splits import TRAIN, person_mark
from ..weights.files import weights_info
from .subjects import Subject


def require_not_trained(split: str, persons: list[str], subjects: Iterable[Subject], allowed: bool) -> list[str]:
    """Sentences to stand in the report about who was trained on.

    Raises `BadInput`, unless `allowed`, for the split that is trained on, and for weights whose metadata names one of the
    persons among those they were trained on.
    """
    reasons, silent = [], []
    if split == TRAIN:
        reasons.append(f"Persons of split '{TRAIN}' were trained on: they look better than others would.")
    for weights in dict.fromkeys(subject.weights for subject in subjects):
        marks = set(weights_info(weights).training.get("persons", []))
        known = [person for person in persons if person_mark(person) in marks]
        if known:
            reasons.append(f"{weights} was trained on {', '.join(known)}: they look better than others would.")
        elif not marks:
            silent.append(f"{weights} does not say whom it was trained on; that it was nobody of split '{split}' is trusted.")
    if reasons and not allowed:
        raise BadInput(f"{reasons[0]} Choose another split or other weights, or add --trained.")
    return reasons + (silent if split != TRAIN else [])
