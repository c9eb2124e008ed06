"""A graph that runs in a host elsewhere: its files travel, its progress and errors come back as ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lpd_plugin.errors import BadInput, Cancelled, WorkFailed
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.graph.validation import InvalidWorkflow
from lpd_plugin.graph.workflow import parse_workflow
from lpd_plugin.progress import Progress
from lpd_plugin.remote import run as remote_run
from lpd_plugin.remote.client import HostAnswered, HostClient
from lpd_plugin.remote.run import run_on_host
from lpd_plugin.remote.shipping import shipped
from lpd_plugin.remote.watching import Watch


class Host:
    """Stands for HostClient: a host with folders in memory, which is asked and told things."""

    id, is_here = "client", False

    def __init__(self, answers=()):
        self.answers, self.posted, self.files, self.fetched = dict(answers), [], {}, []

    def get(self, path, **query):
        answer = self.answers[path]
        return answer() if callable(answer) else answer

    def post(self, path, content):
        self.posted.append((path, content))
        answer = self.answers.get(path)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def has_file(self, name, subfolder, kind):
        return (kind, subfolder, name) in self.files

    def upload(self, path, name, subfolder):
        self.files["input", subfolder, name] = Path(path).read_bytes()

    def fetch(self, name, subfolder, kind, target):
        if (kind, subfolder, name) not in self.files:
            raise HostAnswered(404, "")
        Path(target).write_bytes(self.files[kind, subfolder, name])


class Messages:
    """What the host says, in order; then it is silent."""

    def __init__(self, *messages, last=TimeoutError):
        self.messages, self.last = list(messages), last

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def recv(self, timeout):
        if not self.messages:
            raise self.last
        kind, data = self.messages.pop(0)
        return json.dumps({"type": kind, "data": {"prompt_id": "n", **data}})


class Seen(Progress):
    def __init__(self):
        self.steps, self.notes = [], []

    def advanced(self, task):
        self.steps.append((task.label, task.done, task.total))

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def graph(tmp_path):
    """A clip of this machine's, re-saved."""

    def make(**save):
        (tmp_path / "shot.mp4").write_bytes(b"a shot")
        return parse_workflow({
            "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(tmp_path / "shot.mp4")}},
            "2": {"class_type": "LPDSaveClip", "inputs": {"clip": ["1", 0], "file": str(tmp_path / "done.mp4"), **save}},
        })  # fmt: skip

    return make


def test_files_travel_there_once_under_names_of_their_content_and_results_come_back_under_their_own(graph, tmp_path):
    host = Host()
    sent, fetches = shipped(graph(), node_classes(), host, "run1", Progress())
    name = sent.nodes["1"].inputs["file"]
    assert name.startswith("lpd/") and name.endswith("-shot.mp4") and str(tmp_path) not in json.dumps(sent.as_dict())
    assert host.files == {("input", "lpd", name.removeprefix("lpd/")): b"a shot"}
    assert sent.nodes["2"].inputs["file"] == "lpd/run1/done.mp4"
    assert [(one.name, one.subfolder, one.target) for one in fetches] == [("done.mp4", "lpd/run1", tmp_path / "done.mp4")]
    host.upload = None  # a second run sends nothing
    assert shipped(graph(), node_classes(), host, "run2", Progress())[0].nodes["1"].inputs["file"] == name


def test_a_host_on_this_machine_reads_files_where_they_lie(graph, tmp_path, monkeypatch):
    host = Host()
    host.is_here = True
    monkeypatch.chdir(tmp_path)
    workflow = graph()
    workflow.nodes["1"].inputs["file"] = "shot.mp4"
    sent, _ = shipped(workflow, node_classes(), host, "run", Progress())
    assert sent.nodes["1"].inputs["file"] == str(tmp_path / "shot.mp4") and not host.files


def test_what_is_not_here_is_taken_for_the_hosts_own(graph):
    workflow = graph()
    workflow.nodes["1"].inputs["file"] = "in the host's input folder.mp4"
    assert shipped(workflow, node_classes(), Host(), "run", Progress())[0].nodes["1"].inputs["file"].startswith("in the host")


