"""The batch's database: an SQLite file beside the outputs, opened by every process of this machine that works on it."""

from __future__ import annotations

import contextlib
import platform
import sqlite3
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import BadInput, WorkFailed

_SCHEMA = Path(__file__).with_name("state.sql")
VERSION = "1"
WAIT = 60.0  # seconds for another process to let go of the database


@cache
def boot() -> str:
    """Names this start of this machine: times since the start are comparable under one name only."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


def now() -> float:
    """Seconds since the machine started: no change of the calendar's clock moves it."""
    return time.monotonic()


class Store:
    """A connection of one thread. `read` and `write` give it; what `write`'s block does happens wholly or not at all, and
    no other process writes meanwhile.

    Raises BadInput where the file cannot be made or is none of ours, WorkFailed where it cannot be written to any more.
    """

    def __init__(self, path: Path, durable: bool = True):
        """durable: what is written outlasts a loss of power at once, which costs a wait for the disk; else only the file stays
        whole."""
        self.path = path
        with self._named(BadInput):
            self._db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            if not self._ready():
                with self.write() as db:
                    for statement in _SCHEMA.read_text(encoding="utf-8").split(";\n"):
                        db.execute(statement)
                    db.execute("INSERT OR IGNORE INTO about VALUES ('version', ?)", (VERSION,))
            version = self.about("version")
        if version != VERSION:
            raise BadInput(f"{path} is of another version of this program: name another folder with --state.")

    def _ready(self) -> bool:
        return bool(self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone())

    def about(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return row and row["value"]

    def remember(self, name: str, value: str) -> str:
        """The value that was remembered first under a name."""
        with self.write() as db:
            db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, value))
        return self.about(name)

    @property
    def read(self) -> sqlite3.Connection:
        return self._db

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        with self._named(WorkFailed):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _named(self, kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            said = str(error)
            if "full" in said:
                raise WorkFailed(f"the disk of {self.path.parent} is full: make room and run the batch again.") from error
            if isinstance(error, sqlite3.OperationalError):
                raise kind(f"the batch's state {self.path} cannot be used ({said}): check the folder's permissions.") from error
            raise kind(
                f"the batch's state {self.path} is damaged ({said}): delete the file and run the batch again; segments "
                "that are complete are used."
            ) from error

    def close(self) -> None:
        self._db.close()
