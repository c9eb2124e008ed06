"""A performance: pose descriptors with their timestamps."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, fields, replace

import numpy as np

from ..errors import BadInput
from ..networks.model import ReenactmentModel
from ..progress import Progress
from ..video.clip import Clip
from ..video.track import Track
from ..whole_files import written_whole
from .crops import batches, encode_crops, head_crops, reading_ahead
from .heads import END_POLICIES
from .performance.parts import DescriptorParts, parts_of
from .rest import rest_of

MAX_BRIDGED = 1.0  # seconds without a head that interpolation may bridge


@dataclass(frozen=True)
class Pose:
    """N moments of a performance for one set of weights.

    times (N,) float64 seconds, ascending; descriptors (N, D) float32; present (N,) bool: where the driver's
    head was seen. duration: seconds, at least the last time plus one frame. weights: digest of the model file.
    """

    times: np.ndarray
    descriptors: np.ndarray
    present: np.ndarray
    duration: float
    weights: str
    source_times: np.ndarray | None = None  # (N,) where in the driving clip each moment was; None = times
    parts: DescriptorParts | None = None  # what the numbers mean, where that is known

    @property
    def moments(self) -> np.ndarray:
        """(N,) seconds in the driving clip that each descriptor came from."""
        return self.times if self.source_times is None else self.source_times

    def __len__(self) -> int:
        return len(self.times)

    def save(self, path: str | os.PathLike) -> None:
        """Write an .npz file, whole or not at all."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) is not None}
        if self.parts is not None:
            values["parts"] = self.parts.latent_of_face
        with written_whole(path) as part, open(part, "wb") as file:
            np.savez_compressed(file, **{name: np.asarray(value) for name, value in values.items()})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Pose":
        """Read what `save` wrote. Raises `BadInput` for a missing, damaged or foreign file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {one.name: file[one.name] if one.name in file else None for one in fields(cls)}
            values |= {"duration": float(values["duration"]), "weights": str(values["weights"])}
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path} is not a saved performance: {error}.") from error
        if any(values[name] is None for name in ("times", "descriptors", "present")):
            raise BadInput(f"{path} is not a saved performance: it has no times, descriptors or presence.")
        if values["parts"] is not None:
            values["parts"] = DescriptorParts(values["parts"])
        return cls(**values)

    def fingerprint(self) -> str:
        """Hex digest of the numbers, the moments and the weights."""
        digest = hashlib.sha256(f"{self.weights} {self.duration!r}".encode())
        for array in (self.times, self.descriptors, self.present):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def reversed(self) -> "Pose":
        """The performance played backwards, over the same duration."""
        last = self.times[-1] if len(self) else 0.0
        return replace(
            self, times=(last - self.times[::-1]).copy(), descriptors=self.descriptors[::-1].copy(),
            present=self.present[::-1].copy(), source_times=self.moments[::-1].copy(),
        )  # fmt: skip

    def sampled(self, times: np.ndarray, end_policy: str) -> "Pose":
        """The performance at other moments: descriptors interpolate linearly between neighbours.

        times (M,) float64 seconds from the start. `end_policy` says what follows the end (see heads.py).
        A moment is present where the nearest seen neighbours on both sides are less than a second apart.
        Raises `BadInput` for an unknown policy or an empty performance.
        """
        if end_policy not in END_POLICIES:
            raise BadInput(f"Unknown end policy '{end_policy}'; choose one of: {', '.join(END_POLICIES)}.")
        if not self.present.any():
            raise BadInput("The driving performance shows no head in any frame; choose another driving clip.")
        wanted, alive = folded(np.asarray(times, np.float64), self.duration, float(self.times[-1]), end_policy)
        seen = np.flatnonzero(self.present)
        right = np.searchsorted(self.times[seen], wanted)
        before, after = seen[np.clip(right - 1, 0, len(seen) - 1)], seen[np.clip(right, 0, len(seen) - 1)]
        gap = self.times[after] - self.times[before]
        weight = np.clip(np.divide(wanted - self.times[before], gap, out=np.zeros_like(wanted), where=gap > 0), 0, 1)
        mixed = (1 - weight)[:, None] * self.descriptors[before] + weight[:, None] * self.descriptors[after]
        # Outside the first and last seen moment the nearest one counts, if it is near.
        reach = np.maximum(np.abs(wanted - self.times[before]), np.abs(wanted - self.times[after]))
        bridged = np.where(gap > 0, gap, reach) < MAX_BRIDGED
        if end_policy == "hold":
            bridged |= wanted >= self.times[seen[-1]]
        source = (1 - weight) * self.moments[before] + weight * self.moments[after]
        there = alive & bridged
        descriptors = mixed.astype(np.float32)
        return replace(
            self, times=np.asarray(times, np.float64), descriptors=descriptors, present=there, source_times=source
        )


def folded(times: np.ndarray, duration: float, last: float, policy: str) -> tuple[np.ndarray, np.ndarray]:
    """Moments mapped into the performance, and whether there is a performance at each."""
    if policy == "loop":
        return np.mod(times, duration), np.ones(len(times), bool)
    if policy == "ping-pong":
        period = max(last, 1e-9)
        phase = np.mod(times, 2 * period)
        return np.where(phase <= period, phase, 2 * period - phase), np.ones(len(times), bool)
    # A moment within the last frame's own duration still belongs to the performance.
    alive = times < duration - 1e-9 if policy == "trim" else np.ones(len(times), bool)
    return np.minimum(times, last), alive


def encode_pose(model: ReenactmentModel, clip: Clip, track: Track, progress: Progress | None = None) -> Pose:
    """The pose descriptors of a tracked driving clip, streamed in micro-batches, less how the driver's mouth is at rest
    (rest.py).

    Present is where the head is tracked and what drives sees a face in it. Raises `BadInput` if that is nowhere, or what
    the weights' pose descriptor needs is missing.
    """
    progress = progress or Progress()
    if not track.present.any():
        raise BadInput(f"No head was found in the driving clip {clip.describe()}; choose another, or set a box by hand.")
    count = len(track)
    descriptors = np.zeros((count, model.configuration.descriptor_size), np.float32)
    present = np.zeros(count, bool)

    def read(batch: tuple[list[int], np.ndarray]) -> tuple[list[int], np.ndarray]:
        return batch[0], encode_crops(model, batch[1])

    crops = progress.track(head_crops(clip, track), "reading the performance", count)
    seen = ((index, crop) for index, crop in enumerate(crops) if crop is not None and index < count)
    with reading_ahead(model) as ahead:
        for rows, values in ahead(read, batches(seen)):
            present[rows] = np.isfinite(values).all(1)
            descriptors[rows] = np.where(present[rows, None], values, 0)
    if not present.any():
        source = model.configuration.pose_source
        raise BadInput(f"The pose descriptor '{source}' sees no face in {clip.describe()}; choose another driving clip.")
    descriptors[present] -= rest_of(model, descriptors[present])
    duration, parts = _duration(clip, track), parts_of(model)
    return Pose(track.times.copy(), descriptors, present, duration, model.digest, parts=parts)


def _duration(clip: Clip, track: Track) -> float:
    frame = 1 / float(clip.info.rate) if clip.info.rate else 0.04
    return float(track.times[-1]) + frame
