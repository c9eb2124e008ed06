"""The executor runs what is needed, once, keeps what may be used again, and cleans up after errors."""

from __future__ import annotations

import os
from pathlib import Path

import graph_nodes
import pytest
from graph_nodes import CLASSES, LoadClip, TrackHead, log, released

from lpd_plugin.errors import BadInput, Cancelled, WorkFailed
from lpd_plugin.graph import cache, types
from lpd_plugin.cache_folder import default_cache_folder
from lpd_plugin.graph.cache import DiskCache
from lpd_plugin.graph.executor import Executor
from lpd_plugin.graph.keys import digest
from lpd_plugin.graph.node import Context, Input, Int, Node, Output
from lpd_plugin.graph.workflow import parse_workflow
from lpd_plugin.progress import Progress


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    log.clear()
    released.clear()
    monkeypatch.setattr(cache, "_codecs", {})


@pytest.fixture
def executor():
    with Executor(CLASSES) as executor:
        yield executor


@pytest.fixture
def tracks_on_disk():
    cache.register_codec(types.TRACK, lambda value, path: path.write_text(value), Path.read_text, ".track")


def workflow(which="largest", file="a.mp4", **more):
    return parse_workflow(
        {
            "1": {"class_type": "LPDLoadClip", "inputs": {"file": file}},
            "2": {"class_type": "LPDTrackHead", "inputs": {"footage": ["1", 0], "which": which}},
            "3": {"class_type": "LPDSaveText", "inputs": {"value": ["2", 0], "title": "t"}},
            **more,
        }
    )


def breaking(how):
    return parse_workflow(
        {
            "1": {"class_type": "LPDLoadClip", "inputs": {"file": "a.mp4"}},
            "4": {"class_type": "LPDBreak", "inputs": {"clip": ["1", 0], "how": how}},
        }
    )


def test_only_what_the_outputs_need_runs_and_sources_run_first(executor):
    unused = {"9": {"class_type": "LPDNumber", "inputs": {"value": 5}}}
    result = executor.run(workflow(**unused))
    assert log == ["load a.mp4", "track largest", "save track of a.mp4, largest, 0.7"]
    assert list(result.seconds) == ["1", "2", "3"] and result.cached == []
    assert result.saved == [Path("t.txt")] and result.outputs == {"3": ()}


def test_a_node_asked_for_gives_its_outputs_by_slot(executor):
    result = executor.run(workflow(), targets=["2"])
    track, preview = result.outputs["2"]
    assert track == "track of a.mp4, largest, 0.7" and preview.name == "preview"
    assert "save track of a.mp4, largest, 0.7" not in log


def test_equal_nodes_run_once_within_a_run(executor):
    twin = {
        "5": {"class_type": "LPDTrackHead", "inputs": {"footage": ["1", 0], "which": "largest", "smoothing": 0.7}},
        "6": {"class_type": "LPDSaveText", "inputs": {"value": ["5", 0], "title": "u"}},
    }
    result = executor.run(workflow(**twin))
    assert log.count("track largest") == 1 and len([line for line in log if line.startswith("save")]) == 2
    assert len(result.cached) == 1 and result.cached[0] in ("2", "5")


def test_a_second_run_runs_only_what_changed(executor):
    executor.run(workflow())
    log.clear()
    result = executor.run(workflow())
    assert log == ["save track of a.mp4, largest, 0.7"]  # outputs are always written anew
    assert result.cached == ["2"] and list(result.seconds) == ["3"]
    log.clear()
    executor.run(workflow(which="leftmost"))
    assert log == ["track leftmost", "save track of a.mp4, leftmost, 0.7"]


def test_a_changed_file_a_new_seed_and_a_new_version_count_as_changes(executor, monkeypatch):
    executor.run(workflow())
    for change in (
        lambda: monkeypatch.setattr(LoadClip, "stamp", 2),
        lambda: monkeypatch.setattr(TrackHead, "version", 2),
    ):
        change()
        log.clear()
        executor.run(workflow())
        assert "track largest" in log
    log.clear()
    executor.run(workflow(), Context(seed=7))
    assert "track largest" in log and "load a.mp4" in log