@pytest.fixture
def shots(tmp_path):
    """Three numbered images, and a file beside them that is none."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in (9, 10, 11):
        (folder / f"shot_{number:04}.png").write_bytes(b"image %d" % number)
    (folder / "notes.txt").write_text("not of the sequence")
    return folder


def sent_as(workflow, host, source):
    workflow.nodes["1"].inputs["file"] = str(source)
    return shipped(workflow, node_classes(), host, "run", Progress())[0].nodes["1"].inputs["file"]


@pytest.mark.parametrize("pattern", ["", "shot_%04d.png", "shot_####.png", "shot_*.png", "shot_????.png"])
def test_a_folder_or_a_pattern_of_images_travels_into_a_folder_named_by_its_content(graph, shots, pattern):
    host = Host()
    name = sent_as(graph(), host, shots / pattern)
    folder = name.removesuffix(f"/{pattern}") if pattern else name
    assert folder.startswith("lpd/") and folder.endswith("" if pattern else "-shots") and str(shots.parent) not in name
    assert host.files == {("input", folder, f"shot_{n:04}.png"): b"image %d" % n for n in (9, 10, 11)}
    host.upload = None  # a second run sends nothing
    assert sent_as(graph(), host, shots / pattern) == name


def test_images_that_changed_travel_anew_and_a_run_cut_short_sends_only_what_is_missing(graph, shots):
    host = Host()
    before = sent_as(graph(), host, shots)
    del host.files["input", before, "shot_0010.png"]
    taken, upload = [], host.upload
    host.upload = lambda path, name, subfolder: (taken.append(name), upload(path, name, subfolder))
    assert sent_as(graph(), host, shots) == before and taken == ["shot_0010.png"]
    (shots / "shot_0011.png").write_bytes(b"rendered again")
    assert sent_as(graph(), host, shots) != before


def test_a_pattern_that_matches_nothing_here_is_the_hosts_own_and_a_folder_without_images_is_refused(graph, shots, tmp_path):
    assert sent_as(graph(), Host(), shots / "other_####.png") == str(shots / "other_####.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r'^node 1 \(LPDLoadClip\), input "file": the folder .*empty has no images in it'):
        sent_as(graph(), Host(), tmp_path / "empty")


def test_images_that_a_host_wrote_come_back_as_a_whole_sequence_or_not_at_all(graph, tmp_path, monkeypatch):
    told = {"lpd_images": [{"file": "done.####.png", "first": "done.1001.png", "frames": 2}]}
    host = Host({"/prompt": {"prompt_id": "n"}, "/history/n": {"n": {"outputs": {"2": told}}}})
    host.messages = lambda: Messages(("execution_success", {}))
    numbers, original = [1001, 1002], host.post

    def post(path, content):
        folder, _, name = content["prompt"]["2"]["inputs"]["file"].rpartition("/")
        for number in numbers:
            host.files["output", folder, name.replace("####", str(number))] = b"image %d" % number
        return original(path, content)

    host.post = post
    monkeypatch.setattr(remote_run, "HostClient", lambda _: host)
    workflow = graph(format="png", file=str(tmp_path / "out" / "done.####.png"), first_number="1001")
    assert run_on_host(workflow, "host", Progress()).files == [tmp_path / "out" / "done.1001.png"]
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == {f"done.{n}.png": b"image %d" % n for n in numbers}
    with pytest.raises(BadInput, match="2 images of the name .* exist already"):
        run_on_host(workflow, "host", Progress())
    numbers.pop()
    workflow.nodes["2"].inputs["file"] = str(tmp_path / "torn" / "done.####.png")
    with pytest.raises(WorkFailed, match=r"^the host does not hand out done.1002.png \(HTTP 404\); look in its output folder"):
        run_on_host(workflow, "host", Progress())
    assert not (tmp_path / "torn").exists()


def test_what_cannot_travel_is_refused_by_node_and_input(graph, tmp_path):
    host = Host()
    host.upload = lambda *_: (_ for _ in ()).throw(HostAnswered(413, ""))
    with pytest.raises(BadInput, match="shot.mp4 is larger than the host takes; start it with a larger --max-upload-size"):
        shipped(graph(), node_classes(), host, "run", Progress())


def watched(*messages, host=None, progress=None, graph=None, **options):
    host = host or Host({"/history/n": {"n": {"outputs": {"2": {"text": ["done"]}}}}})
    workflow = parse_workflow({"2": {"class_type": "LPDSaveClip", "inputs": {}}})
    return Watch(host, workflow, progress or Progress(), "n").until_done(Messages(*messages, **options))


def test_the_hosts_progress_is_shown_by_node_and_other_peoples_is_not():
    seen = Seen()
    outputs = watched(
        ("progress", {"node": "2", "value": 1, "max": 3}),
        ("progress", {"node": "2", "value": 9, "max": 9, "prompt_id": "somebody else's"}),
        ("execution_success", {"prompt_id": "somebody else's"}),
        ("progress", {"node": "2", "value": 3, "max": 3}),
        ("executing", {"node": None}),
        progress=seen,
    )
    assert seen.steps == [("node 2 (LPDSaveClip)", 1, 3), ("node 2 (LPDSaveClip)", 3, 3)]
    assert outputs == {"2": {"text": ["done"]}}


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("lpd_plugin.errors.BadInput", BadInput, "^node 2 .LPDSaveClip.: no such file$"),
        ("lpd_plugin.errors.WorkFailed", WorkFailed, "^node 2 .LPDSaveClip.: no such file$"),
        ("builtins.ValueError", WorkFailed, "^node 2 .LPDSaveClip.: ValueError: no such file$"),
    ],
)
def test_a_nodes_failure_in_the_host_is_the_error_that_a_run_here_would_raise(kind, error, said):
    failed = {"node_id": "2", "node_type": "LPDSaveClip", "exception_type": kind, "exception_message": "no such file\n"}
    with pytest.raises(error, match=said):
        watched(("execution_error", failed))
    silent = Host({"/history/n": {"n": {"status": {"messages": [["execution_error", failed]]}}}})
    with pytest.raises(error, match=said):
        watched(("execution_success", {}), host=silent)


def test_a_run_is_over_only_when_the_host_has_written_down_what_it_gave():
    answers = iter([{}, {}, {"n": {"outputs": {"2": {"text": ["done"]}}}}])
    host = Host({"/history/n": lambda: next(answers), "/queue": {"queue_running": [[0, "n"]], "queue_pending": []}})
    assert watched(("execution_success", {}), host=host) == {"2": {"text": ["done"]}}
    lost = Host({"/history/n": {}, "/queue": {"queue_running": [], "queue_pending": []}})
    with pytest.raises(WorkFailed, match="the host knows nothing of this run any more"):
        watched(("execution_success", {}), host=lost)


def test_ctrl_c_stops_this_run_in_the_host_and_no_other():
    host = Host()
    with pytest.raises(Cancelled):
        watched(("progress", {"node": "2", "value": 1, "max": 3}), host=host, last=KeyboardInterrupt)
    assert host.posted == [("/queue", {"delete": ["n"]}), ("/interrupt", {"prompt_id": "n"})]


def test_what_the_host_finds_wrong_is_told_by_node_each_thing_once(graph, monkeypatch):
    own = {"type": "custom_validation_failed", "message": "m", "details": 'file - input "file": gone', "extra_info": {"input_name": "file"}}
    host = Host({"/prompt": HostAnswered(400, {"error": {"message": "no"}, "node_errors": {
        "1": {"class_type": "LPDLoadClip", "errors": [own, own]},
        "2": {"class_type": "LPDSaveClip", "errors": [
            {"type": "value_not_in_list", "message": "Value not in list", "details": "format: 'x'", "extra_info": {"input_name": "format"}}]},
    }})})  # fmt: skip
    host.messages = Messages
    monkeypatch.setattr(remote_run, "HostClient", lambda _: host)
    with pytest.raises(InvalidWorkflow) as raised:
        run_on_host(graph(), "host", Progress())
    assert [str(one) for one in raised.value.problems] == [
        'node 1 (LPDLoadClip): input "file": gone',
        'node 2 (LPDSaveClip), input "format": Value not in list: format: \'x\'',
    ]


def test_a_whole_run_writes_the_hosts_file_here_and_tells_what_the_nodes_said(graph, tmp_path, monkeypatch):
    host = Host({"/prompt": {"prompt_id": "n"}, "/history/n": {"n": {"outputs": {"2": {"text": ["15 frames"]}}}}})
    host.messages = lambda: Messages(("execution_success", {}))
    original = host.post

    def post(path, content):
        name = content["prompt"]["2"]["inputs"]["file"]
        host.files["output", *name.rsplit("/", 1)] = b"rendered"
        assert content["prompt"]["2"]["inputs"]["format"] == "h264"  # hosts demand every value
        return original(path, content)

    host.post = post
    monkeypatch.setattr(remote_run, "HostClient", lambda _: host)
    done = run_on_host(graph(), "host", seen := Seen())
    assert done.files == [tmp_path / "done.mp4"] and done.files[0].read_bytes() == b"rendered"
    assert done.notes == ["node 2 (LPDSaveClip): 15 frames"] == seen.notes
    with pytest.raises(BadInput, match="done.mp4 exists already"):
        run_on_host(graph(), "host", Progress())
    assert run_on_host(graph(overwrite=True), "host", Progress()).files == [tmp_path / "done.mp4"]


def test_a_folder_for_results_that_is_missing_is_said_before_anything_is_sent(graph, tmp_path, monkeypatch):
    monkeypatch.setattr("lpd_plugin.remote.run.HostClient", lambda address: pytest.fail("the host was asked"))
    with pytest.raises(BadInput, match="nowhere does not exist: make it first"):
        run_on_host(graph(), "host", Progress(), folder=tmp_path / "nowhere")


def test_an_address_that_is_none_and_a_host_that_is_not_there_are_told_apart():
    with pytest.raises(BadInput, match="^ftp://x is not the address of a host; write it as"):
        HostClient("ftp://x")
    with pytest.raises(WorkFailed, match="^No host answers at http://127.0.0.1:9 "):
        HostClient("127.0.0.1:9").get("/queue")
