"""Every file is whole or not there: temporary names, full disks, folders that are missing or closed."""

from __future__ import annotations

import os
import resource
import stat

import cv2
import numpy as np
import pytest
import torch
from clip_makers import files_in
from safetensors.torch import load_file

from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.identity import Identity
from lpd_plugin.video.track import Origin, Track
from lpd_plugin.whole_files import checked_target, write_png, write_tensors, written_whole

NOISE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


def _track(frames: int = 20_000) -> Track:
    random = np.random.default_rng(0)
    return Track(
        np.arange(frames) / 25, random.random((frames, 2)), random.random(frames), random.random(frames),
        np.full(frames, Origin.DETECTED), (640, 480),
    )  # fmt: skip


WRITERS = {
    "a picture": (lambda path: write_png(path, NOISE), "a.png"),
    "tensors": (lambda path: write_tensors(path, {"a": torch.randn(100_000)}), "a.safetensors"),
    "an identity": (
        lambda path: Identity(torch.randn(512), NOISE[None], NOISE[None, ..., 0], "digest").save(path), "a.lpd.safetensors",
    ),
    "a track": (lambda path: _track().save(path), "a.npz"),
}  # fmt: skip


@pytest.fixture
def full_disk():
    """The kernel refuses files of more than 40 kB, as it refuses any on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_file_has_its_name_only_once_it_is_whole_and_its_suffix_all_along(tmp_path):
    with written_whole(tmp_path / "a.b.png") as part:
        assert part.parent == tmp_path and part.suffix == ".png" and files_in(tmp_path) == [part.name] != ["a.b.png"]
        part.write_text("whole")
    assert files_in(tmp_path) == ["a.b.png"] and (tmp_path / "a.b.png").read_text() == "whole"


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.txt") as part:
        part.write_text("half")
        1 / 0
    assert files_in(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "before"


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_is_one_sentence_and_keeps_the_file_before(tmp_path, full_disk, what):
    write, name = WRITERS[what]
    (tmp_path / name).write_text("before")
    with pytest.raises(BadInput, match=f"the disk of {tmp_path} is full, so {name} was not written: make room"):
        write(tmp_path / name)
    assert files_in(tmp_path) == [name] and (tmp_path / name).read_text() == "before"


@pytest.mark.parametrize("what", WRITERS)
def test_others_may_read_what_is_written_as_they_may_any_new_file(tmp_path, what):
    write, name = WRITERS[what]
    (tmp_path / "plain").touch()
    write(tmp_path / name)
    assert files_in(tmp_path) == sorted([name, "plain"])
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_what_is_written_is_what_was_given(tmp_path):
    write_png(tmp_path / "a.png", NOISE)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], NOISE)
    whole = torch.arange(12.0)
    write_tensors(tmp_path / "a.safetensors", {"all": whole, "even": whole[::2]})  # one memory, two names
    assert load_file(tmp_path / "a.safetensors")["even"].tolist() == [0, 2, 4, 6, 8, 10]


def test_a_target_that_cannot_be_written_is_refused_in_advance(tmp_path, monkeypatch):
    (tmp_path / "there.png").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path))  # root may write anywhere
    (tmp_path / "closed").mkdir()
    for name, words in {
        ".": "is a folder: give the name of a file",
        "nowhere/a.png": "The folder .*nowhere does not exist: make it",
        "closed/a.png": "The folder .*closed cannot be written to: change its permissions",
        "there.png": "there.png exists already: choose another name",
        "there.png/a.png": "The folder .*there.png does not exist",
    }.items():
        with pytest.raises(BadInput, match=words):
            checked_target(tmp_path / name)
    assert checked_target(tmp_path / "there.png", overwrite=True) == tmp_path / "there.png"
    with pytest.raises(BadInput, match="nowhere does not exist"), written_whole(tmp_path / "nowhere" / "a.png"):
        raise AssertionError("no work is done for it")


def test_a_name_the_disk_does_not_take_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"a{300} cannot be written \(File name too long\): choose another name"):
        write_png(tmp_path / ("a" * 300), NOISE)
