"""Declared nodes become a host's nodes: schema, checks, files, progress, errors, results."""

from __future__ import annotations

import importlib
import inspect
import sys
from types import SimpleNamespace

import fake_comfyui
import pytest

from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Choice, File, Float, Input, Int, Model, Node, Output, Text
from lpd_plugin.graph.registry import nodes_package


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = fake_comfyui.install(monkeypatch, tmp_path)
    fake_comfyui.forget_adapter(monkeypatch)
    yield host
    for name in [name for name in sys.modules if name.startswith("lpd_plugin.nodes.host")]:
        del sys.modules[name]


@pytest.fixture
def adapter(host):
    nodes_package()
    return importlib.import_module("lpd_plugin.nodes.host.comfyui")


class Track(Node):
    id = "LPDTestTrack"
    name = "Track"
    category = "LPD/test"
    description = "Follows a head"
    search_aliases = ("face",)
    inputs = (
        Input("footage", (types.VIDEO, types.IMAGE), tooltip="The clip"),
        Choice("which", ("largest", "leftmost"), "largest", tooltip="Which head"),
        Int("count", default=4, minimum=0, maximum=9, tooltip="How many"),
        Float("amount", default=0.5, tooltip="How much"),
        Bool("strict", tooltip="Whether"),
        Text("title", multiline=True, tooltip="A name"),
        Input("track", types.TRACK, optional=True, tooltip="One from before"),
    )
    outputs = (Output("track", types.TRACK, tooltip="The way"), Output("count", types.INT))

    def run(self, context, footage, which, count, amount, strict, title, track):
        for _ in context.progress.track(range(count), "finding", count):
            pass
        return {"count": count + 1, "track": (footage, which, amount, strict, title, track, context.graph, context.device)}


class Store(Node):
    id = "LPDTestStore"
    name = "Store"
    category = "LPD/test"
    description = "Copies a file"
    output_node = True
    inputs = (
        File("source", tooltip="What"),
        File("path", default="a/b.png", writes=True, tooltip="Where to"),
        Choice("late", lambda: [], tooltip="Nothing there"),
    )

    @classmethod
    def fingerprint(cls, source, path, late):
        return (source, path)

    def run(self, context, source, path, late):
        with open(source, "rb") as read, open(path, "wb") as write:
            write.write(read.read())
        context.saved_file(path)
        context.saved_file(source)


class Strict(Node):
    id = "LPDTestStrict"
    name = "Strict"
    inputs = (Int("low", default=0), Int("high", default=1))

    @classmethod
    def check(cls, low, high):
        if low is not None and high is not None and low > high:
            return f"low ({low}) is above high ({high}); exchange them"
        return None

    def run(self, context, low, high):
        raise Cancelled


def test_a_declaration_becomes_a_schema_in_the_hosts_words(adapter):
    schema = adapter.host_class(Track).define_schema()
    assert (schema.node_id, schema.display_name, schema.category) == ("LPDTestTrack", "Track", "LPD/test")
    assert schema.search_aliases == ["face"] and schema.hidden == ["PROMPT", "UNIQUE_ID"] and not schema.is_output_node
    kinds = {one.id: (one.io_type, one.optional, one.tooltip) for one in schema.inputs}
    assert kinds["footage"] == ("VIDEO,IMAGE", False, "The clip")
    assert kinds["track"] == ("LPD_TRACK", True, "One from before")
    assert [one.id for one in schema.inputs] == [one.name for one in Track.inputs]  # widgets in their order
    options = {one.id: one.options for one in schema.inputs}
    assert options["count"] == {"default": 4, "min": 0, "max": 9, "step": 1}
    assert options["which"] == {"default": "largest", "options": ["largest", "leftmost"]}
    assert options["strict"] == {"default": False} and options["title"] == {"default": "", "multiline": True}
    assert [(one.io_type, one.display_name, one.tooltip) for one in schema.outputs] == [
        ("LPD_TRACK", "track", "The way"),
        ("INT", "count", ""),
    ]


def test_what_an_older_host_does_not_know_is_left_out(monkeypatch, tmp_path, host):
    sys.modules["comfy_api.latest"].io.Schema = fake_comfyui.Schema
    nodes_package()
    schema = importlib.import_module("lpd_plugin.nodes.host.comfyui").host_class(Track).define_schema()
    assert not hasattr(schema, "search_aliases") and schema.node_id == "LPDTestTrack"


