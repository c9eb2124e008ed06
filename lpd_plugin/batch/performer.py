"""Does the pieces of work that are handed out, one after the other, keeping the job open that it is at."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Cancelled
from ..graph.executor import Executor
from ..graph.node import Context
from ..progress import Progress, Task
from ..rendering import codecs  # noqa: F401  registers how results are kept on disk
from .fetching import fetched_inputs
from .job import Job
from .opened import BrokenSegments, OpenJob, segment_length
from .segment_files import SegmentFiles, remove
from .targets import check_targets
from .thumbnails import strip_of

CACHE, JOBS = "cache", "jobs"  # folders in the batch's own


@dataclass(frozen=True)
class Settings:
    """What all workers of a batch have in common. folder: the batch's own, the same for all; length: of a segment, frames;
    threads: of torch in each process, since sums may differ by them."""

    folder: str
    length: int = 120
    threads: int = 1


@dataclass
class Status(Progress):
    """What the work is at, for whoever asks; notes are collected. Asked to stop, it raises `Cancelled` at the next step."""

    label: str = ""
    done: int = 0
    total: int | None = None
    notes: list[str] = field(default_factory=list)
    stopping: bool = False

    def started(self, task: Task) -> None:
        self.label, self.done, self.total = task.label, 0, task.total

    def advanced(self, task: Task) -> None:
        self.label, self.done, self.total = task.label, task.done, task.total

    def finished(self, task: Task) -> None: ...

    def note(self, message: str) -> None:
        if message not in self.notes:
            self.notes.append(message)

    def check_cancelled(self) -> None:
        if self.stopping:
            raise Cancelled()

    def taken(self) -> list[str]:
        """The notes so far, which are forgotten."""
        notes, self.notes = self.notes, []
        return notes


class Performer:
    """Methods take a job as text and give what can be sent to another machine. They raise what the work raises."""

    def __init__(self, settings: Settings, worker: str, device: str = "cpu", status: Status | None = None):
        self.settings, self.worker, self.device = settings, worker, device
        self.status = status or Status()
        self._open: OpenJob | None = None
        self._notes: dict[str, list[str]] = {}
        _limit_threads(settings.threads)

    def ready(self) -> bool:
        """Whether work can be taken."""
        return True

    def share(self, spec: str, node: str) -> None:
        """Make an identity that several jobs need; it is kept in the batch's cache."""
        self.close()
        job = fetched_inputs(Job.of_text(spec), self.folder, self.status)
        context = Context(progress=self.status, device=self.device, seed=job.seed, cache_folder=self.folder / CACHE)
        with Executor() as executor:
            executor.run(job.workflow(), context, [node])
        self.status.taken()

    def open(self, spec: str) -> list[tuple[int, int, int]]:
        """Check what is to be written, run the graph; the job's segments as (number, first, stop)."""
        job = Job.of_text(spec)
        check_targets(job.outputs, job.overwrite)
        return [(s.number, s.first, s.stop) for s in self._opened(job).segments()]

    def render(self, spec: str, number: int) -> bool:
        """Render a segment to the disk; whether it was there before."""
        job = Job.of_text(spec)
        if self._is_there(job, number):
            return True
        self._opened(job).render(number)
        return False

    def finish(self, spec: str) -> dict[str, Any]:
        """Join the segments and make what else is written; see `OpenJob.finish`. BrokenSegments: they are dropped."""
        job = Job.of_text(spec)
        try:
            staged, notes = self._opened(job).finish()
        except BrokenSegments:
            self.close()
            remove(self._folder_of(job))
            raise
        said = [*self._notes.pop(job.id, ()), *self.status.taken(), *notes]
        done = {
            "staged": {target: os.fspath(path) for target, path in staged.items()},
            "notes": list(dict.fromkeys(said)),
            "thumbnails": strip_of(list(staged.values())),
        }
        self.close()
        return done

    def forget(self, job: str) -> None:
        """A job is over: close it, and remove what it needed on the way."""
        if self._open is not None and self._open.job.id == job:
            self.close()
        remove(self.folder / JOBS / job)

    def close(self) -> None:
        if self._open is not None:
            self._notes.setdefault(self._open.job.id, []).extend(self.status.taken())
            self._open.close()
            self._open = None

    @property
    def folder(self) -> Path:
        return Path(self.settings.folder)

    def _folder_of(self, job: Job) -> Path:
        return self.folder / JOBS / job.id

    def _is_there(self, job: Job, number: int) -> bool:
        length = segment_length(self.settings.length)
        return SegmentFiles(self._folder_of(job) / f"segments-{length}", self.worker).record(number) is not None

    def _opened(self, job: Job) -> OpenJob:
        if self._open is None or self._open.job.id != job.id:
            self.close()
            folder = self._folder_of(job)
            folder.mkdir(parents=True, exist_ok=True)
            ready = fetched_inputs(job, self.folder, self.status)
            length = self.settings.length
            self._open = OpenJob(ready, folder, self.folder / CACHE, length, self.status, self.device, self.worker)
        return self._open


def _limit_threads(threads: int) -> None:
    """Of torch and OpenCV, whose sums may depend on it. torch, which takes seconds to import, may not be needed."""
    import cv2

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    cv2.setNumThreads(threads)

