"""Files of a graph that runs elsewhere: those it reads get there, those it writes come back under their own names."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..graph.inputs import File, Model, Widget
from ..graph.node import Node
from ..graph.workflow import NodeCall, Workflow
from ..progress import Progress
from ..video.still_clip import is_pattern
from ..whole_files import numbered, written_whole
from .client import HostAnswered, HostClient

FOLDER = "lpd"  # of ours in the host's input and output folders


@dataclass(frozen=True)
class Fetch:
    """A file that the host writes to `name` in `subfolder` of its output folder, and that has to be at `target`."""

    name: str
    subfolder: str
    target: Path


def shipped(
    workflow: Workflow, classes: Mapping[str, type[Node]], client: HostClient, run: str, progress: Progress
) -> tuple[Workflow, list[Fetch]]:
    """The workflow as the host has to get it, its files sent there; and what to fetch when it is done.

    Files that exist here are uploaded, or named absolutely where the host runs on this machine; others are taken
    for the host's own. `run` names this run's folder in the host's output folder.
    Raises `BadInput` naming the node for what cannot be sent or fetched.
    """
    nodes, fetches = {}, []
    for node_id, call in workflow.nodes.items():
        inputs = dict(call.inputs)
        for widget in classes[call.class_type].widgets() if call.class_type in classes else ():
            value = inputs.get(widget.name)
            if not isinstance(widget, (File, Model)) or not isinstance(value, str) or not value:
                continue
            try:
                if getattr(widget, "writes", False):
                    fetches.append(_fetch(value, f"{FOLDER}/{run}"))
                    inputs[widget.name] = f"{fetches[-1].subfolder}/{fetches[-1].name}"
                else:
                    inputs[widget.name] = _sent(value, widget, client, progress)
            except BadInput as error:
                raise BadInput(f'{workflow.label(node_id)}, input "{widget.name}": {error}') from error
        nodes[node_id] = NodeCall(call.class_type, inputs)
    names = [(fetch.subfolder, fetch.name) for fetch in fetches]
    if twice := next((fetch for fetch in fetches if names.count((fetch.subfolder, fetch.name)) > 1), None):
        raise BadInput(f"two nodes write a file named {twice.name}; on a host their names have to differ, whatever the folder")
    return Workflow(nodes, workflow.source, workflow.raw), fetches


def fetched(fetches: list[Fetch], client: HostClient, progress: Progress) -> list[Path]:
    """Bring what the host wrote here, each file whole or not at all. What it did not write is left out."""
    files = []
    for fetch in fetches:
        with progress.task(f"fetching {fetch.target.name}"), contextlib.suppress(HostAnswered):
            with written_whole(fetch.target) as part:
                client.fetch(fetch.name, fetch.subfolder, "output", part)
            files.append(fetch.target)
    return files


def _fetch(value: str, subfolder: str) -> Fetch:
    target = Path(os.path.abspath(os.path.expanduser(numbered(value))))
    if is_pattern(target.name):
        raise BadInput(f"{value} names an image sequence, which a host does not hand out; choose a video format")
    return Fetch(target.name, subfolder, target)


def _sent(value: str, widget: Widget, client: HostClient, progress: Progress) -> str:
    """How the host has to name a file to read."""
    path = Path(os.path.abspath(os.path.expanduser(value)))
    if isinstance(widget, Model) and value in widget.listed():
        return value
    if client.is_here:
        return str(path) if path.exists() or is_pattern(path.name) and path.parent.is_dir() else value
    if path.is_dir() or is_pattern(path.name) and path.parent.is_dir():
        raise BadInput(f"{value} is an image sequence; copy its folder into the host's input folder and name it from there")
    if not path.is_file():
        return value
    if isinstance(widget, Model):
        raise BadInput(f"{value} lies here; copy it into the host's models/lpd folder and give its name there")
    name = f"{_digest(path)}-{path.name}"
    if not client.has_file(name, FOLDER, "input"):
        with progress.task(f"sending {path.name}"):
            try:
                client.upload(path, name, FOLDER)
            except HostAnswered as error:
                raise BadInput(_refused(path, error.status)) from error
    return f"{FOLDER}/{name}"


def _refused(path: Path, status: int) -> str:
    if status == 413:
        return f"{path} is larger than the host takes; start it with a larger --max-upload-size, or copy the file there"
    return f"the host did not take {path} (HTTP {status}); copy it into the host's input folder and name it from there"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