def test_a_choice_with_nothing_to_choose_says_so_and_a_failing_list_does_not_take_the_pack_away(adapter):
    late = adapter.schema_of(Store).inputs[2]
    assert late.options["options"] == ["(nothing found)"]

    class Broken(Node):
        id = "LPDTestBroken"
        inputs = (Choice("file", lambda: 1 / 0),)

    assert adapter.schema_of(Broken).inputs[0].options["options"] == ["(nothing found)"]


def test_a_run_gets_every_input_and_gives_its_outputs_in_order(adapter, host):
    made = adapter.host_class(Track)
    made.hidden = SimpleNamespace(prompt={"1": {}})
    output = made.execute(footage="batch", which="leftmost", count=3, amount=1, strict=True, title="t")
    track, count = output.args
    assert track == ("batch", "leftmost", 1.0, True, "t", None, {"1": {}}, "cpu") and count == 4
    assert host.bars == [[(1, 3), (2, 3), (3, 3)]] and output.ui is None


def test_the_graph_is_kept_out_of_files_where_the_host_was_told_so(adapter, host):
    host.disable_metadata = True
    made = adapter.host_class(Track)
    made.hidden = SimpleNamespace(prompt={"1": {}})
    assert made.execute(footage=None, which="largest", count=0, amount=1, strict=True, title="").args[0][6] is None


def test_a_value_that_the_host_let_through_is_refused_when_the_node_runs(adapter):
    with pytest.raises(BadInput, match='^input "which": expected one of largest, leftmost, got \'x\'$'):
        adapter.host_class(Track).execute(footage=None, which="x", count=0, amount=1, strict=True, title="")


def test_the_stop_button_ends_a_run_with_the_hosts_own_exception(adapter, host):
    host.stop_after = 2
    with pytest.raises(fake_comfyui.InterruptProcessingException):
        adapter.host_class(Track).execute(footage=None, which="largest", count=9, amount=1, strict=True, title="")
    assert host.bars == [[(1, 9), (2, 9)]]
    host.stop_after = None
    with pytest.raises(fake_comfyui.InterruptProcessingException):
        adapter.host_class(Strict).execute(low=0, high=1)


def test_validation_names_the_parameters_the_host_looks_for_and_says_what_is_wrong(adapter):
    made = adapter.host_class(Track)
    spec = inspect.getfullargspec(made.validate_inputs)
    assert spec.args == ["cls", "which"] and spec.varkw is None and spec.defaults == (None,)
    assert made.validate_inputs(which="largest") is True
    assert made.validate_inputs(which=None) is True  # linked
    assert made.validate_inputs(which="x") == "input \"which\": expected one of largest, leftmost, got 'x'"
    strict = adapter.host_class(Strict)
    assert strict.validate_inputs(low=1, high=2) is True and strict.validate_inputs(low=None, high=2) is True
    assert strict.validate_inputs(low=3, high=2) == "low (3) is above high (2); exchange them"


def test_a_package_that_the_host_lacks_is_named_before_anything_runs(adapter, host, monkeypatch):
    packages = importlib.import_module("lpd_plugin.nodes.host.packages")
    find = packages.importlib.util.find_spec
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None if name == "cv2" else find(name))
    said = "LPD needs opencv-python-headless: run 'python -m pip install opencv-python-headless' with the host's own Python"
    made = adapter.host_class(Track)
    assert made.validate_inputs(which="largest").startswith(said)
    with pytest.raises(BadInput, match="^LPD needs opencv-python-headless"):
        made.execute(footage=None, which="largest", count=0, amount=1, strict=True, title="")


def test_a_file_to_write_that_is_there_is_refused_before_anything_runs_unless_it_may_go(adapter, host):
    class Keep(Node):
        id = "LPDTestKeep"
        inputs = (File("file", writes=True, example="a_%count%.txt"), Bool("overwrite"))

        def run(self, context, file, overwrite):
            with open(file, "w") as written:
                written.write("x")

    made, output = adapter.host_class(Keep), host.folders["output"]
    assert adapter.schema_of(Keep).inputs[0].options["default"] == "a_%count%.txt"
    for _ in range(2):
        assert made.validate_inputs(file="a_%count%.txt", overwrite=False) is True
        made.execute(file="a_%count%.txt", overwrite=False)
    assert sorted(path.name for path in output.iterdir()) == ["a_00001.txt", "a_00002.txt"]
    said = made.validate_inputs(file="a_00001.txt", overwrite=False)
    assert said == f'input "file": {output}/a_00001.txt exists already; choose another name, one with %count%, or allow it to be overwritten'
    assert made.validate_inputs(file="a_00001.txt", overwrite=True) is True


