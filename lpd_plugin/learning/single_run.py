"""A training that one process makes in a folder: what the smaller networks' trainings share. Several processes:
training_loop.py."""

from __future__ import annotations

import math
import time
from pathlib import Path

from ..errors import Cancelled, WorkFailed
from ..progress import Progress
from .stopping import StopRequest
from .training_log import TrainingLog


class SingleRun:
    """Steps with a log, checkpoints, and an end that can be gone on from.

    Who inherits sets `config` (steps, log_steps, checkpoint_minutes), `folder`, `step` and `seconds`, and has `train_step` (counts
    `step` up, returns losses by name) and `save`. LABEL says what is done, COLUMNS what the log holds.
    """

    LABEL = "training"
    COLUMNS: tuple[str, ...] = ("loss",)

    folder: Path
    step: int
    seconds: float  # of training, over all the times that the run was gone on with

    def run(self, progress: Progress | None = None) -> None:
        """Train up to config.steps.

        Raises `Cancelled` once the checkpoint is written, after SIGTERM or Ctrl-C; `WorkFailed` where a loss stops being a
        number: the checkpoint before stays as it is.
        """
        config, progress = self.config, progress or Progress()
        self.folder.mkdir(parents=True, exist_ok=True)
        log, bar = TrainingLog(self.folder, list(self.COLUMNS), self.step), progress.task(self.LABEL, config.steps)
        with StopRequest() as stop, log, bar as task:
            task.done, losses, saved = self.step, [], time.monotonic()
            while self.step < config.steps:
                began = time.monotonic()
                losses.append(self._finite(self.train_step()))
                self.seconds += time.monotonic() - began
                last = self.step == config.steps or stop.asked
                if self.step % config.log_steps == 0 or last:
                    means = {name: sum(each[name] for each in losses) / len(losses) for name in losses[0]}
                    progress.note(log.row(self.step, self.seconds, None, means | self.measured()))
                    losses.clear()
                self.look(last)
                if last or time.monotonic() - saved > 60 * config.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
                if stop.asked and self.step < config.steps:
                    raise Cancelled(f"stopped at step {self.step} of {config.steps}; the same command goes on from there")
                task.advance()

    def _finite(self, losses: dict[str, float]) -> dict[str, float]:
        for name, value in losses.items():
            if not math.isfinite(value):
                raise WorkFailed(
                    f"The loss '{name}' is not a number any more at step {self.step}: the last checkpoint is kept; go on from "
                    "it with a lower rate."
                )
        return losses

    def train_step(self) -> dict[str, float]:
        """One step; counts `step` up and returns the losses by name."""
        raise NotImplementedError

    def save(self) -> None:
        """Write the checkpoint; raises `BadInput` if it cannot be written, and the one before stays."""
        raise NotImplementedError

    def measured(self) -> dict[str, float]:
        """What else a row of the log holds, by name."""
        return {}

    def look(self, last: bool) -> None:
        """Pictures to look at, where they are due."""
