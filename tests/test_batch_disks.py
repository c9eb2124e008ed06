"""Batches on disks that are full, not to be written to, or others than the batch's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from batch_media import Bench, bury_everyone, one_job, write_jobs

from lpd_plugin.batch.worker import Patience
from lpd_plugin.errors import WorkFailed
from lpd_plugin.video.open import open_clip


@pytest.fixture
def clip(make_clip) -> Path:
    return make_clip("talk.mp4", count=40)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system in memory; skips where that is not allowed."""
    mounted = []

    def mount(name: str, options: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_read_only_folder_is_named(clip, tmp_path, small_disk):
    locked = small_disk("readonly", "ro,size=1m")
    (outcome,) = Bench(one_job(tmp_path, clip, output=str(locked / "a.mkv"))).run().values()
    assert outcome["state"] == "failed" and "cannot be written to" in outcome["reason"]


def test_a_file_for_another_disk_than_the_batchs_gets_its_name_in_one_step_too(clip, tmp_path, small_disk):
    disk = small_disk("other", "size=8m")
    (outcome,) = Bench(one_job(tmp_path, clip, output=str(disk / "talk.mkv"))).run().values()
    assert outcome["state"] == "done", outcome["reason"]
    assert [file.name for file in disk.iterdir()] == ["talk.mkv"] and len(open_clip(disk / "talk.mkv").timestamps()) == 40


def test_a_full_disk_is_the_reason_and_the_same_batch_goes_on_when_there_is_room(clip, tmp_path, small_disk):
    disk = small_disk("small", "size=2200k")
    path = write_jobs(tmp_path / "w", [{"set": {"clip": str(clip)}}], folder=str(disk))
    filler = disk / "filler"
    filler.write_bytes(bytes(1_300_000))

    def attempt() -> dict:
        bench = Bench(path, patience=Patience(1, 0.0), folder=disk / ".lpd-batch")
        try:
            return bench.run()["talk.mkv"]
        finally:
            bench.state.close()

    try:
        outcome = attempt()
    except WorkFailed as error:  # no room even for a note of what became of the job: the batch ends
        outcome = {"state": "failed", "reason": str(error)}
    assert outcome["state"] == "failed" and "is full" in outcome["reason"], outcome
    assert not (disk / "talk.mkv").exists() and not list(disk.rglob("*.part*"))
    filler.unlink()
    bury_everyone(disk / ".lpd-batch")
    outcome = attempt()
    assert outcome["state"] == "done" and len(open_clip(disk / "talk.mkv").timestamps()) == 40
