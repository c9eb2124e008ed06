"""Worker processes of this machine, started again where one ends before its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import Cancelled, WorkFailed
from ..performer import Settings
from ..state import State
from ..worker import Patience
from .process import LATE, UNUSABLE

LOOK = 0.2  # seconds between two looks at the processes
GRACE = 20.0  # seconds that a process has to stop by itself
FASTEST = 5  # processes that may end one after the other without any work done, before it is no use to start more


@dataclass
class _Slot:
    device: str
    process: subprocess.Popen | None = None
    worker: str = ""
    deaths: int = 0  # since the last piece of work that was done


class LocalEngine:
    """`devices`: one process each, as torch names them. Raises WorkFailed where processes end as soon as they start, or the
    state cannot be used."""

    def __init__(self, devices: Sequence[str], patience: Patience = Patience()):
        self._slots, self._patience = [_Slot(device) for device in devices], patience

    def run(self, state: State, settings: Settings, watch: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Until all jobs are settled. watch: called every now and then. stopped: whether to stop, which raises Cancelled."""
        done = -1
        try:
            while not state.settled():
                if stopped():
                    raise Cancelled()
                events = state.read.execute("SELECT COUNT(*) FROM events WHERE what NOT IN ('lost', 'released')").fetchone()[0]
                for slot in self._slots:
                    slot.deaths = 0 if events != done else slot.deaths
                    self._tend(slot, state, settings)
                done = events
                watch()
                time.sleep(LOOK)
            for slot in self._slots:
                self._wait(slot, state)
        finally:
            self._stop()

    def _tend(self, slot: _Slot, state: State, settings: Settings) -> None:
        """Start a process that is not there, and see to one that has ended."""
        code = None if slot.process is None else slot.process.poll()
        if slot.process is not None and code is None:
            return
        if slot.process is not None:
            self._ended(slot, code, state, settings)
        slot.worker = uuid.uuid4().hex[:12]
        options = {"settings": asdict(settings), "patience": asdict(self._patience), "worker": slot.worker}
        options |= {"device": slot.device, "parent": os.getpid()}
        log = Path(settings.folder) / "log"
        log.mkdir(exist_ok=True)
        with open(log / f"{slot.worker}.txt", "wb") as file:
            slot.process = subprocess.Popen(
                [sys.executable, "-m", "lpd_plugin.batch.engines.process", json.dumps(options)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=_environment(settings.threads), start_new_session=True,
            )  # fmt: skip

    def _ended(self, slot: _Slot, code: int, state: State, settings: Settings) -> None:
        words = _last_line(Path(settings.folder) / "log" / f"{slot.worker}.txt")
        if code == UNUSABLE:
            raise WorkFailed(words or "a worker could not use the batch's state")
        if code not in (0, LATE):
            slot.deaths += 1
            if slot.deaths >= FASTEST:
                raise WorkFailed(f"worker processes end as soon as they start ({_said(code)}): {words or 'they said nothing'}")
            state.lost(slot.worker, f"the process that worked on it {_said(code)}, again and again", self._patience.retries, self._patience.wait)

    def _wait(self, slot: _Slot, state: State) -> None:
        if slot.process is not None:
            try:
                slot.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                slot.process.kill()

    def _stop(self) -> None:
        """Ask all to stop, which gives their work back; those that do not are ended."""
        alive = [slot.process for slot in self._slots if slot.process is not None and slot.process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        for process in alive:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(threads: int) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": str(threads), "OPENCV_LOG_LEVEL": "ERROR"}


def _said(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
    return f"was ended by {name}" + (" (mostly: the memory was not enough)" if name == "SIGKILL" else "")


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
