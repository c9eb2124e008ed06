"""`lpd prepare`: what recordings become, what is dropped and why, and that no end of the work loses any."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.learning.data.any_heads import open_heads
from lpd_plugin.learning.stopping import StopRequest
from lpd_plugin.preparation.head_clips import CropSettings
from lpd_plugin.preparation.prepare import prepare
from lpd_plugin.preparation.recordings import find_recordings
from lpd_plugin.preparation.workers import WorkerDied, worked
from lpd_plugin.progress import Progress
from heads_media import heads_folder, write_video

SMALL = CropSettings(side=64, frames=10)


@pytest.fixture(scope="module")
def heads(tmp_path_factory, carphone, astronaut) -> Path:
    return heads_folder(tmp_path_factory.mktemp("heads"), carphone, astronaut)


class Notes(Progress):
    """Keeps what is said, and stops after so many recordings."""

    def __init__(self, stop_after: int = 1000):
        self.said, self.stop_after = [], stop_after

    def note(self, message: str) -> None:
        self.said.append(message)

    def advanced(self, task) -> None:
        if task.label == "preparing" and task.done >= self.stop_after:
            raise Cancelled()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def report(folder: Path) -> dict[str, dict]:
    with open(folder / "report.csv", newline="") as file:
        return {row["recording"]: row for row in csv.DictReader(file)}


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_tree_of_persons_and_voxceleb_are_read_alike_and_the_folders_say_the_split(tmp_path):
    source = tree(
        tmp_path, "dev/mp4/id1/vid-a/00001.mp4", "dev/mp4/id1/vid-a/00002.mp4", "test/mp4/id2/vid_b/00001.mp4",
        "train/her/a.MOV", "alone.mkv", "train/her/a.mp4", "her/notes.txt", ".trash/x/y.mp4",
    )  # fmt: skip
    found = {r.path: r for r in find_recordings(source, held_out=0.0)}
    assert len(found) == 6
    one = found["dev/mp4/id1/vid-a/00002.mp4"]
    assert (one.person, one.clip, one.split) == ("id1", "vid-a_00002", "train")
    assert (found["test/mp4/id2/vid_b/00001.mp4"].person, found["test/mp4/id2/vid_b/00001.mp4"].split) == ("id2", "val")
    assert found["alone.mkv"].person == "alone"
    same = {found["train/her/a.MOV"].clip, found["train/her/a.mp4"].clip}
    assert len(same) == 2, "two files of one name are two clips"
    again = [r.path for r in find_recordings(source, held_out=0.0)]
    assert again == list(found) != sorted(found), "the order is mixed, and always the same"


def test_who_is_held_out_follows_from_the_name_alone_and_different_names_stay_different(tmp_path):
    names = ["J\u00f6rg", "J\u00e4rg", "J.rg", "J_rg", *(f"p{i}" for i in range(200))]
    source = tree(tmp_path, *(f"{name}/a.mp4" for name in names))
    before = {r.person: r.split for r in find_recordings(source, held_out=0.2)}
    assert len(before) == 204 and all(c.isascii() and c != "." for person in before for c in person)
    assert 20 <= list(before.values()).count("val") <= 60
    tree(tmp_path, *(f"q{i}/a.mp4" for i in range(50)))
    after = {r.person: r.split for r in find_recordings(source, held_out=0.2)}
    assert all(after[person] == split for person, split in before.items())


def test_a_person_in_two_splits_is_refused_by_name(tmp_path):
    source = tree(tmp_path / "source", "train/ann/a.mp4", "val/ann/b.mp4")
    with pytest.raises(BadInput, match="ann is in split"):
        prepare(source, tmp_path / "shards", SMALL)


def test_a_video_of_a_talking_man_becomes_crops_with_masks_that_show_him(tmp_path, carphone):
    (tmp_path / "source" / "man").mkdir(parents=True)
    shutil.copy(carphone, tmp_path / "source" / "man" / "talk.mp4")
    settings = CropSettings(side=96, frames=12, least_head=40)
    summary = prepare(tmp_path / "source", tmp_path / "shards", settings, held_out=0.0)
    assert (summary.persons, summary.clips, summary.frames) == ({"train": 1}, {"train": 1}, {"train": 12})
    store = open_heads(tmp_path / "shards", "train")
    frames, masks = store.raw(np.arange(12))
    assert frames.shape == (12, 96, 96, 3) and masks.shape == (12, 96, 96)
    face, corners = frames[:, 36:60, 36:60].mean((0, 1, 2)), masks[:, :12, [0, -1]].mean()
    assert face[0] > face[2] + 15, "skin is in the middle, red before blue"
    assert masks[:, 40:70, 40:56].mean() > 230 and corners < 60
    index = (tmp_path / "shards" / "index.csv").read_text().splitlines()
    assert len(index) == 2 and index[1].startswith("train,man,talk,12,") and "man/talk.mp4" in index[1]


def test_what_cannot_be_used_is_dropped_with_its_reason_and_the_rest_is_kept(tmp_path, heads):
    source = shutil.copytree(heads, tmp_path / "source")
    (source / "train/man/a.mp4").write_bytes((source / "train/man/a.mp4").read_bytes()[:400])
    write_video(source / "train/man/b.mask.mp4", np.zeros((12, 48, 48, 3), np.uint8))
    write_video(source / "train/her/a.mask.mp4", np.zeros((5, 64, 64, 3), np.uint8))
    notes = Notes()
    summary = prepare(source, tmp_path / "shards", SMALL, progress=notes)
    shutil.copytree(heads, source, dirs_exist_ok=True)
    assert prepare(source, tmp_path / "shards", SMALL).dropped == summary.dropped, "not tried again unasked"
    rows = report(tmp_path / "shards")
    assert set(rows) == {"train/man/a.mp4", "train/man/b.mp4", "train/her/a.mp4"} and len(notes.said) == 3
    assert "Cannot read" in rows["train/man/a.mp4"]["reason"]
    assert "frames of 64x64 but masks of 48x48 pixels" in rows["train/man/b.mp4"]["reason"]
    assert "10 frames but 5 masks" in rows["train/her/a.mp4"]["reason"]
    assert summary.dropped == {"cannot be used": 3} and summary.clips == {"train": 1, "val": 1}
    assert {c.clip for c in open_heads(tmp_path / "shards", "train").clips} == {"c"}
    assert prepare(source, tmp_path / "shards", SMALL, retry=True).clips == {"train": 4, "val": 1}
    assert not report(tmp_path / "shards")


def test_a_clip_without_a_face_and_a_head_too_small_are_dropped_and_nothing_at_all_is_bad_input(tmp_path, carphone, capsys):
    wall = np.full((10, 120, 160, 3), (90, 120, 130), np.uint8)
    wall[:, 40:60] = 30
    write_video(tmp_path / "source/wall/a.mp4", wall)
    write_video(tmp_path / "source/man/few.mp4", _first_frames(carphone, 4))
    shutil.copy(carphone, tmp_path / "source/man/small.mp4")
    with pytest.raises(SystemExit) as end:
        main(["prepare", str(tmp_path / "source"), str(tmp_path / "shards"), "--processes", "1", "--least-head", "130"])
    assert end.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("lpd: None of the 3 recordings in") and said.endswith("report.csv.")
    reasons = {name: row["reason"] for name, row in report(tmp_path / "shards").items()}
    assert reasons["wall/a.mp4"] == "no head was found in any of 10 frames"
    assert "the head is too small: its crop measures" in reasons["man/small.mp4"]
    assert not (tmp_path / "shards/index.csv").exists()
    with pytest.raises(BadInput, match="None of the 3"):
        prepare(tmp_path / "source", tmp_path / "shards", CropSettings(least_head=130, frames=64))
    again = prepare(tmp_path / "source", tmp_path / "more", CropSettings(least_head=40, frames=3, least_frames=3), held_out=0.0)
    assert again.clips == {"train": 2}
    with pytest.raises(BadInput, match="was begun with least_head 40, not 96"):
        prepare(tmp_path / "source", tmp_path / "more", CropSettings(frames=3, least_frames=3), held_out=0.0)


def _first_frames(path: Path, count: int) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(count))])


def test_stopped_and_resumed_it_gives_the_same_shards_and_does_nothing_twice(tmp_path, heads, monkeypatch):
    whole = tmp_path / "whole"
    prepare(heads, whole, SMALL, shard_bytes=1)
    stopped = tmp_path / "stopped"
    for after in (2, 4):
        with pytest.raises(Cancelled, match=f"stopped after {after} of 5 recordings; the same command goes on"):
            prepare(heads, stopped, SMALL, progress=Notes(stop_after=after))
        assert not (stopped / "index.csv").exists(), "what is not done does not look done"
        with pytest.raises(BadInput, match="not finished yet: run the same lpd prepare again"):
            open_heads(stopped, "train")
    (stopped / ".train-000007.part.tar").write_bytes(b"half")
    (stopped / "train-000007.tar").write_bytes(b"whole, but in no index: the work ended before it could count")
    (stopped / ".unfinished/parts/.abc.part.tar").write_bytes(b"half")
    with open(stopped / ".unfinished/dropped.jsonl", "a") as file:
        file.write('{"recording": "torn')
    read = []
    monkeypatch.setattr("lpd_plugin.preparation.prepare.crops_of", _counting(read))
    prepare(heads, stopped, SMALL, shard_bytes=1)  # smaller shards than before: what waits fills some at once
    assert len(read) == 1 and contents(stopped) == contents(whole)
    assert len(list(stopped.glob("*.tar"))) == 5
    prepare(heads, stopped, SMALL, shard_bytes=1)
    assert len(read) == 1 and contents(stopped) == contents(whole), "what is done stays as it is"


def _counting(read: list):
    from lpd_plugin.preparation.head_clips import crops_of

    def counted(source, recording, *rest):
        read.append(recording.path)
        return crops_of(source, recording, *rest)

    return counted


def test_new_recordings_are_added_and_a_person_cannot_change_sides(tmp_path, heads):
    source = shutil.copytree(heads, tmp_path / "source")
    rows = (source / "index.csv").read_text().splitlines()
    (source / "index.csv").write_text("\n".join([rows[0], rows[2], rows[5]]) + "\n")
    prepare(source, tmp_path / "shards", SMALL)
    first = contents(tmp_path / "shards")
    (source / "index.csv").write_text("\n".join(rows) + "\n")
    summary = prepare(source, tmp_path / "shards", SMALL)
    assert sum(summary.clips.values()) == 5 and summary.shards == 3
    index = [line.split(",")[-3] for line in (tmp_path / "shards/index.csv").read_text().splitlines()[1:]]
    assert index == sorted(index), "the index does not tell in which order things were done"
    assert contents(tmp_path / "shards")["train-000000.tar"] == first["train-000000.tar"]
    (source / "index.csv").write_text(rows[0] + "\n" + rows[1].replace("train,", "val,", 1) + "\n")
    with pytest.raises(BadInput, match="is in split 'train' and in another one"):
        prepare(source, tmp_path / "shards", SMALL)


def test_a_shard_cut_in_the_middle_is_named_and_only_what_is_lost_is_prepared_again(tmp_path, heads, monkeypatch):
    folder = tmp_path / "shards"
    prepare(heads, folder, SMALL)
    before = contents(folder)
    shard = folder / "train-000000.tar"
    os.truncate(shard, shard.stat().st_size // 2)
    with pytest.raises(BadInput, match=r"train-000000.tar is cut short: \d+ of \d+ bytes are there; copy it again"):
        open_heads(folder, "train")
    read, notes = [], Notes()
    monkeypatch.setattr("lpd_plugin.preparation.prepare.crops_of", _counting(read))
    prepare(heads, folder, SMALL, progress=notes)
    assert 1 <= len(read) < 4 and f"{len(read)} of its 4 clips are prepared again" in notes.said[0]
    assert _pictures(folder) == _pictures_of(before, tmp_path)


def _pictures(folder: Path) -> dict[str, bytes]:
    store = open_heads(folder, None)
    return {f"{c.person}/{c.clip}": store.raw(np.arange(c.start, c.stop))[0].tobytes() for c in store.clips}


def _pictures_of(files: dict[str, bytes], tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "before"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return _pictures(folder)


@pytest.mark.parametrize("limit, kept", [(20_000, 0), (120_000, 5)], ids=["for a clip", "for a shard of four"])
def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path, heads, limit, kept):
    folder, limits = tmp_path / "shards", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(BadInput, match=r"the disk of .* is full, so \S+.tar was not written: make room"):
            prepare(heads, folder, SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(folder.glob("*.tar")) and not (folder / "index.csv").exists() and not list(folder.rglob(".*part*"))
    assert len(list((folder / ".unfinished/parts").glob("*.tar"))) == kept
    notes = Notes()
    assert sum(prepare(heads, folder, SMALL, progress=notes).clips.values()) == 5 and not notes.said


def test_a_killed_command_goes_on_with_several_processes(tmp_path, heads):
    folder = tmp_path / "shards"
    command = [sys.executable, "-m", "lpd_plugin", "prepare", str(heads), str(folder), "--side", "64", "--frames", "10"]
    command.append("--json")
    running = subprocess.Popen([*command, "--processes", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts = folder / ".unfinished/parts"
    deadline = time.monotonic() + 60
    while not (parts.is_dir() and any(parts.glob("[!.]*.tar"))) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = subprocess.run([*command, "--processes", "2"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["clips"] == {"train": 4, "val": 1}
    prepare(heads, tmp_path / "whole", SMALL)
    assert contents(folder) == contents(tmp_path / "whole")


def _half_or_die(item: int, progress: Progress) -> float:
    if item == 3:
        os._exit(9)  # as a crash inside a library, or the kernel when memory runs out
    if item == 99:
        raise BadInput("the disk is full")
    return item / 2


def test_a_recording_that_ends_its_process_takes_no_other_with_it_and_bad_input_stops_all():
    with StopRequest() as stop:
        outcomes = dict(worked(_half_or_die, range(6), 2, stop))
        assert isinstance(outcomes.pop(3), WorkerDied) and outcomes == {i: i / 2 for i in (0, 1, 2, 4, 5)}
        with pytest.raises(BadInput, match="the disk is full"):
            list(worked(_half_or_die, [99, 1], 2, stop))
        stop.asked = True
        with pytest.raises(Cancelled):
            list(worked(_half_or_die, range(6), 2, stop))


WAITS = """
import sys, time
from lpd_plugin.learning.stopping import StopRequest
from lpd_plugin.preparation.workers import worked