def test_models_lie_in_the_hosts_folder_the_embedded_one_first(adapter, host):
    models = importlib.import_module("lpd_plugin.nodes.host.models")
    models.register_folder()
    (host.models / "lpd").mkdir(parents=True)
    for name in ("mine.safetensors", "her.lpd.safetensors", "notes.txt"):
        (host.models / "lpd" / name).write_bytes(b"")

    class Uses(Node):
        id = "LPDTestUses"
        inputs = (Model("weights", ("compact",), "compact"),)
        outputs = (Output("name", types.STRING),)

        def run(self, context, weights):
            return (weights,)

    made = adapter.host_class(Uses)
    assert made.define_schema().inputs[0].options == {"options": ["compact", "mine.safetensors"], "default": "compact"}
    assert made.execute(weights="compact").args == ("compact",)
    assert made.execute(weights="mine.safetensors").args == (str(host.models / "lpd" / "mine.safetensors"),)
    assert 'input "weights": there is no gone.safetensors in' in made.validate_inputs(weights="gone.safetensors")


def test_files_lie_in_the_hosts_folders_and_what_is_saved_there_is_shown(adapter, host, tmp_path):
    (host.folders["input"] / "x.png").write_bytes(b"picture")
    output = adapter.host_class(Store).execute(source="x.png", path="shots/y.png", late=None)
    assert (host.folders["output"] / "shots" / "y.png").read_bytes() == b"picture"
    assert output.ui == {"images": [{"filename": "y.png", "subfolder": "shots", "type": "output"}]}
    assert output.args == ()
    adapter.host_class(Store).execute(source="shots/y.png [output]", path="z.png", late=None)
    assert (host.folders["output"] / "z.png").exists()
    absolute = tmp_path / "elsewhere.png"
    absolute.write_bytes(b"other")
    adapter.host_class(Store).execute(source=str(absolute), path="z.png", late=None)
    assert (host.folders["output"] / "z.png").read_bytes() == b"other"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "no.png"}, 'input "source": {input}/no.png does not exist; check the name'),
        ({"source": "../x.png"}, "../x.png leads out of the folder {input}; give a path inside it, or an absolute one"),
        ({"path": "/etc/x.png"}, 'input "path": /etc/x.png lies outside the output folder {output}; give a path inside it'),
        ({"path": "../x.png"}, 'input "path": ../x.png lies outside the output folder {output}; give a path inside it'),
    ],
)
def test_files_that_cannot_be_meant_are_refused_before_anything_runs(adapter, host, given, said):
    (host.folders["input"] / "x.png").write_bytes(b"picture")
    values = {"source": "x.png", "path": "y.png", "late": None}
    assert adapter.host_class(Store).validate_inputs(**values) is True
    assert adapter.host_class(Store).validate_inputs(**{**values, **given}) == said.format(**host.folders)
    assert not list(host.folders["output"].iterdir())


def test_a_fingerprint_is_text_that_follows_what_it_is_made_of(adapter, host):
    fingerprint = adapter.host_class(Store).fingerprint_inputs
    one = fingerprint(source="a.png", path="o.png", late=None)
    assert isinstance(one, str) and one == fingerprint(source="a.png", path="o.png", late=None)
    assert one != fingerprint(source="b.png", path="o.png", late=None)
    assert "outside the output folder" in fingerprint(source="a.png", path="/etc/x", late=None)
    assert not hasattr(adapter.host_class(Track), "fingerprint_inputs")


def test_a_preview_goes_to_the_bar_of_the_work_under_way(adapter, host):
    np = pytest.importorskip("numpy")
    pytest.importorskip("PIL", reason="previews are made with the host's Pillow")

    running = importlib.import_module("lpd_plugin.nodes.host.running")
    progress = running.HostProgress("x")
    progress.preview(np.zeros((4, 6, 3), np.uint8))  # nothing under way: nothing shown
    with progress.task("frames", 5) as task:
        task.advance()
        progress.preview(np.zeros((4, 6, 3), np.uint8))
    (kind, picture, size) = host.bars[0][-1][2]
    assert (kind, picture.size, size) == ("JPEG", (6, 4), 512)
