"""Progress for people and machines: bars on a terminal, plain lines elsewhere, JSON lines on request."""

from __future__ import annotations

import json
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from ..progress import Progress, Task

PLAIN_INTERVAL = 5.0  # seconds between plain lines of one task


class _Rate(ProgressColumn):
    def render(self, task) -> Text:
        return Text("" if task.speed is None else pace(task.speed))


def pace(rate: float) -> str:
    """How fast things go, of which so many are done a second; how long one takes, where that is more than a second."""
    if rate >= 1:
        return f"{rate:.1f}/s"
    return f"{1 / rate:.0f} s each" if rate > 0 else ""


class TerminalProgress(Progress):
    """Bars with rate and time left, on standard error."""

    def __init__(self):
        self.console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self.bars = RichProgress(*columns, console=self.console)
        self.rows: dict[int, int] = {}

    def __enter__(self) -> "TerminalProgress":
        self.bars.start()
        return self

    def __exit__(self, *_) -> None:
        self.bars.stop()

    def started(self, task: Task) -> None:
        self.rows[id(task)] = self.bars.add_task(task.label, total=task.total)

    def advanced(self, task: Task) -> None:
        self.bars.update(self.rows[id(task)], completed=task.done)

    def finished(self, task: Task) -> None:
        row = self.rows.pop(id(task))
        self.bars.update(row, completed=task.done, total=task.done)
        self.bars.stop_task(row)

    def note(self, message: str) -> None:
        self.console.print(message, highlight=False)


class PlainProgress(Progress):
    """A line when a task starts and ends, and every few seconds between."""

    def __init__(self):
        self.last: dict[int, float] = {}
        self.begun: dict[int, float] = {}

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(self, *_) -> None: ...

    def started(self, task: Task) -> None:
        self.begun[id(task)] = self.last[id(task)] = time.monotonic()

    def advanced(self, task: Task) -> None:
        now = time.monotonic()
        if now - self.last[id(task)] >= PLAIN_INTERVAL:
            self.last[id(task)] = now
            of = f" of {task.total}" if task.total else ""
            said = (f"{task.label}: {task.done}{of}", pace(task.done / (now - self.begun[id(task)])))
            self._write(", ".join(filter(None, said)))

    def finished(self, task: Task) -> None:
        seconds = time.monotonic() - self.begun.pop(id(task))
        self.last.pop(id(task))
        self._write(f"{task.label}: {task.done} in {seconds:.1f} s")

    def note(self, message: str) -> None:
        self._write(message)

    def _write(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class JsonProgress(PlainProgress):
    """One JSON object a line on standard error."""

    def started(self, task: Task) -> None:
        super().started(task)
        self._write(json.dumps({"event": "started", "task": task.label, "total": task.total}))

    def advanced(self, task: Task) -> None:
        now = time.monotonic()
        if now - self.last[id(task)] >= 1.0:
            self.last[id(task)] = now
            self._write(json.dumps({"event": "advanced", "task": task.label, "done": task.done, "total": task.total}))

    def finished(self, task: Task) -> None:
        self.begun.pop(id(task))
        self.last.pop(id(task))
        self._write(json.dumps({"event": "finished", "task": task.label, "done": task.done}))

    def note(self, message: str) -> None:
        self._write(json.dumps({"event": "note", "message": message}))


def progress_for(as_json: bool) -> TerminalProgress | PlainProgress:
    """What suits where standard error goes."""
    if as_json:
        return JsonProgress()
    return TerminalProgress() if sys.stderr.isatty() else PlainProgress()
