"""The long way from one step to the next: logging, validating, contact sheets, checkpoints, stopping."""

from __future__ import annotations

import contextlib
import math
import time

import torch

from ..errors import Cancelled, WorkFailed
from ..progress import Progress, Task
from ..whole_files import write_png
from .contact_sheet import training_sheet
from .stopping import StopRequest
from .training_log import TrainingLog
from .validation import MEASURES, held_out_measures


class TrainingLoop:
    """Runs a `MetaLearning` up to its last step, in every process that shares it."""

    def __init__(self, run, progress: Progress | None = None):
        self.learning, self.config, self.processes = run, run.config, run.processes
        self.progress = (progress or Progress()) if run.processes.first else Progress()
        self.sums: dict[str, torch.Tensor] = {}
        self.summed = 0
        self.clock = time.monotonic()

    def run(self) -> None:
        """Raises `Cancelled` after SIGTERM, Ctrl-C or the host's cancelling, once the checkpoint is written; `WorkFailed`
        where a loss stops being a number: the checkpoint before stays as it is."""
        learning, config = self.learning, self.config
        learning.folder.mkdir(parents=True, exist_ok=True)
        with StopRequest() as stop, self._log() as log, self.progress.task("training", config.steps) as task:
            task.done = learning.step
            saved = self.clock = time.monotonic()
            while learning.step < config.steps:
                self._add(learning.step_once())
                last = learning.step == config.steps
                if learning.step % config.log_steps == 0 or last:
                    self._report(log)
                if self.processes.first:
                    self._look(log, last)
                stopping = self.processes.any(_advanced(task) or stop.asked)
                if stopping or last or time.monotonic() - saved > 60 * config.checkpoint_minutes:
                    self._require_finite()
                    learning.save()
                    saved = time.monotonic()
                if stopping and not last:
                    raise Cancelled(
                        f"stopped at step {learning.step} of {config.steps}; the same command goes on from there"
                    )

    def _log(self):
        if not self.processes.first:
            return contextlib.nullcontext()
        names = [*self.config.loss_weights(), "discriminator"] + (list(MEASURES) if self.learning.held_out else [])
        return TrainingLog(self.learning.folder, names, self.learning.step, self.config.tensorboard)

    def _add(self, terms: dict[str, torch.Tensor]) -> None:
        """Sum on the device: reading a number off it would make it wait at every step."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.summed += 1

    def _report(self, log: TrainingLog | None) -> None:
        """A row of the log: means over the steps since the last one, and their speed."""
        names, steps = list(self.sums), self.summed
        means = self.processes.mean(torch.stack([self.sums[name] for name in names]) / steps).tolist()
        self._require_finite(dict(zip(names, means)))
        now = time.monotonic()
        elapsed, self.clock = now - self.clock, now
        self.learning.seconds += elapsed
        self.sums, self.summed = {}, 0
        if log is not None:
            samples = steps * self.config.micro_batches * self.config.videos * self.config.targets
            line = log.row(self.learning.step, self.learning.seconds, samples / elapsed, dict(zip(names, means)))
            self.progress.note(line)

    def _require_finite(self, values: dict | None = None) -> None:
        """Never put weights that are lost over a checkpoint that is not."""
        for name, value in (self.sums if values is None else values).items():
            if not math.isfinite(float(value)):
                raise WorkFailed(
                    f"The loss '{name}' is not a number any more at step {self.learning.step}: the last checkpoint is kept; "
                    "go on from it with a lower rate or in float32."
                )

    def _look(self, log: TrainingLog, last: bool) -> None:
        """Validation and contact sheets, where they are due; the time they take is not the training's."""
        learning, config, started = self.learning, self.config, time.monotonic()
        if learning.held_out and (learning.step % config.validation_steps == 0 or last):
            measures = held_out_measures(learning.average, learning.held_out, learning.device, learning.driving)
            self.progress.note(log.row(learning.step, learning.seconds, None, measures))
            if measures["validation"] < learning.best:
                learning.best = measures["validation"]
                learning.save_best()
        if learning.step % config.sheet_steps == 0 or last:
            store = learning.held_out or learning.store
            sheet = training_sheet(learning.average, store, config.seed, learning.device, driving=learning.driving)
            (learning.folder / "sheets").mkdir(exist_ok=True)
            write_png(learning.folder / "sheets" / f"{learning.step:08d}.png", sheet)
            write_png(learning.folder / "sheet.png", sheet)
            log.picture("sheet", sheet, learning.step)
        self.clock += time.monotonic() - started


def _advanced(task: Task) -> bool:
    """Count the step; whether a host asked to stop at it."""
    try:
        task.advance()
    except Cancelled:
        return True
    return False
