"""A batch that is killed again and again: it goes on, loses nothing, does nothing twice, and its files are the same."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from batch_media import events_in, kill_all, report_of, started, state_folder, worker_processes, write_jobs

KILLS = 20


@pytest.fixture
def clips(make_clip):
    """Eight moving clips of 72 frames, each of another part of the man's talk."""
    return [make_clip(f"talk {n}.mp4", count=72, ticks=[i * (n + 1) for i in range(72)]) for n in range(8)]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.mkv"))}


def killed_at(process, folder: Path, settled: int, in_a_file: bool) -> bool:
    """Kill everything once so many pieces of work are settled, and with `in_a_file`, while a segment is being written; False
    where the batch ended before."""
    while process.poll() is None:
        if len(events_in(folder)) >= settled:
            if not in_a_file or _being_written(folder):
                kill_all(process, folder)
                return True
        time.sleep(0.005)
    return False


def _being_written(folder: Path) -> bool:
    """Whether a part of a segment's file holds anything; parts, and folders of jobs, come and go while they are looked at."""
    with contextlib.suppress(FileNotFoundError):
        return any(file.stat().st_size for file in folder.glob("jobs/*/segments-*/*.part"))
    return False


def test_twenty_kills_later_every_file_is_the_one_of_an_undisturbed_run(clips, tmp_path):
    home = tmp_path / "work"
    path = write_jobs(home, [{"each": {"clip": [str(clip) for clip in clips]}}])
    undisturbed = started(path, "--segment-frames", 8, "--threads", 1)
    assert undisturbed.wait() == 0, undisturbed.stdout.read()
    wanted = contents(home / "out")
    assert len(wanted) == len(clips)
    shutil.move(home / "out", tmp_path / "undisturbed")

    dice, kills, folder = random.Random(7), 0, state_folder(path)
    while kills < KILLS:
        before = len(events_in(folder))
        process = started(path, "--segment-frames", 8, "--threads", 1)
        if killed_at(process, folder, before + dice.randint(1, 4), dice.random() < 0.5):
            kills += 1
            continue
        _check(home, folder, wanted)  # it ended before its time was come: once more from the start
        shutil.rmtree(home / "out")
    last = started(path, "--segment-frames", 8, "--threads", 1)
    assert last.wait() == 0, last.stdout.read()
    _check(home, folder, wanted)


def _check(home: Path, folder: Path, wanted: dict[str, bytes]) -> None:
    assert contents(home / "out") == wanted
    settled = Counter((job, kind, part) for job, kind, part, what in events_in(folder) if what in ("rendered", "adopted", "placed"))
    assert set(settled.values()) == {1}, "a segment or a job was done twice"
    assert len([1 for key in settled if key[1] == "finish"]) == len(wanted)
    assert report_of(home / "jobs.yaml")["counts"] == {"done": len(wanted), "failed": 0, "running": 0, "waiting": 0}
    assert not [file for file in (home / "out").rglob("*.part*")] and not (folder / "jobs").exists()


def test_two_runners_of_one_batch_one_of_them_killed_do_every_job_once(clips, tmp_path):
    path = write_jobs(tmp_path / "work", [{"each": {"clip": [str(clip) for clip in clips]}}])
    folder = state_folder(path)
    first, second = (started(path, "--segment-frames", 8) for _ in range(2))
    while len(events_in(folder)) < 12 and first.poll() is None:
        time.sleep(0.01)
    first.kill()  # its worker notices by itself that nobody waits for it any more
    first.wait()
    assert second.wait() == 0, second.stdout.read()
    settled = Counter((job, kind, part) for job, kind, part, what in events_in(folder) if what in ("rendered", "adopted", "placed"))
    assert set(settled.values()) == {1} and len([1 for key in settled if key[1] == "finish"]) == len(clips)
    assert len(contents(path.parent / "out")) == len(clips)


def test_a_worker_that_is_killed_is_replaced_and_its_segment_rendered_again(clips, tmp_path):
    path = write_jobs(tmp_path / "work", [{"each": {"clip": [str(clip) for clip in clips[:3]]}}])
    folder = state_folder(path)
    process = started(path, "--segment-frames", 8, "--retry-wait", 0)
    while len(events_in(folder)) < 4:
        time.sleep(0.01)
    (pid,) = worker_processes(folder)
    os.kill(pid, signal.SIGKILL)
    assert process.wait() == 0, process.stdout.read()
    assert report_of(path)["counts"]["done"] == 3 and len(contents(path.parent / "out")) == 3
