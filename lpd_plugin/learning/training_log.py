"""What a training run writes about itself: a CSV table and, if asked for, TensorBoard events."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np

from ..errors import BadInput


class TrainingLog:
    """RUN/log.csv, a row per `log_steps` steps: step, seconds of training, rate in samples a second, and every value
    of `names` (empty where it was not measured). Going on at an earlier step, as after a kill, drops the
    rows behind it. `tensorboard`: the same, and pictures, as events in RUN/tensorboard.

    Raises `BadInput` where TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, names: list[str], step: int, tensorboard: bool = False):
        self.columns = ["step", "seconds", "samples_per_second", *names]
        path = folder / "log.csv"
        rows = self._rows_up_to(path, step)
        self.file = open(path, "w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, self.columns)
        self.writer.writeheader()
        self.writer.writerows(rows)
        self.file.flush()
        self.events = _events(folder / "tensorboard", step) if tensorboard else None

    def _rows_up_to(self, path: Path, step: int) -> list[dict]:
        if not path.exists():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames == self.columns:
                return [row for row in reader if row["step"].isdigit() and int(row["step"]) <= step]
        # Of other losses or of an older version: kept aside, never mixed.
        aside = next(p for n in itertools.count(1) if not (p := path.with_name(f"log-before-{n}.csv")).exists())
        path.rename(aside)
        return []

    def row(self, step: int, seconds: float, rate: float | None, values: dict[str, float]) -> str:
        """Write one row, rate None where it was not measured; returns it as a line to read."""
        row = {"step": step, "seconds": round(seconds, 1)}
        if rate is not None:
            values = {"samples_per_second": rate, **values}
        row |= {name: f"{value:.5g}" for name, value in values.items()}
        self.writer.writerow(row)
        self.file.flush()
        if self.events is not None:
            for name, value in values.items():
                self.events.add_scalar(name, value, step)
        return " ".join(f"{name} {value}" for name, value in row.items())

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """A uint8 RGB picture (H, W, 3) for TensorBoard."""
        if self.events is not None:
            self.events.add_image(name, picture, step, dataformats="HWC")

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        if self.events is not None:
            self.events.close()


def _events(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise BadInput('TensorBoard is not installed: run pip install "lpd[train]", or set tensorboard: false.') from error
    return SummaryWriter(str(folder), purge_step=step + 1)
