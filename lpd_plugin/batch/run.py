"""A whole batch: what was there before is looked at, the work is done by an engine, the outcome is summed up."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import Cancelled
from .job import Job
from .leases import Watch
from .performer import CACHE, JOBS, Settings
from .remote_files import is_remote
from .segment_files import clean, remove
from .state import DATABASE, State, open_state
from .targets import is_ours


class Engine(Protocol):
    """Does the work of a state until all is settled; see `engines.local`."""

    def run(self, state: State, settings: Settings, watch: Callable[[], None], stopped: Callable[[], bool]) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: `jobs` as `State.jobs` gives them; cancelled: it was stopped before its end."""

    jobs: list[dict[str, Any]]
    seconds: float
    cancelled: bool = False

    def count(self, state: str) -> int:
        return sum(job["state"] == state for job in self.jobs)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 at least one failed, 130 stopped."""
        return 130 if self.cancelled else int(self.count("done") < len(self.jobs))

    def sentence(self) -> str:
        left = len(self.jobs) - self.count("done") - self.count("failed")
        more = f", {left} left" if left else ""
        return f"{self.count('done')} of {len(self.jobs)} jobs done, {self.count('failed')} failed{more}, in {self.seconds:.1f} s"


def run_batch(
    jobs: Sequence[Job], folder: Path, engine: Engine, length: int = 120, threads: int | None = None,
    watch: Callable[[State], None] = lambda state: None, stopped: Callable[[], bool] = lambda: False,
) -> Outcome:  # fmt: skip
    """Run jobs with their state in `folder`; what an earlier run of the same jobs left is gone on with.

    length: frames of a segment, threads: of torch in each process; both stay as they were when the batch began. watch: called
    every now and then. Raises BadInput for a folder that cannot be used, WorkFailed where the engine or the disk gives up.
    """
    from .store import now

    begun = now()
    state = open_state(folder)
    try:
        settings = settled_settings(state, folder, length, threads)
        prepare(state, jobs, folder)
        cancelled = False
        try:
            engine.run(state, settings, lambda: watch(state), stopped)
        except Cancelled:
            cancelled = True
        watch(state)
        outcome = Outcome(state.jobs(), now() - begun, cancelled)
        if outcome.exit_code == 0 and not Watch().living(state):
            remove(folder / CACHE)
            remove(folder / JOBS)
        return outcome
    finally:
        state.close()


def settled_settings(state: State, folder: Path, length: int, threads: int | None) -> Settings:
    """The settings with which this batch began, so that going on gives the same files."""
    threads = threads or max(1, (os.cpu_count() or 1) // 2)
    return Settings(os.fspath(folder), int(state.remember("length", str(length))), int(state.remember("threads", str(threads))))


def prepare(state: State, jobs: Sequence[Job], folder: Path) -> None:
    """Take over the list of jobs; clear away what dead workers left."""
    watch = Watch()
    watch.bury_dead(state)
    living = watch.living(state)
    state.plan(jobs, _vanished(state, jobs), others=bool(living))
    for one in (folder / JOBS).glob("*/segments-*"):
        clean(one, living)


def states_of(jobs: Sequence[Job], folder: Path) -> dict[str, str]:
    """What is known of jobs by id, without changing anything: waiting, running, done or failed; waiting where nothing is."""
    known = {}
    if (folder / DATABASE).is_file():
        state = open_state(folder)
        known = {row["id"]: row["state"] for row in state.read.execute("SELECT id, state FROM jobs")}
        known |= dict.fromkeys(_vanished(state, jobs), "waiting")
        state.close()
    return {job.id: known.get(job.id, "waiting") for job in jobs}


def _vanished(state: State, jobs: Sequence[Job]) -> list[str]:
    """Jobs that were done and whose files are not there any more, or are not what was written."""
    done = {row["id"] for row in state.read.execute("SELECT id FROM jobs WHERE state = 'done'")}
    again = []
    for job in jobs:
        if job.id in done:
            ours = state.outputs_of(job.id)
            if not all(is_remote(target) or is_ours(target, ours) for target in job.outputs):
                again.append(job.id)
    return again
