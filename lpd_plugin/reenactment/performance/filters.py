"""A performance without its jitter, and stronger or weaker than it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import BadInput
from ...video.tracking.smoothing import smoothed as line_fits
from ..pose import MAX_BRIDGED, Pose

# Amplitude is 1 / sqrt(2) at the cut-off where a Gaussian's exp(-(2 pi f sigma)^2 / 2) is: sigma = sqrt(ln 2) / (2 pi f).
SIGMA_AT_1_HZ = float(np.sqrt(np.log(2)) / (2 * np.pi))
CLOSED = 0.25  # share of the moments, those with the mouth least open, among which a neutral one is looked for
OPEN = 0.3  # share of the moments, those with the lids lowest, that are no neutral ones


def smoothed(pose: Pose, cutoff: float) -> Pose:
    """The performance low-passed at `cutoff` Hz (half the power is left there), zero-phase, so that nothing lags; 0: as
    it is.

    A Gaussian window over time, so uneven timestamps and missing moments are no matter; a straight line is fitted under
    it, which keeps a movement's direction at the ends. Absences too long to bridge end a stretch.
    Raises `BadInput` for a negative cut-off.
    """
    if cutoff < 0:
        raise BadInput(f"The smoothing's cut-off is {cutoff:g} Hz; give a frequency above 0, or 0 for no smoothing.")
    if not cutoff or not pose.present.any():
        return pose
    out, seen = pose.descriptors.copy(), np.flatnonzero(pose.present)
    for stretch in np.split(seen, np.flatnonzero(np.diff(pose.times[seen]) >= MAX_BRIDGED) + 1):
        out[stretch] = line_fits(pose.times[stretch], pose.descriptors[stretch], SIGMA_AT_1_HZ / cutoff)
    return replace(pose, descriptors=out)


def neutral_row(pose: Pose, seconds: float | None = None) -> int:
    """The row whose descriptor is the neutral one: the seen moment nearest to `seconds`, or found when None.

    Found is the moment nearest to the performance's median, over the spread of each number; where the descriptor says
    what the face does, among those with a closed mouth and open lids. Raises `BadInput` for a time after the
    performance's end, or a performance without a head.
    """
    seen = np.flatnonzero(pose.present)
    if not len(seen):
        raise BadInput("The driving performance shows no head in any frame; choose another driving clip.")
    if seconds is not None:
        if not 0 <= seconds <= pose.duration:
            raise BadInput(
                f"The neutral moment {seconds:g} s lies outside the performance, which is {pose.duration:g} s long; "
                "give a time within, or leave it empty to have one found."
            )
        return int(seen[np.argmin(np.abs(pose.times[seen] - seconds))])
    numbers = pose.descriptors[seen] if pose.parts is None else pose.parts.face(pose.descriptors[seen])
    apart = np.square((numbers - np.median(numbers, 0)) / (numbers.std(0) + 1e-6)).sum(1)
    if pose.parts is not None:
        jaw, blink = (pose.parts.amount(name, pose.descriptors[seen]) for name in ("jaw", "blink"))
        calm = (jaw <= np.quantile(jaw, CLOSED)) & (blink <= np.quantile(blink, 1 - OPEN))
        apart = np.where(calm | ~calm.any(), apart, np.inf)
    return int(seen[np.argmin(apart)])


def amplified(pose: Pose, expression: float, head: float = 1.0, neutral: float | None = None) -> Pose:
    """What the face does and how the head is held, strengthened about the neutral moment (see `neutral_row`): 1 leaves
    them, 0 freezes them, 2 doubles them.

    Where the descriptor's parts are not known `expression` strengthens everything; `BadInput` is raised for an amount of
    its own for the head.
    """
    if (expression, head) == (1.0, 1.0):
        return pose
    if pose.parts is None and head not in (1.0, expression):
        raise BadInput(
            f"These weights' descriptor does not tell the head from the face, so the head cannot have the amount {head:g} "
            "of its own; leave it at 1, and the expression's amount strengthens both."
        )
    rest = pose.descriptors[neutral_row(pose, neutral)]
    movement = pose.descriptors - rest
    held = movement * 0 if pose.parts is None else pose.parts.held(movement)
    shaped = rest + head * held + expression * (movement - held)
    return replace(pose, descriptors=np.where(pose.present[:, None], shaped, pose.descriptors).astype(np.float32))


def moved(pose: Pose, offsets: dict[str, float]) -> Pose:
    """Movements by name (see `parts.MOVEMENTS`) added throughout, in spreads of the training faces.

    Raises `BadInput` where the descriptor's parts are not known.
    """
    if not any(offsets.values()):
        return pose
    if pose.parts is None:
        raise BadInput(
            "These weights' descriptor does not say which of its numbers is which movement, so nothing can be offset; "
            "leave the offsets empty or use the embedded weights."
        )
    added = sum(amount * pose.parts.movement(name) for name, amount in offsets.items())
    return replace(pose, descriptors=(pose.descriptors + pose.present[:, None] * added).astype(np.float32))
