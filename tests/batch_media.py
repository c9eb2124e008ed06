"""Batches for tests: a preset that only copies clips, small clips, and workers in this process."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import yaml

from lpd_plugin.batch.expansion import expanded
from lpd_plugin.batch.jobs_file import read_jobs
from lpd_plugin.batch.leases import leave, register
from lpd_plugin.batch.performer import Performer, Settings
from lpd_plugin.batch.run import Outcome, prepare
from lpd_plugin.batch.state import State, open_state
from lpd_plugin.batch.worker import Patience, Worker

COPY = {
    "name": "copy", "description": "A clip as another file",
    "parameters": {
        "clip": {"type": "file"}, "output": {"type": "file"}, "start": {"type": "text", "default": ""},
        "stop": {"type": "text", "default": ""}, "format": {"type": "text", "default": "ffv1"},
    },
    "graph": {
        "load": {"class_type": "LPDLoadClip", "inputs": {"file": "$clip", "in_point": "$start", "out_point": "$stop"}},
        "save": {"class_type": "LPDSaveClip", "inputs": {"clip": ["load", 0], "file": "$output", "format": "$format"}},
    },
}  # fmt: skip


def write_jobs(home: Path, jobs: list[dict], name: str = "jobs.yaml", **more) -> Path:
    """A list of jobs of the copying preset; outputs go to the folder's own `out`."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "copy.yaml").write_text(yaml.safe_dump(COPY), encoding="utf-8")
    content = {"folder": "out", "defaults": {"preset": str(home / "copy.yaml"), "output": "{clip.stem}.mkv"}, "jobs": jobs}
    (home / name).write_text(yaml.safe_dump(content | more, allow_unicode=True), encoding="utf-8")
    return home / name


def jobs_in(path: Path, **options):
    return expanded(read_jobs(path), **options)


def state_folder(path: Path) -> Path:
    return path.parent / "out" / ".lpd-batch"


class Bench:
    """A batch with workers in this process that take turns as the test says."""

    def __init__(self, path: Path, length: int = 8, patience: Patience = Patience(2, 0.0), folder: Path | None = None, **options):
        self.jobs, self.folder = jobs_in(path, **options), folder or state_folder(path)
        self.state = open_state(self.folder)
        self.settings, self.patience = Settings(str(self.folder), length, 1), patience
        prepare(self.state, self.jobs, self.folder)

    def worker(self, name: str | None = None) -> Worker:
        name = register(self.state, name)
        return Worker(State(self.state.path), name, Performer(self.settings, name), self.patience)

    def run(self) -> dict[str, dict]:
        """By one worker to the end; the jobs by name."""
        worker = self.worker()
        worker.run()
        worker.performer.close()
        leave(self.state, worker.name)
        return self.outcome()

    def outcome(self) -> dict[str, dict]:
        return {job["job"].name: job for job in self.state.jobs()}

    def summed_up(self) -> Outcome:
        return Outcome(self.state.jobs(), 1.0)


def bury_everyone(folder: Path) -> None:
    """As if the processes of all workers were no more."""
    with sqlite3.connect(folder / "state.sqlite") as db:
        db.execute("UPDATE workers SET born = 'before'")


def started(path: Path, *options: object) -> subprocess.Popen:
    """`lpd batch` as a process of its own."""
    command = [sys.executable, "-m", "lpd_plugin", "batch", str(path), *map(str, options)]
    root = Path(__file__).parents[1]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"})


def events_in(folder: Path) -> list[tuple]:
    """What was settled so far, read from outside: (job, kind, part, what)."""
    try:
        with sqlite3.connect(f"file:{folder / 'state.sqlite'}?mode=ro", uri=True) as db:
            return db.execute("SELECT job, kind, part, what FROM events ORDER BY number").fetchall()
    except sqlite3.Error:  # not made yet
        return []


def worker_processes(folder: Path) -> list[int]:
    """Process numbers of the workers that are not known to be gone."""
    try:
        with sqlite3.connect(f"file:{folder / 'state.sqlite'}?mode=ro", uri=True) as db:
            return [pid for (pid,) in db.execute("SELECT pid FROM workers WHERE NOT gone")]
    except sqlite3.Error:
        return []


def kill_all(process: subprocess.Popen, folder: Path, workers: bool = True) -> None:
    """As a loss of power ends them."""
    pids = worker_processes(folder) if workers else []
    process.kill()
    process.wait()
    for pid in pids:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"lpd_plugin.batch" in command:
                os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


def report_of(path: Path) -> dict:
    return json.loads((path.parent / "out" / "report.json").read_text(encoding="utf-8"))


def one_job(tmp_path: Path, clip: Path, **job) -> Path:
    """A list of one job with this clip."""
    values = {"clip": str(clip)} | job.pop("set", {})
    return write_jobs(tmp_path / "w", [{"set": values} | job])
