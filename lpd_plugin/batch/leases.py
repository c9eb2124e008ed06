"""Who is at work on a batch, and whose work has to be taken over because they are no more.

A worker counts up a number, its beat. Whoever watches notes by its own clock, which no calendar moves, when a beat last
changed: one that stands still for LEASE seconds belongs to nobody alive. On the same machine the process itself is looked
for, so that a killed worker's work is taken over at once.
"""

from __future__ import annotations

import os
import platform
import threading
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ..errors import LpdError
from .state import State
from .store import boot, now

BEAT = 1.0  # seconds between two beats
LEASE = 60.0  # seconds without a beat after which a worker counts as gone


@cache
def place() -> str:
    """Names the processes that can be seen from here: one machine, one start of it, one container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{platform.node()} {boot()} {space}"


def born(pid: int) -> str:
    """What tells a living process from a later one of the same number; empty where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        return "alive" if _answers(pid) else ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _answers(pid: int) -> bool:
    if os.name == "nt":  # there a signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def register(state: State, worker: str | None = None, pid: int | None = None) -> str:
    """Enter a worker of this process, or of another of this machine; its name."""
    worker, pid = worker or uuid.uuid4().hex[:12], pid or os.getpid()
    with state.write() as db:
        db.execute("INSERT INTO workers (id, place, pid, born) VALUES (?, ?, ?, ?)", (worker, place(), pid, born(pid)))
    return worker


def leave(state: State, worker: str) -> None:
    """A worker goes; what it may still hold is free."""
    with state.write() as db:
        _bury(db, worker)


class Watch:
    """Watches the other workers; `bury_dead` frees what those hold that are gone."""

    def __init__(self, clock: Callable[[], float] = now, lease: float = LEASE):
        self._clock, self._lease = clock, lease
        self._seen: dict[str, tuple[int, float]] = {}

    def living(self, state: State) -> list[str]:
        """The workers that are not known to be gone."""
        rows = state.read.execute("SELECT * FROM workers WHERE NOT gone").fetchall()
        return [row["id"] for row in rows if not self._is_gone(row)]

    def bury_dead(self, state: State) -> list[str]:
        """Free the work of dead workers; their names."""
        rows = state.read.execute("SELECT * FROM workers WHERE NOT gone").fetchall()
        dead = [row for row in rows if self._is_gone(row)]
        buried = []
        for row in dead:
            with state.write() as db:
                # Only if its beat stood still until now: two that watch do not take the same work twice.
                changed = db.execute("SELECT 1 FROM workers WHERE id = ? AND beat = ? AND NOT gone", (row["id"], row["beat"])).fetchone()
                if changed:
                    _bury(db, row["id"])
                    buried.append(row["id"])
        return buried

    def _is_gone(self, row) -> bool:
        if row["place"] == place() and born(row["pid"]) != row["born"]:
            return True
        beat, since = self._seen.get(row["id"], (None, 0.0))
        if beat != row["beat"]:
            self._seen[row["id"]] = row["beat"], self._clock()
            return False
        return self._clock() - since > self._lease


def _bury(db, worker: str) -> None:
    db.execute("UPDATE workers SET gone = 1 WHERE id = ?", (worker,))
    db.execute("UPDATE tasks SET state = 'waiting', owner = NULL, done = 0 WHERE owner = ? AND state = 'running'", (worker,))


class Heart(threading.Thread):
    """Beats for one worker, tells what it is at, and buries dead ones. `lost` is set when the worker was buried itself, as
    after a long sleep of the machine: what it does then no longer counts.

    what: gives (label, done, total). alone: called at every beat; false where the process that started this one is gone,
    which ends this process at once.
    """

    def __init__(self, folder: Path, worker: str, what: Callable[[], tuple[str, int, int | None]], wanted: Callable[[], bool] = lambda: True):
        super().__init__(name="lpd-batch-heart", daemon=True)
        self._folder, self._worker, self._what, self._wanted = folder, worker, what, wanted
        self._stopped, self.lost = threading.Event(), threading.Event()

    def run(self) -> None:
        from .state import open_state

        state, watch = open_state(self._folder, durable=False), Watch()
        try:
            while not self._stopped.wait(BEAT):
                if not self._wanted():
                    os._exit(1)
                try:
                    self._beat(state)
                    watch.bury_dead(state)
                except LpdError:  # a full disk: the worker itself will meet it
                    continue
        finally:
            state.close()

    def _beat(self, state: State) -> None:
        label, done, total = self._what()
        with state.write() as db:
            changed = db.execute("UPDATE workers SET beat = beat + 1 WHERE id = ? AND NOT gone", (self._worker,)).rowcount
            if not changed:
                self.lost.set()
                return
            db.execute(
                "UPDATE tasks SET label = ?, done = ?, total = ? WHERE owner = ? AND state = 'running'", (label, done, total, self._worker)
            )

    def stop(self) -> None:
        self._stopped.set()
        self.join(BEAT + 5)
