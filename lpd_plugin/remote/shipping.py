"""Files of a graph that runs elsewhere: those it reads get there, those it writes come back under their own names."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, WorkFailed
from ..graph.inputs import File, Model, Widget
from ..graph.node import Node
from ..graph.workflow import NodeCall, Workflow
from ..progress import Progress
from ..video.open import is_sequence
from ..video.sequence_target import SequenceTarget, is_numbered
from ..video.still_clip import is_pattern, sequence_files
from ..whole_files import numbered, written_whole
from .client import HostAnswered, HostClient

FOLDER = "lpd"  # of ours in the host's input and output folders
_DIGITS = 16  # of a digest, in names


@dataclass(frozen=True)
class Fetch:
    """A file, or numbered images, that `node_id` writes to `name` in `subfolder` of the host's output folder, for `target`."""

    node_id: str
    name: str
    subfolder: str
    target: Path


def shipped(
    workflow: Workflow, classes: Mapping[str, type[Node]], client: HostClient, run: str, progress: Progress
) -> tuple[Workflow, list[Fetch]]:
    """The workflow as the host has to get it, its files sent there; and what to fetch when it is done.

    Files that exist here, images of a sequence among them, are uploaded, or named absolutely where the host runs on this
    machine; others are taken for the host's own. `run` names this run's folder in the host's output folder.
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
                    fetches.append(_fetch(node_id, value, f"{FOLDER}/{run}"))
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


def fetched(fetches: list[Fetch], outputs: Mapping[str, Any], client: HostClient, progress: Progress) -> list[Path]:
    """Bring what the host wrote here, each file or sequence whole or not at all. What it did not write is left out.

    `outputs` is what the host shows of the nodes, by id; of a sequence the first file is returned.
    """
    files = []
    for fetch in fetches:
        if (images := _images(fetch, outputs)) is not None:
            files.append(_fetched_images(fetch, *images, client, progress))
            continue
        with progress.task(f"fetching {fetch.target.name}"), contextlib.suppress(HostAnswered):
            with written_whole(fetch.target) as part:
                client.fetch(fetch.name, fetch.subfolder, "output", part)
            files.append(fetch.target)
    return files


def _images(fetch: Fetch, outputs: Mapping[str, Any]) -> tuple[str, int] | None:
    """The first file's name and the number of images where a node says that it wrote a sequence, else None."""
    for told in outputs.get(fetch.node_id, {}).get("lpd_images", ()) if is_numbered(fetch.name) else ():
        if told["file"] == fetch.name:
            return told["first"], told["frames"]
    return None


def _fetched_images(fetch: Fetch, first: str, frames: int, client: HostClient, progress: Progress) -> Path:
    target = SequenceTarget.checked(fetch.target, overwrite=True)  # whether it may was asked before the run
    start = target.number(first)
    with target.written_whole() as folder:
        for number in progress.track(range(start, start + frames), f"fetching {fetch.name}", frames):
            name = target.name(number)
            try:
                client.fetch(name, fetch.subfolder, "output", folder / name)
            except HostAnswered as error:
                raise WorkFailed(f"the host does not hand out {name} (HTTP {error.status}); look in its output folder") from None
    return target.folder / first


def _fetch(node_id: str, value: str, subfolder: str) -> Fetch:
    target = Path(os.path.abspath(os.path.expanduser(numbered(value))))
    return Fetch(node_id, target.name, subfolder, target)


def _sent(value: str, widget: Widget, client: HostClient, progress: Progress) -> str:
    """How the host has to name a file to read."""
    path = Path(os.path.abspath(os.path.expanduser(value)))
    if isinstance(widget, Model) and value in widget.listed():
        return value
    if client.is_here:
        return str(path) if path.exists() or is_pattern(path.name) and path.parent.is_dir() else value
    if isinstance(widget, File) and is_sequence(str(path)):
        return _sent_images(value, path, client, progress)
    if not path.is_file():
        return value
    if isinstance(widget, Model):
        raise BadInput(f"{value} lies here; copy it into the host's models/lpd folder and give its name there")
    name = f"{_digest(path)}-{path.name}"
    with progress.task(f"sending {path.name}"):
        _uploaded(path, name, FOLDER, client)
    return f"{FOLDER}/{name}"


def _sent_images(value: str, path: Path, client: HostClient, progress: Progress) -> str:
    """How the host has to name a folder or a pattern of images: they go into a folder named by their content and names."""
    try:
        images = [Path(image) for image in sequence_files(path)]
    except BadInput:
        if path.is_dir():
            raise
        return value  # a pattern that matches nothing here
    whole = hashlib.sha256()
    for image in progress.track(images, f"reading {path.name}", len(images)):
        whole.update(f"{_digest(image)} {image.name}\n".encode())
    folder = f"{FOLDER}/{whole.hexdigest()[:_DIGITS]}" + (f"-{path.name}" if path.is_dir() else "")
    for image in progress.track(images, f"sending {path.name}", len(images)):
        _uploaded(image, image.name, folder, client)
    return folder if path.is_dir() else f"{folder}/{path.name}"


def _uploaded(path: Path, name: str, subfolder: str, client: HostClient) -> None:
    """Put a file into the host's input folder where it is not there yet."""
    if client.has_file(name, subfolder, "input"):
        return
    try:
        client.upload(path, name, subfolder)
    except HostAnswered as error:
        raise BadInput(_refused(path, error.status)) from error


def _refused(path: Path, status: int) -> str:
    if status == 413:
        return f"{path} is larger than the host takes; start it with a larger --max-upload-size, or copy the file there"
    return f"the host did not take {path} (HTTP {status}); copy it into the host's input folder and name it from there"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