def wait(item, progress):
    print("at work", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    with StopRequest() as stop:
        list(worked(wait, range(2), 2, stop))
"""


def test_no_worker_outlives_the_first_process_however_that_was_killed(tmp_path):
    (tmp_path / "waits.py").write_text(WAITS)
    here = os.environ | {"PYTHONPATH": os.getcwd()}
    first = subprocess.Popen([sys.executable, tmp_path / "waits.py"], stdout=subprocess.PIPE, text=True, env=here)
    said = [first.stdout.readline() for _ in range(2)]
    first.kill()
    rest, _ = first.communicate(timeout=120)  # until nobody is left who could write
    assert said == ["at work\n"] * 2 and rest == ""


def test_a_folder_with_other_things_in_it_is_left_alone_and_two_at_once_are_refused(tmp_path, heads):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="mine holds other things: choose an empty or a new folder"):
        prepare(heads, tmp_path / "mine", SMALL)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]

    class Second(Progress):
        def started(self, task) -> None:
            with pytest.raises(BadInput, match="Another lpd prepare is filling"):
                prepare(heads, tmp_path / "shards", SMALL)

    prepare(heads, tmp_path / "shards", SMALL, progress=Second())


def test_the_command_says_what_it_made_and_refuses_what_it_cannot_use(tmp_path, heads, capsys):
    main(["prepare", str(heads), str(tmp_path / "shards"), "--side", "64", "--processes", "1"])
    out = capsys.readouterr().out
    assert "train: 2 persons, 4 clips" in out and "val: 1 persons, 1 clips" in out
    for arguments, words in {
        (tmp_path / "nowhere", tmp_path / "x"): "nowhere does not exist",
        (tmp_path / "shards", tmp_path / "x"): "is prepared already",
        (tree(tmp_path / "texts", "a/b.txt"), tmp_path / "x"): "holds no video",
    }.items():
        with pytest.raises(SystemExit) as end:
            main(["prepare", *map(str, arguments)])
        assert end.value.code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
