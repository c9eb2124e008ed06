"""Descriptors of a store's rows: computed once and kept beside the run, or a few when they are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...errors import BadInput
from ...progress import Progress
from ...weights.files import file_digest
from ...whole_files import written_whole
from ..data.store import Heads
from .registry import Describe, described

MICRO_BATCH = 16
LEAST_SPREAD = 1e-4  # of the widest number's: what hardly varies is not blown up

# Rows (N,) of a store to what a model's pose encoder takes: pictures (N, 3, S, S), or descriptors (N, D), NaN where no
# face is seen.
Driving = Callable[[Heads, np.ndarray], torch.Tensor]


@dataclass(frozen=True)
class RowPoses:
    """values (2, rows, D) float32: each row's descriptor as it is, and mirrored; NaN where no face is seen."""

    values: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """(rows,) bool: where a face is seen both ways, so that either may be shown."""
        return np.isfinite(self.values).all((0, 2))

    def of(self, rows: np.ndarray, mirrored: np.ndarray) -> torch.Tensor:
        """Rows (V, T), mirrored (V,) bool -> (V * T, D)."""
        return torch.from_numpy(self.values[mirrored.astype(int)[:, None], rows].reshape(rows.size, -1))

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation (D,) of the rows that are shown, both ways."""
        shown = self.values[:, self.seen].reshape(-1, self.values.shape[2]).astype(np.float64)
        spread = shown.std(0)
        spread = np.maximum(spread, LEAST_SPREAD * spread.max())
        return torch.from_numpy(shown.mean(0)).float(), torch.from_numpy(np.where(spread > 0, spread, 1.0)).float()


def poses_of(
    open_store: Callable[[], Heads], count: int, name: str, file: str, cache: Path, progress: Progress | None = None,
    first: bool = True,
) -> RowPoses:  # fmt: skip
    """The descriptors of all `count` rows of a store, read from `cache` (npz) if it is there, else computed and written
    there; by the `first` process, for which others wait.

    Raises `BadInput` as `described` does, where `cache` belongs to other data or another file, or no face is seen at all.
    """
    describe, digest = described(name, file), file_digest(Path(file).expanduser()) if file else ""
    while not first and not cache.exists():
        time.sleep(1)
    if cache.exists():
        with np.load(cache) as kept:
            poses, of, rows = RowPoses(kept["values"]), (str(kept["name"]), str(kept["digest"])), kept["values"].shape[1]
        if rows != count or of != (name, digest):
            what = f"{rows} pictures, the data of {count}" if rows != count else "another descriptor or file"
            raise BadInput(f"{cache} is of {what}: delete it to make it again.")
    else:
        poses = RowPoses(_computed(open_store(), count, describe, progress or Progress()))
        cache.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(cache) as temporary, open(temporary, "wb") as kept:
            np.savez_compressed(kept, values=poses.values, name=name, digest=digest)
    if not poses.seen.any():
        raise BadInput(f"The pose descriptor '{name}' sees no face in any of the {count} training heads: check their pictures.")
    return poses


def _computed(store: Heads, count: int, describe: Describe, progress: Progress) -> np.ndarray:
    values = []
    with progress.task("describing poses", count) as task:
        for rows in np.array_split(np.arange(count), max(1, -(-count // MICRO_BATCH))):
            frames, _ = store.raw(rows)
            values.append((describe(frames), describe(np.ascontiguousarray(frames[:, :, ::-1]))))
            task.advance(len(rows))
    return np.stack([np.concatenate(each) for each in zip(*values)])


def pictures_drive(store: Heads, rows: np.ndarray) -> torch.Tensor:
    """What drives the latent descriptor's encoder: the frames themselves, (N, 3, S, S) in [0, 1]."""
    return store.pictures(rows)[0]


def descriptors_drive(describe: Describe) -> Driving:
    """What drives where a registered descriptor does. The few rows that validation and sheets look at again and again
    are computed once; each store keeps its own."""
    kept: dict[tuple[int, int], np.ndarray] = {}

    def driving(store: Heads, rows: np.ndarray) -> torch.Tensor:
        new = [row for row in rows.tolist() if (id(store), row) not in kept]
        if new:
            values = describe(store.raw(np.array(new))[0])
            kept.update({(id(store), row): value for row, value in zip(new, values)})
        return torch.from_numpy(np.stack([kept[id(store), row] for row in rows.tolist()]))

    return driving


def drives(poses: torch.Tensor) -> torch.Tensor:
    """(N,) bool: where there is something to drive with, of (N, ...)."""
    return poses.isfinite().flatten(1).all(1)
