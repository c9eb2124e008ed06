"""Single entries of the batch's database: pieces of work as they are handed out and settled, inside others' transactions."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from ..video.segments import Segment
from .store import boot, now


class LeaseLost(Exception):
    """Somebody else was given this piece of work: what was done of it does not count."""


@dataclass(frozen=True)
class Task:
    """A piece of work as it was handed out. kind: share, open, segment, finish; spec: the job as text."""

    job: str
    kind: str
    number: int
    epoch: int
    spec: str
    attempts: int = 0
    first: int = 0
    stop: int = 0
    node: str = ""

    @property
    def segment(self) -> Segment:
        return Segment(self.number, self.first, self.stop)


def state_of(db: sqlite3.Connection, job: str) -> str:
    """The state of a job."""
    return db.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()["state"]


def held(db: sqlite3.Connection, task: Task, worker: str) -> None:
    """Raises `LeaseLost` unless a piece of work is in these hands."""
    row = db.execute(
        "SELECT owner, epoch, state FROM tasks WHERE job = ? AND kind = ? AND number = ?", (task.job, task.kind, task.number)
    ).fetchone()
    if row is None or (row["owner"], row["epoch"], row["state"]) != (worker, task.epoch, "running"):
        raise LeaseLost(f"{task.kind} {task.number} of {task.job}")


def settle(db: sqlite3.Connection, task: Task, worker: str, state: str, seconds: float, what: str | None = None) -> None:
    """Close a piece of work that is in these hands, and note it under `what`, else the state."""
    held(db, task, worker)
    key = (task.job, task.kind, task.number)
    db.execute(
        "UPDATE tasks SET state = ?, owner = NULL, seconds = ?, done = 0 WHERE job = ? AND kind = ? AND number = ?", (state, seconds, *key)
    )
    event(db, *key, what or state, worker)


def event(db: sqlite3.Connection, job: str, kind: str, number: int, what: str, worker: str) -> None:
    """Note what became of a piece of work."""
    db.execute("INSERT INTO events (job, kind, part, what, worker) VALUES (?, ?, ?, ?, ?)", (job, kind, number, what, worker))


def postpone(db: sqlite3.Connection, job: str, kind: str, number: int, wait: float) -> None:
    """Let a piece of work wait before it is tried again; it counts as a retry of its job."""
    db.execute(
        "UPDATE tasks SET attempts = attempts + 1, boot = ?, due = ? WHERE job = ? AND kind = ? AND number = ?",
        (boot(), now() + wait, job, kind, number),
    )
    db.execute("UPDATE jobs SET retries = retries + 1 WHERE id = ?", (job,))


def fail_all(db: sqlite3.Connection, job: str, kind: str, reason: str) -> None:
    """The job of a piece of work has failed; of a shared identity, all jobs that need it."""
    jobs = [job]
    if kind == "share":
        jobs = [row["job"] for row in db.execute("SELECT job FROM needs WHERE share = ?", (job,))]
    for one in jobs:
        fail(db, one, reason)


def fail(db: sqlite3.Connection, job: str, reason: str) -> None:
    """A job has failed, unless it is done."""
    db.execute("UPDATE jobs SET state = 'failed', reason = ?, ended = ? WHERE id = ? AND state != 'done'", (reason, time.time(), job))
