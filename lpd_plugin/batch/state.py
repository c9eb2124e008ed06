"""What is to be done of a batch, who does it, and what became of it: handed out so that nothing is done twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..video.segments import Segment
from .job import Job
from .records import Task, event, fail, fail_all, held, postpone, settle, state_of
from .store import Store, boot, now

DATABASE = "state.sqlite"


class State(Store):
    """The batch's state as its workers see it; one object a thread."""

    # ---- the list of jobs

    def plan(self, jobs: Sequence[Job], again: Iterable[str] = (), others: bool = False) -> None:
        """Take over a list of jobs. What is known already keeps its state; `again`: ids whose outputs are gone, to be
        rendered again. Failed ones get another chance, unless `others` are at work on the batch."""
        again = set(again)
        with self.write() as db:
            if not others:
                db.execute("UPDATE jobs SET listed = 0")
            db.execute("DELETE FROM needs")
            wanted: dict[str, list[Job]] = {}
            for position, job in enumerate(jobs):
                db.execute(
                    "INSERT INTO jobs (id, position, spec, priority) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                    "position = excluded.position, spec = excluded.spec, priority = excluded.priority, listed = 1",
                    (job.id, position, job.text(), job.priority),
                )
                old = db.execute("SELECT state FROM jobs WHERE id = ?", (job.id,)).fetchone()["state"]
                if job.problem:
                    fail(db, job.id, job.problem)
                elif job.id in again or (old == "failed" and not others):
                    self._afresh(db, job.id, forget=job.id in again)
                if not job.problem:
                    db.execute("INSERT OR IGNORE INTO tasks (job, kind) VALUES (?, 'open')", (job.id,))
                    for _, key in job.shared:
                        wanted.setdefault(key, []).append(job)
            self._share(db, wanted)

    def _share(self, db: sqlite3.Connection, wanted: Mapping[str, list[Job]]) -> None:
        """One task for each identity that several unfinished jobs need; they wait for it."""
        for key, jobs in wanted.items():
            undone = [j for j in jobs if state_of(db, j.id) in ("waiting", "running")]
            if len(undone) < 2:
                continue
            node = next(node for node, one in undone[0].shared if one == key)
            db.execute(
                "INSERT INTO tasks (job, kind, node, example) VALUES (?, 'share', ?, ?) ON CONFLICT DO UPDATE SET "
                "state = CASE state WHEN 'failed' THEN 'waiting' ELSE state END, attempts = 0",
                (key, node, undone[0].id),
            )
            db.executemany("INSERT OR IGNORE INTO needs VALUES (?, ?)", [(j.id, key) for j in undone])

    def _afresh(self, db: sqlite3.Connection, job: str, forget: bool) -> None:
        if forget:
            db.execute("DELETE FROM tasks WHERE job = ? AND kind IN ('segment', 'finish')", (job,))
        db.execute("UPDATE tasks SET state = 'waiting', attempts = 0, due = NULL WHERE job = ? AND state = 'failed'", (job,))
        if forget:
            db.execute("UPDATE tasks SET state = 'waiting', attempts = 0, due = NULL WHERE job = ? AND kind = 'open'", (job,))
        opened = db.execute("SELECT state FROM tasks WHERE job = ? AND kind = 'open'", (job,)).fetchone()
        state = "running" if opened and opened["state"] == "done" else "waiting"
        db.execute("UPDATE jobs SET state = ?, reason = '', placing = '{}', ended = NULL WHERE id = ?", (state, job))

    def settled(self) -> bool:
        """Whether every listed job is done or failed."""
        return not self.read.execute("SELECT 1 FROM jobs WHERE listed AND state IN ('waiting', 'running') LIMIT 1").fetchone()

    # ---- handing out

    def claim(self, worker: str, last: tuple[str, int] | None = None) -> Task | None:
        """The next piece of work for a worker, or None where there is none now. last: the segment it has just done, whose
        successor it can go on with at once."""
        with self.write() as db:
            for sql, values in self._wishes(last):
                row = db.execute(sql, values | {"boot": boot(), "now": now()}).fetchone()
                if row is not None and (row := self._middle(db, row)) is not None:
                    return self._handed_out(db, row, worker)
        return None

    def _wishes(self, last: tuple[str, int] | None):
        """Queries in the order of preference."""
        task = "SELECT t.*, j.spec AS spec FROM tasks t JOIN jobs j ON j.id = t.job WHERE t.state = 'waiting' AND j.listed AND "
        ready = "(t.due IS NULL OR t.boot != :boot OR t.due <= :now) AND j.state IN ('waiting', 'running')"
        by_rank = " ORDER BY j.priority DESC, j.position, t.number LIMIT 1"
        # Of the many segments that wait, only those of one job are looked at.
        nobody = "NOT EXISTS (SELECT 1 FROM tasks o WHERE o.job = j.id AND o.kind IN ('open', 'segment', 'finish') AND o.state = 'running')"
        waits = f"EXISTS (SELECT 1 FROM tasks t WHERE t.job = j.id AND t.kind = 'segment' AND t.state = 'waiting' AND {ready})"
        alone = f"SELECT j.id FROM jobs j WHERE j.listed AND {waits} AND {nobody} ORDER BY j.priority DESC, j.position LIMIT 1"
        if last is not None:
            yield f"{task}{ready} AND t.kind = 'segment' AND t.job = :job AND t.number > :number{by_rank}", dict(zip(("job", "number"), last))
        undone = "SELECT 1 FROM tasks o WHERE o.job = t.job AND o.kind = 'segment' AND o.state IN ('waiting', 'running', 'failed')"
        yield f"{task}{ready} AND t.kind = 'finish' AND NOT EXISTS ({undone}){by_rank}", {}
        yield f"{task}{ready} AND t.kind = 'segment' AND t.job = ({alone}){by_rank}", {}
        yield (
            "SELECT t.*, e.spec AS spec, MAX(j.priority) AS rank, MIN(j.position) AS place FROM tasks t JOIN needs n ON n.share = t.job "
            "JOIN jobs j ON j.id = n.job JOIN jobs e ON e.id = t.example WHERE t.kind = 'share' AND t.state = 'waiting' AND j.listed "
            f"AND {ready} GROUP BY t.job ORDER BY rank DESC, place LIMIT 1"
        ), {}
        blocked = "SELECT 1 FROM needs n JOIN tasks s ON s.job = n.share AND s.kind = 'share' WHERE n.job = t.job AND s.state != 'done'"
        yield f"{task}{ready} AND t.kind = 'open' AND NOT EXISTS ({blocked}){by_rank}", {}
        yield (
            f"SELECT *, COUNT(*) AS left FROM ({task}{ready} AND t.kind = 'segment') GROUP BY job HAVING left > 1 ORDER BY left DESC LIMIT 1"
        ), {}

    def _middle(self, db: sqlite3.Connection, row: sqlite3.Row) -> sqlite3.Row | None:
        """Where another worker is on a job's segments: the middle one of those left, so that both go on for long."""
        if "left" not in row.keys():
            return row
        found = db.execute(
            "SELECT t.*, j.spec AS spec FROM tasks t JOIN jobs j ON j.id = t.job WHERE t.job = ? AND t.kind = 'segment' AND t.state = 'waiting' "
            "AND (t.due IS NULL OR t.boot != ? OR t.due <= ?) ORDER BY t.number", (row["job"], boot(), now()),
        ).fetchall()  # fmt: skip
        return found[len(found) // 2] if found else None

    def _handed_out(self, db: sqlite3.Connection, row: sqlite3.Row, worker: str) -> Task:
        key = (row["job"], row["kind"], row["number"])
        db.execute(
            "UPDATE tasks SET state = 'running', owner = ?, epoch = epoch + 1, label = '', done = 0, total = NULL "
            "WHERE job = ? AND kind = ? AND number = ?", (worker, *key),
        )  # fmt: skip
        if row["kind"] != "share":
            db.execute("UPDATE jobs SET state = 'running', started = COALESCE(started, ?) WHERE id = ?", (time.time(), row["job"]))
        return Task(*key, row["epoch"] + 1, row["spec"], row["attempts"], row["first"], row["stop"], row["node"])

    # ---- what became of it

    def shared(self, task: Task, worker: str, seconds: float) -> None:
        """A shared identity is there for all."""
        with self.write() as db:
            settle(db, task, worker, "done", seconds)

    def opened(self, task: Task, worker: str, segments: Sequence[Segment], seconds: float) -> None:
        """A job is known in its length: its segments can be handed out. Without any it only has to be finished."""
        with self.write() as db:
            settle(db, task, worker, "done", seconds)
            db.executemany(
                "INSERT OR IGNORE INTO tasks (job, kind, number, first, stop) VALUES (?, 'segment', ?, ?, ?)",
                [(task.job, s.number, s.first, s.stop) for s in segments],
            )
            db.execute("INSERT OR IGNORE INTO tasks (job, kind) VALUES (?, 'finish')", (task.job,))
            frames = segments[-1].stop if segments else 0
            db.execute("UPDATE jobs SET frames = ?, seconds = seconds + ? WHERE id = ?", (frames, seconds, task.job))

    def rendered(self, task: Task, worker: str, seconds: float, adopted: bool) -> None:
        """A segment is on the disk. adopted: it was there before."""
        with self.write() as db:
            settle(db, task, worker, "done", seconds, "adopted" if adopted else "rendered")
            db.execute("UPDATE jobs SET seconds = seconds + ? WHERE id = ?", (seconds, task.job))

    def placing(self, task: Task, worker: str, outputs: Mapping[str, Any], notes: Sequence[str], thumbnails: str) -> None:
        """Outputs are about to get their names: should this be the last thing we know, they are recognised by it. Given:
        what tells each from other files, see `targets.identity_of`, and what the report will say."""
        with self.write() as db:
            held(db, task, worker)
            known = self.outputs_of(task.job)
            for target, identity in outputs.items():
                known.setdefault(target, []).append(identity)
            db.execute(
                "UPDATE jobs SET placing = ?, notes = ?, thumbnails = ? WHERE id = ?",
                (json.dumps(known), json.dumps(list(notes)), thumbnails, task.job),
            )

    def outputs_of(self, job: str) -> dict[str, list[Any]]:
        """What `placing` was told of a job's outputs so far."""
        return json.loads(self.read.execute("SELECT placing FROM jobs WHERE id = ?", (job,)).fetchone()["placing"])

    def placed(self, task: Task, worker: str, give_names: Callable[[], None], seconds: float) -> None:
        """Run `give_names`, which gives the outputs their names, while nobody else can be given this job, and it is done."""
        with self.write() as db:
            held(db, task, worker)
            give_names()
            settle(db, task, worker, "done", seconds, "placed")
            db.execute(
                "UPDATE jobs SET state = 'done', reason = '', seconds = seconds + ?, ended = ? WHERE id = ?",
                (seconds, time.time(), task.job),
            )

    def failed(self, task: Task, worker: str, reason: str, wait: float | None) -> None:
        """wait: seconds until it is tried again; None: its job has failed, of a share all jobs that need it."""
        with self.write() as db:
            if wait is not None:
                settle(db, task, worker, "waiting", 0, "retry")
                postpone(db, task.job, task.kind, task.number, wait)
                return
            settle(db, task, worker, "failed", 0, "failed")
            fail_all(db, task.job, task.kind, reason)

    def broken(self, task: Task, worker: str) -> None:
        """A job's segments turned out not to be what they should: it starts anew."""
        with self.write() as db:
            held(db, task, worker)
            attempts = task.attempts + 1
            self._afresh(db, task.job, forget=True)
            db.execute("UPDATE tasks SET attempts = ? WHERE job = ? AND kind = 'open'", (attempts, task.job))

    def released(self, task: Task, worker: str) -> None:
        """Given back untouched, by somebody who was asked to stop."""
        with self.write() as db:
            settle(db, task, worker, "waiting", 0, "released")

    def lost(self, worker: str, reason: str, retries: int, wait: float) -> None:
        """A worker's process ended by itself while it had work: counted against that work."""
        with self.write() as db:
            for row in db.execute("SELECT * FROM tasks WHERE owner = ? AND state = 'running'", (worker,)).fetchall():
                key = (row["job"], row["kind"], row["number"])
                state = "waiting" if row["attempts"] < retries else "failed"
                db.execute("UPDATE tasks SET state = ?, owner = NULL WHERE job = ? AND kind = ? AND number = ?", (state, *key))
                event(db, *key, "lost", worker)
                if state == "waiting":
                    postpone(db, *key, wait)
                else:
                    fail_all(db, row["job"], row["kind"], reason)
            db.execute("UPDATE workers SET gone = 1 WHERE id = ?", (worker,))

    # ---- for tables and reports

    def jobs(self) -> list[dict[str, Any]]:
        """The listed jobs in their order, each with what it needs to be shown."""
        rows = self.read.execute(
            "SELECT j.*, (SELECT COUNT(*) FROM tasks t WHERE t.job = j.id AND t.kind = 'segment') AS segments, "
            "(SELECT COUNT(*) FROM tasks t WHERE t.job = j.id AND t.kind = 'segment' AND t.state = 'done') AS segments_done, "
            "(SELECT COALESCE(SUM(stop - first), 0) FROM tasks t WHERE t.job = j.id AND t.kind = 'segment' AND t.state = 'done') + "
            "(SELECT COALESCE(SUM(done), 0) FROM tasks t WHERE t.job = j.id AND t.kind = 'segment' AND t.state = 'running') AS frames_done, "
            "(SELECT GROUP_CONCAT(DISTINCT t.label) FROM tasks t WHERE t.job = j.id AND t.state = 'running') AS at "
            "FROM jobs j WHERE j.listed ORDER BY j.position"
        )  # fmt: skip
        return [dict(row) | {"job": Job.of_text(row["spec"])} for row in rows]

    def sharing(self) -> list[dict[str, Any]]:
        """The identities that are being made for several jobs."""
        rows = self.read.execute("SELECT * FROM tasks WHERE kind = 'share' AND state = 'running'")
        return [dict(row) for row in rows]

    def events(self) -> list[dict[str, Any]]:
        """Everything that was settled, in its order."""
        return [dict(row) for row in self.read.execute("SELECT * FROM events ORDER BY number")]


def open_state(folder: Path, durable: bool = True) -> State:
    """The state in a batch's folder, which is made where it is missing."""
    from ..errors import BadInput

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {folder} for the batch's state cannot be made ({error.strerror}): choose another with --state.") from error
    return State(folder / DATABASE, durable)
