"""How long work reports itself, whatever shows it: a terminal, plain lines, JSON, or a host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Task:
    """One piece of work with `total` steps (None when unknown)."""

    def __init__(self, progress: "Progress", label: str, total: int | None):
        self.progress, self.label, self.total, self.done = progress, label, total, 0

    def advance(self, steps: int = 1) -> None:
        """Count steps as done; raises `Cancelled` when the user asked to stop."""
        self.done += steps
        self.progress.check_cancelled()
        self.progress.advanced(self)


class Progress:
    """Silent by default. Subclasses override `started`, `advanced`, `finished`, `note`, `check_cancelled`."""

    def started(self, task: Task) -> None: ...

    def advanced(self, task: Task) -> None: ...

    def finished(self, task: Task) -> None: ...

    def note(self, message: str) -> None:
        """Something the user should know (a gap bridged, a file cut short)."""

    def preview(self, image) -> None:
        """A picture of the work as it stands: uint8 RGB array (H, W, 3)."""

    def check_cancelled(self) -> None:
        """Raise `lpd_plugin.errors.Cancelled` (or the host's own exception) if the user asked to stop."""

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        task = Task(self, label, total)
        self.started(task)
        try:
            yield task
        finally:
            self.finished(task)

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield `items`, counting each."""
        with self.task(label, total) as task:
            for item in items:
                yield item
                task.advance()