def test_picture_batches_go_as_soon_as_nobody_needs_them_and_handles_stay_for_the_next_run(executor):
    seen = []

    class Look(Node):
        id = "LPDLook"
        inputs = (Input("image", types.IMAGE),)
        outputs = (Output("number", types.INT),)

        def run(self, context, image):
            return (1,)

    class Watch(Node):
        id = "LPDWatch"
        output_node = True
        inputs = (Input("after", types.INT),)

        def run(self, context, after):
            seen.extend(released)

    executor.classes = CLASSES | {"LPDWatch": Watch, "LPDLook": Look}
    data = workflow().as_dict()
    del data["3"]
    data["4"] = {"class_type": "LPDLook", "inputs": {"image": ["2", 1]}}
    data["5"] = {"class_type": "LPDWatch", "inputs": {"after": ["4", 0]}}
    executor.run(parse_workflow(data))
    assert seen == ["preview"]  # gone while the run was still going on
    executor.run(workflow())
    assert log.count("track largest") == 1 and "a.mp4" not in released


def test_tracks_survive_on_disk_and_what_only_feeds_them_does_not_run(tmp_path, tracks_on_disk):
    context = Context(cache_folder=tmp_path)
    with Executor(CLASSES) as first:
        first.run(workflow(), context)
    log.clear()
    with Executor(CLASSES) as second:
        result = second.run(workflow(), context)
    assert log == ["save track of a.mp4, largest, 0.7"] and result.cached == ["2"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".track"]


def test_a_track_on_disk_is_not_enough_where_the_preview_is_asked_for(tmp_path, tracks_on_disk):
    context = Context(cache_folder=tmp_path)
    with Executor(CLASSES) as first:
        first.run(workflow(), context)
    log.clear()
    with Executor(CLASSES) as second:
        second.run(workflow(**{"4": {"class_type": "LPDSaveText", "inputs": {"value": ["2", 1], "title": "p"}}}), context)
    assert log.count("track largest") == 1 and "save preview" in log


def test_a_damaged_cache_file_is_ignored_and_written_again(tmp_path, tracks_on_disk):
    context = Context(cache_folder=tmp_path)
    with Executor(CLASSES) as first:
        first.run(workflow(), context)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + b"X")
    log.clear()
    with Executor(CLASSES) as second:
        second.run(workflow(), context)
    assert log == ["load a.mp4", "track largest", "save track of a.mp4, largest, 0.7"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole]


def test_a_cache_that_cannot_be_written_costs_a_note_and_not_the_work(tmp_path, tracks_on_disk):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    heard = Listener()
    with Executor(CLASSES) as executor:
        executor.run(workflow(), Context(cache_folder=blocked, progress=heard))
    assert log[-1].startswith("save track")
    assert any(f"results are not kept in {blocked}" in note for note in heard.notes)


def test_nothing_half_written_stays_in_the_cache(tmp_path):
    def fail(value, path):
        path.write_text("half")
        raise RuntimeError("no")

    cache.register_codec(types.TRACK, fail, Path.read_text, ".track")
    with Executor(CLASSES) as executor:
        executor.run(workflow(), Context(cache_folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_disk_cache_forgets_what_was_not_used_for_longest(tmp_path, tracks_on_disk):
    disk = DiskCache(tmp_path, limit=25)
    for age, key in ((300, "a"), (200, "b")):
        disk.put(key, 0, types.TRACK, "x" * 10)
        (path,) = tmp_path.glob(f"{key}-*")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    assert disk.get("a", 0, types.TRACK) == "x" * 10  # used now: b is the oldest
    disk.put("c", 0, types.TRACK, "x" * 10)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "c"]


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("LPD_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "lpd"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_folder() == Path.home() / ".cache" / "lpd"
    monkeypatch.setenv("LPD_CACHE", str(tmp_path / "mine"))
    assert default_cache_folder() == tmp_path / "mine"


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("bad", BadInput, "node 4 (LPDBreak): the clip has no head; choose another"),
        ("failed", WorkFailed, "node 4 (LPDBreak): the disk is full; make room"),
        ("bug", WorkFailed, "node 4 (LPDBreak): ZeroDivisionError: division by zero"),
        ("memory", WorkFailed, "node 4 (LPDBreak): out of memory; use smaller pictures, or fewer at a time"),
        ("interrupt", Cancelled, "cancelled"),
        ("cancel", Cancelled, "cancelled"),
    ],
)
def test_an_error_names_its_node_and_what_the_run_made_is_closed_and_forgotten(executor, monkeypatch, how, kind, said):
    handles = []
    monkeypatch.setattr(graph_nodes, "Handle", lambda name: handles.append(made := graph_nodes_handle(name)) or made)
    with pytest.raises(kind) as caught:
        executor.run(breaking(how))
    assert str(caught.value) == said and type(caught.value) is kind
    assert [handle.closed for handle in handles] == [True]
    log.clear()
    executor.run(parse_workflow(workflow().as_dict()))
    assert log[0] == "load a.mp4"  # a closed handle is not used again


