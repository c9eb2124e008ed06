"""As much of a ComfyUI as the adapter touches, for tests without a host: small, ours, and strict where the host is.

`install` puts it into sys.modules, with the host's own top-level module `nodes` that must not be in our way.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace


@dataclasses.dataclass
class Schema:
    """An older host's schema: it knows no search_aliases."""

    node_id: str
    display_name: str = ""
    category: str = ""
    inputs: list = dataclasses.field(default_factory=list)
    outputs: list = dataclasses.field(default_factory=list)
    hidden: list = dataclasses.field(default_factory=list)
    description: str = ""
    is_output_node: bool = False

    def __post_init__(self):
        names = [one.id for one in (*self.inputs, *self.outputs)]
        if len(set(names)) != len(names):
            raise ValueError(f"ids of inputs and outputs have to differ: {names}")


@dataclasses.dataclass
class NewerSchema(Schema):
    search_aliases: list = dataclasses.field(default_factory=list)


class ComfyNode:
    hidden = None


class NodeOutput:
    def __init__(self, *args, ui=None):
        self.args, self.ui = args, ui


def socket(io_type: str, **allowed_defaults):
    """A type whose inputs take only the keywords that the host's take."""

    class Input:
        def __init__(self, id, optional=False, tooltip=None, **options):
            unknown = set(options) - set(allowed_defaults)
            if unknown:
                raise TypeError(f"{io_type}.Input does not take {unknown}")
            self.id, self.io_type, self.optional, self.tooltip = id, io_type, optional, tooltip
            self.options = options

    class Output:
        def __init__(self, id=None, display_name=None, tooltip=None):
            self.id, self.io_type, self.display_name, self.tooltip = id, io_type, display_name, tooltip

    return SimpleNamespace(Input=Input, Output=Output)


class VideoInput(ABC):
    """What is abstract in the newest host."""

    @abstractmethod
    def get_components(self): ...

    @abstractmethod
    def save_to(self, path, format=None, codec=None, metadata=None): ...

    @abstractmethod
    def as_trimmed(self, start_time=None, duration=None, strict_duration=False): ...


@dataclasses.dataclass
class VideoComponents:
    images: object
    frame_rate: object
    audio: object = None


class VideoFromFile(VideoInput):
    """The host's own video from a file, of the versions that keep their trims to themselves."""

    def __init__(self, file, start_time=0.0, duration=0.0):
        self.__file, self.__start_time, self.__duration = file, start_time, duration

    def get_stream_source(self):
        return self.__file

    def get_components(self):
        raise AssertionError("the whole clip in memory is what nobody wants")

    def save_to(self, path, format=None, codec=None, metadata=None): ...

    def as_trimmed(self, start_time=None, duration=None, strict_duration=False): ...


class ModelPatcher:
    """What the host manages instead of a network itself."""

    def __init__(self, model, load_device, offload_device):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device


class InterruptProcessingException(BaseException):
    """As in newer hosts: `except Exception` does not see it."""


class Host:
    """The running host: its folders, its stop button, and what was reported to it."""

    def __init__(self, folder: Path):
        self.folders = {name: folder / name for name in ("input", "output", "temp")}
        self.folders["input"].mkdir()
        self.folders["output"].mkdir()
        self.bars: list[list[tuple]] = []
        self.previews: dict[str, list[list[tuple]]] = {}  # by node, of bars that name one
        self.models = folder / "models"
        self.model_folders: dict[str, tuple[list[str], set[str]]] = {}
        self.stop_after: int | None = None
        self.device = "cpu"
        self.brought: list = []  # networks, each time the host was asked to load one
        self.disable_metadata = False

    def check(self):
        if self.stop_after is not None and sum(map(len, self.bars)) >= self.stop_after:
            raise InterruptProcessingException


def _progress_bars(host: Host) -> type:
    class ProgressBar:
        def __init__(self, total, node_id=None):
            self.steps: list[tuple] = []
            (host.bars if node_id is None else host.previews.setdefault(node_id, [])).append(self.steps)

        def update_absolute(self, value, total=None, preview=None):
            self.steps.append((value, total) if preview is None else (value, total, preview))

    return ProgressBar


