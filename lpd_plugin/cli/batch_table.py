"""How a batch shows itself while it runs: a live table on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

REFRESH = 0.5  # seconds between two looks at the state
COLOURS = {"done": "green", "failed": "red", "running": "cyan", "waiting": "dim"}


class LiveTable:
    """Jobs at work and jobs that failed, as many as fit, under a line that counts them all."""

    def __init__(self):
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        self._begun, self._last, self._first = time.monotonic(), 0.0, None

    def __enter__(self) -> LiveTable:
        self.live.start()
        return self

    def __exit__(self, *_) -> None:
        self.live.stop()

    def watch(self, state) -> None:
        now = time.monotonic()
        if now - self._last >= REFRESH:
            self._last = now
            self.live.update(self._table(state.jobs(), state.sharing()), refresh=True)

    def _table(self, jobs: list[dict[str, Any]], sharing: list[dict[str, Any]]) -> Table:
        table = Table(box=None, pad_edge=False, title=self._title(jobs), title_justify="left")
        for column in ("job", "state", "", "frames", "at"):
            table.add_column(column, no_wrap=True)
        room = max(4, self.console.height - 6)
        for one in sharing[:room]:
            table.add_row("identity for several jobs", Text("running", "cyan"), "", "", one["label"])
        order = {"running": 0, "failed": 1, "waiting": 2, "done": 3}
        for job in sorted(jobs, key=lambda job: order[job["state"]])[: max(1, room - len(sharing))]:
            total, done = job["frames"], job["frames_done"]
            bar = ProgressBar(total=total, completed=done, width=20) if total and job["state"] == "running" else ""
            at = job["reason"] if job["state"] == "failed" else (job["at"] or "")
            table.add_row(job["job"].name, Text(job["state"], COLOURS[job["state"]]), bar, f"{done}/{total}" if total else "", at)
        return table

    def _title(self, jobs: list[dict[str, Any]]) -> str:
        counts = {state: sum(job["state"] == state for job in jobs) for state in COLOURS}
        frames, seconds = sum(job["frames_done"] for job in jobs), time.monotonic() - self._begun
        self._first = frames if self._first is None else self._first
        rate = (frames - self._first) / seconds if seconds > 1 else 0.0
        return ", ".join(f"{count} {state}" for state, count in counts.items() if count) + f"; {rate:.1f} frames/s"


class PlainLines:
    """A line whenever a job begins, is done or has failed."""

    def __init__(self, write=lambda text: print(text, file=sys.stderr, flush=True)):
        self._states: dict[str, str] = {}
        self._write, self._last = write, 0.0

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_) -> None: ...

    def watch(self, state) -> None:
        now = time.monotonic()
        if now - self._last < REFRESH and not state.settled():
            return
        self._last = now
        for job in state.jobs():
            if self._states.get(job["id"], "waiting") != job["state"]:
                self._states[job["id"]] = job["state"]
                self.changed(job)

    def changed(self, job: dict[str, Any]) -> None:
        reason = f": {job['reason']}" if job["reason"] else ""
        self._write(f"{job['job'].name}: {job['state']}{reason}")


class JsonLines(PlainLines):
    """The same as JSON objects."""

    def changed(self, job: dict[str, Any]) -> None:
        content = {"event": job["state"], "id": job["id"], "job": job["job"].name, "frames": job["frames"]}
        self._write(json.dumps(content | ({"reason": job["reason"]} if job["reason"] else {}), ensure_ascii=False))


def table_for(as_json: bool) -> LiveTable | PlainLines:
    """What suits where standard error goes."""
    if as_json:
        return JsonLines()
    return LiveTable() if sys.stderr.isatty() else PlainLines()
