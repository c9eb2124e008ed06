"""A graph sent to a ComfyUI, watched until it is done, its files fetched."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput, WorkFailed
from ..graph.node import Node
from ..graph.registry import node_classes
from ..graph.validation import InvalidWorkflow, Problem, find_problems, with_defaults
from ..graph.workflow import NodeCall, Workflow
from ..progress import Progress
from ..rendering.run import check_outputs
from ..whole_files import checked_folder, written_whole
from .client import HostAnswered, HostClient
from .shipping import fetched, shipped
from .watching import Watch


@dataclass
class RemoteRun:
    """What a run on a host gave: files fetched, seconds, what the nodes had to say."""

    files: list[Path]
    seconds: float
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"files": [str(one) for one in self.files], "seconds": round(self.seconds, 2), "notes": self.notes}


def run_on_host(workflow: Workflow, address: str, progress: Progress, seed: int = 0, folder: str | Path = ".") -> RemoteRun:
    """Run a workflow in the ComfyUI at `address` and bring its files here.

    Our own nodes' files get the names that the graph gives them; what other nodes save comes into `folder`. The seed is
    added to the nodes' own, as in a headless run. Raises `InvalidWorkflow` for what we or the host find wrong beforehand, a
    missing folder among it as `BadInput`, and the host's errors as ours: `BadInput`, `WorkFailed`, `Cancelled`. Ctrl-C stops the work there, too.
    """
    classes, started = node_classes(), time.monotonic()
    _check(workflow, classes)
    check_outputs(workflow)
    folder = checked_folder(folder)
    client = HostClient(address)
    wanted = _seeded(with_defaults(workflow, classes), classes, seed)
    sent, fetches = shipped(wanted, classes, client, uuid.uuid4().hex[:8], progress)
    with client.messages() as messages:
        number = _submitted(client, sent)
        outputs = Watch(client, sent, progress, number).until_done(messages)
    files = fetched(fetches, outputs, client, progress)
    files += _others(outputs, sent, classes, client, folder)
    return RemoteRun(files, time.monotonic() - started, _notes(outputs, sent, progress))


def _check(workflow: Workflow, classes: Mapping[str, type[Node]]) -> None:
    """Refuse what our own nodes would refuse; nodes that are not ours are the host's to judge."""
    problems = [one for one in find_problems(workflow, classes) if one.node_id is None or one.class_type in classes]
    if problems:
        raise InvalidWorkflow(workflow.source, problems)


def _seeded(workflow: Workflow, classes: Mapping[str, type[Node]], seed: int) -> Workflow:
    """The workflow with `seed` added to the seeds that our nodes have as constants."""
    nodes = {}
    for node_id, call in workflow.nodes.items():
        own = call.inputs.get("seed")
        if seed and call.class_type in classes and isinstance(own, int):
            call = NodeCall(call.class_type, {**call.inputs, "seed": own + seed})
        nodes[node_id] = call
    return Workflow(nodes, workflow.source, workflow.raw)


def _submitted(client: HostClient, workflow: Workflow) -> str:
    """The number that the host gave the work. Raises `InvalidWorkflow` with all that it finds wrong."""
    try:
        answer = client.post("/prompt", {"prompt": workflow.as_dict(), "client_id": client.id})
    except HostAnswered as refused:
        body = refused.body if isinstance(refused.body, dict) else {}
        problems = _problems(body.get("node_errors") or {}, workflow)
        if problems:
            raise InvalidWorkflow(workflow.source, problems) from None
        error = body.get("error") or {}
        said = error.get("message") if isinstance(error, dict) else str(error)
        details = f" ({error['details']})" if isinstance(error, dict) and error.get("details") else ""
        raise BadInput(f"{workflow.source}: the host refused it: {said or f'HTTP {refused.status}'}{details}") from None
    if problems := _problems(answer.get("node_errors") or {}, workflow):
        client.post("/queue", {"delete": [answer["prompt_id"]]})  # the host would run the rest, and leave these out
        client.post("/interrupt", {"prompt_id": answer["prompt_id"]})
        raise InvalidWorkflow(workflow.source, problems)
    return answer["prompt_id"]


def _problems(node_errors: Mapping[str, Any], workflow: Workflow) -> list[Problem]:
    problems: dict[Problem, None] = {}  # the host repeats itself
    for node_id, entry in node_errors.items():
        for error in entry.get("errors", ()):
            name = (error.get("extra_info") or {}).get("input_name")
            details, message = error.get("details") or "", error.get("message") or ""
            if error.get("type") == "custom_validation_failed":
                # What we said stands behind the name of an input that it may not be about; it names its own.
                said = details.partition(" - ")[2] or details
                problems[Problem(node_id, entry.get("class_type"), None, said)] = None
            else:
                said = f"{message}: {details}" if details and details != name else message
                problems[Problem(node_id, entry.get("class_type"), name, said)] = None
    return list(problems)


def _others(
    outputs: Mapping[str, Any], sent: Workflow, classes: Mapping[str, type[Node]], client: HostClient, folder: Path
) -> list[Path]:
    """Bring what nodes that are not ours saved in the host's output folder; names that are taken get a number."""
    files = []
    for node_id, shown in outputs.items():
        if node_id in sent.nodes and sent.nodes[node_id].class_type in classes:
            continue
        for one in (one for entries in shown.values() if isinstance(entries, list) for one in entries):
            if not isinstance(one, dict) or one.get("type") != "output" or not one.get("filename"):
                continue
            target = _free(folder / Path(one["filename"]).name)
            try:
                with written_whole(target) as part:
                    client.fetch(one["filename"], one.get("subfolder", ""), "output", part)
            except HostAnswered as error:
                raise WorkFailed(f"the host does not hand out {one['filename']} (HTTP {error.status}); look in its folder") from None
            files.append(target)
    return files


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem} ({number})")
    return free


def _notes(outputs: Mapping[str, Any], workflow: Workflow, progress: Progress) -> list[str]:
    """What the nodes had to say, told and returned."""
    notes = []
    for node_id, shown in outputs.items():
        name = workflow.label(node_id) if node_id in workflow.nodes else f"node {node_id}"
        for text in shown.get("text") or ():
            notes += [f"{name}: {line}" for line in str(text).splitlines() if line]
    for note in notes:
        progress.note(note)
    return notes
