"""The loop of one worker: takes work, has it done, says what became of it, until nothing is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import Cancelled
from ..video.segments import Segment
from .failures import is_transient, said
from .job import Job
from .opened import BrokenSegments
from .records import LeaseLost, Task
from .state import State
from .targets import identities, is_ours, on_same_disk, place

IDLE = 0.2  # seconds between two looks for work


@dataclass(frozen=True)
class Patience:
    """retries: of work that may succeed another time; wait: seconds before the first, doubled each time."""

    retries: int = 3
    wait: float = 5.0

    def before(self, attempt: int) -> float:
        """Seconds before a retry, by the number of attempts before it."""
        return self.wait * 2**attempt


class WorkerDied(Exception):
    """Raised by a performer that is elsewhere when the process that does its work is no more."""


class Worker:
    """Works with one state, one performer (see `Performer`) and one status in one thread.

    `stopped`: a function that says whether to stop; the work at hand is then given back.
    """

    def __init__(self, state: State, name: str, performer, patience: Patience = Patience(), stopped=lambda: False):
        self.state, self.name, self.performer, self.patience, self.stopped = state, name, performer, patience, stopped
        self._last: tuple[str, int] | None = None

    def run(self) -> None:
        """Until all jobs are settled, or `stopped` says so. Raises `LeaseLost` where this worker was counted as gone, and what
        keeps the state from being written, as a full disk."""
        while not self.stopped():
            if not self.step():
                if self.state.settled():
                    return
                time.sleep(IDLE)

    def step(self) -> bool:
        """Do one piece of work; whether there was one."""
        task = self.state.claim(self.name, self._last) if self.performer.ready() else None
        if task is None:
            return False
        self._last = None
        try:
            self._do(task)
        except LeaseLost:
            raise
        except Cancelled:
            self.state.released(task, self.name)
        except BrokenSegments as error:
            if task.attempts >= self.patience.retries:
                self.state.failed(task, self.name, said(error), None)
            else:
                self.state.broken(task, self.name)
        except WorkerDied as error:
            self.state.failed(task, self.name, str(error), self._wait(task))
        except Exception as error:  # a job's failure is reported, and is no end of the batch
            self.state.failed(task, self.name, said(error), self._wait(task) if is_transient(error) else None)
            self.performer.close()
        return True

    def _wait(self, task: Task) -> float | None:
        return self.patience.before(task.attempts) if task.attempts < self.patience.retries else None

    def _do(self, task: Task) -> None:
        begun = time.monotonic()

        def seconds() -> float:
            return time.monotonic() - begun

        if task.kind == "share":
            self.performer.share(task.spec, task.node)
            self.state.shared(task, self.name, seconds())
        elif task.kind == "open":
            segments = [Segment(*one) for one in self.performer.open(task.spec)]
            self.state.opened(task, self.name, segments, seconds())
            self._last = (task.job, -1)
        elif task.kind == "segment":
            adopted = self.performer.render(task.spec, task.number)
            self.state.rendered(task, self.name, seconds(), adopted)
            self._last = (task.job, task.number)
        else:
            self._finish(task, seconds)

    def _finish(self, task: Task, seconds) -> None:
        job, ours = Job.of_text(task.spec), self.state.outputs_of(task.job)
        if ours and all(is_ours(target, ours) for target in ours) and set(ours) >= set(job.outputs):
            # They got their names before the last run's end; only the note of it is missing.
            self.state.placed(task, self.name, lambda: None, seconds())
        else:
            done = self.performer.finish(task.spec)
            staged = on_same_disk(done["staged"])
            self.state.placing(task, self.name, identities(staged), done["notes"], done["thumbnails"])
            self.state.placed(task, self.name, lambda: place(staged, job.overwrite, ours), seconds())
        self.performer.forget(task.job)


def batch_folder(folder: Path) -> Path:
    """The state's own folder in a folder of outputs."""
    return folder / ".lpd-batch"