graph_nodes_handle = graph_nodes.Handle


def test_a_file_that_is_missing_is_reported_before_anything_runs(executor):
    with pytest.raises(BadInput, match=r"^node 1 \(LPDLoadClip\): missing\.mp4 does not exist; check the path$"):
        executor.run(workflow(file="missing.mp4"))
    assert log == []


def test_a_linked_value_out_of_range_is_refused_by_the_node_it_reaches(executor):
    data = workflow().as_dict()
    data["1"]["inputs"]["first"] = ["8", 0]
    data["8"] = {"class_type": "LPDNumber", "inputs": {"value": 99}}
    with pytest.raises(BadInput) as caught:
        executor.run(parse_workflow(data))
    assert str(caught.value) == (
        'node 1 (LPDLoadClip): input "first": expected a whole number from 0 to 64, the link brought 99'
    )


def test_a_node_that_returns_something_else_than_it_declares_is_caught(executor):
    class Wrong(Node):
        id = "LPDWrong"
        inputs = (Int("n", default=0),)
        outputs = (Output("a", types.INT), Output("b", types.INT))

        def run(self, context, n):
            return {"a": 1}

    executor.classes = {"LPDWrong": Wrong}
    with pytest.raises(WorkFailed, match=r"node 1 \(LPDWrong\): TypeError: Wrong.run returned \['a'\]"):
        executor.run(parse_workflow({"1": {"class_type": "LPDWrong", "inputs": {}}}), targets=["1"])


class Listener(Progress):
    def __init__(self, stop_at=None):
        self.notes, self.steps, self.ended, self.stop_at = [], [], [], stop_at

    def advanced(self, task):
        self.steps.append((task.label, task.done, task.total))

    def finished(self, task):
        self.ended.append(task.label)

    def note(self, message):
        self.notes.append(message)

    def check_cancelled(self):
        if self.stop_at and len(self.steps) >= self.stop_at:
            raise Cancelled


def test_progress_and_notes_name_the_node_they_come_from(executor):
    heard = Listener()
    executor.run(workflow(), Context(progress=heard))
    assert heard.steps == [
        ("Graph", 1, 3),
        ("Track head: finding", 1, 2),
        ("Track head: finding", 2, 2),
        ("Graph", 2, 3),
        ("Graph", 3, 3),
    ]
    assert heard.notes == ["Track head: bridged 3 frames"]
    assert heard.ended == ["Track head: finding", "Graph"]


def test_a_user_can_stop_in_the_middle_of_a_node(executor):
    heard = Listener(stop_at=2)
    with pytest.raises(Cancelled):
        executor.run(workflow(), Context(progress=heard))
    assert heard.steps[-1] == ("Track head: finding", 1, 2)
    assert heard.ended == ["Track head: finding", "Graph"]


def test_nodes_see_the_whole_graph_with_its_defaults_and_a_temporary_folder_that_goes(executor):
    seen = {}

    class Look(Node):
        id = "LPDLook"
        output_node = True
        inputs = (Int("n", default=4),)

        def run(self, context, n):
            seen.update(graph=context.graph, temp=context.temp_folder, id=context.node_id)
            assert context.temp_folder.is_dir()

    executor.classes = {"LPDLook": Look}
    executor.run(parse_workflow({"a": {"class_type": "LPDLook"}}))
    assert seen["graph"] == {"a": {"class_type": "LPDLook", "inputs": {"n": 4}}} and seen["id"] == "a"
    executor.close()
    assert not seen["temp"].exists()


def test_content_digests_tell_kinds_and_nesting_apart_and_do_not_change_between_processes():
    values = [1, 1.0, True, "1", b"1", None, (1,), ((1,),), (1, 2), ((1,), 2), ("12",), ("1", "2"), {"a": 1}, ("a", 1)]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"b": 1, "a": (0.5, None)}) == digest({"a": (0.5, None), "b": 1})
    assert digest(("lpd", 1, None)).startswith("70b3bae42c7b7adb")
    with pytest.raises(TypeError, match="not object"):
        digest(object())