def _device(name):
    import torch  # not at the top, for processes that only load the pack

    return torch.device(name)


def _paths(host: Host) -> dict:
    """What `folder_paths` holds."""

    def annotated_filepath(name):
        for kind, path in host.folders.items():
            if name.endswith(f"[{kind}]"):
                return name.removesuffix(f"[{kind}]"), str(path)
        return name, None

    def add_model_folder_path(name, path, is_default=False):
        host.model_folders.setdefault(name, ([], set()))[0].append(path)

    def listed(name):
        paths, suffixes = host.model_folders[name]
        found = [one for path in map(Path, paths) if path.is_dir() for one in path.iterdir()]
        return sorted(one.name for one in found if not suffixes or one.suffix in suffixes)

    def get_full_path(name, file):
        return next((os.path.join(path, file) for path in host.model_folders[name][0] if os.path.isfile(os.path.join(path, file))), None)

    return {
        "annotated_filepath": annotated_filepath,
        "models_dir": str(host.models),
        "folder_names_and_paths": host.model_folders,
        "add_model_folder_path": add_model_folder_path,
        "get_filename_list": listed,
        "get_full_path": get_full_path,
        "get_folder_paths": lambda name: host.model_folders[name][0],
        **{f"get_{name}_directory": (lambda path=path: str(path)) for name, path in host.folders.items()},
    }


def install(monkeypatch, folder: Path, schema: type = NewerSchema) -> Host:
    """Put a host into sys.modules for one test."""
    host = Host(folder)
    widget = {"default": None}
    number = {**widget, "min": None, "max": None, "step": None}
    io = SimpleNamespace(
        Schema=schema,
        ComfyNode=ComfyNode,
        NodeOutput=NodeOutput,
        Custom=socket,
        Hidden=SimpleNamespace(prompt="PROMPT", unique_id="UNIQUE_ID"),
        Int=socket("INT", **number, control_after_generate=None),
        Float=socket("FLOAT", **number),
        Boolean=socket("BOOLEAN", **widget),
        String=socket("STRING", **widget, multiline=False),
        Combo=socket("COMBO", **widget, options=None),
    )

    modules = {
        "comfy": {},
        "comfy.utils": {"ProgressBar": _progress_bars(host)},
        "comfy.cli_args": {"args": host},
        "comfy.model_management": {
            "InterruptProcessingException": InterruptProcessingException,
            "throw_exception_if_processing_interrupted": host.check,
            "get_torch_device": lambda: _device(host.device),
            "unet_offload_device": lambda: _device("cpu"),
            "load_models_gpu": lambda patchers: host.brought.extend(patcher.model for patcher in patchers),
        },
        "comfy.model_patcher": {"ModelPatcher": ModelPatcher},
        "comfy_api": {},
        "comfy_api.latest": {"io": io},
        "comfy_api.input": {"VideoInput": VideoInput},
        "comfy_api.util": {"VideoComponents": VideoComponents},
        "folder_paths": _paths(host),
        "nodes": {"NODE_CLASS_MAPPINGS": "the host's, not ours"},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    return host


def forget_adapter(monkeypatch) -> None:
    """Let the adapter be imported anew against the host just installed, and be gone after the test."""
    for name in [name for name in sys.modules if name.startswith("lpd_plugin.nodes.host")]:
        monkeypatch.delitem(sys.modules, name)


def hosted(monkeypatch, folder: Path) -> Iterator[Host]:
    """For a fixture: a host in `folder` with our pack loaded in it, both gone after the test."""
    from lpd_plugin.graph.registry import nodes_package

    folder.mkdir(exist_ok=True)
    host = install(monkeypatch, folder)
    forget_adapter(monkeypatch)
    nodes_package()
    yield host
    for name in [name for name in sys.modules if name.startswith("lpd_plugin.nodes.host")]:
        del sys.modules[name]
