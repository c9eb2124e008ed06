"""One job of a batch: a graph with every value in its place, what it writes, and its name for ever."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from typing import Any

from ..errors import BadInput
from ..graph import types
from ..graph.keys import digest, node_keys
from ..graph.registry import node_classes
from ..graph.validation import validate, with_defaults
from ..graph.workflow import Workflow, parse_workflow
from ..whole_files import COUNT
from .remote_files import is_remote, state_of

ID_LENGTH = 16  # hexadecimal digits


@dataclass(frozen=True)
class Job:
    """id: digest of the graph, the files it reads and the weights, so that the same work has the same name everywhere.
    graph: in API format, with absolute paths. outputs: every file it writes. shared: node ids with the content keys of
    identities that other jobs may need too. problem: why it cannot run at all; empty where it can."""

    id: str
    name: str
    preset: str
    graph: dict[str, Any]
    outputs: tuple[str, ...]
    seed: int = 0
    priority: int = 0
    overwrite: bool = False
    shared: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    def workflow(self) -> Workflow:
        return parse_workflow(self.graph, source=f"job {self.name}")

    def text(self) -> str:
        """As JSON, for the batch's state and for other machines."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of_text(cls, text: str) -> Job:
        content = json.loads(text)
        shared = tuple((node, key) for node, key in content["shared"])
        return cls(**content | {"outputs": tuple(content["outputs"]), "shared": shared})


def broken_job(name: str, preset: str, content: Any, problem: str, priority: int = 0) -> Job:
    """A job that cannot run, to be reported."""
    return Job(digest((name, json.dumps(content, default=str, sort_keys=True)))[:ID_LENGTH], name, preset, {}, (), 0, priority, problem=problem)


def job_of(workflow: Workflow, name: str, preset: str, seed: int = 0, priority: int = 0, overwrite: bool = False) -> Job:
    """The job that runs a workflow's output nodes. Raises `BadInput` (`InvalidWorkflow`) for a graph that cannot run."""
    classes = node_classes()
    validate(workflow, classes)
    asked = any(call.constants.get("overwrite") is True for call in workflow.nodes.values())
    graph = with_defaults(workflow, classes).as_dict()
    for node in graph.values():
        if "overwrite" in node["inputs"] and not isinstance(node["inputs"]["overwrite"], list):
            node["inputs"]["overwrite"] = False  # the batch itself sees to that; the same work keeps its id
    workflow = parse_workflow(graph, workflow.source)
    if counted := next((target for target in written_by(workflow) if COUNT in target), None):
        raise BadInput(f"{counted}: in a batch a name has to be known before; use {{number}} in 'output' instead of {COUNT}.")
    keys = node_keys(workflow, _in_order(workflow), classes, seed)
    elsewhere = [state_of(file) for file in _read_by(workflow) if is_remote(file)]
    ends = [node_id for node_id, call in workflow.nodes.items() if classes[call.class_type].output_node]
    return Job(
        digest([*(keys[one] for one in ends), *elsewhere])[:ID_LENGTH], name, preset, graph, tuple(written_by(workflow)), seed, priority,
        overwrite or asked, tuple((one, keys[one]) for one in _final_identities(workflow)),
    )  # fmt: skip


def written_by(workflow: Workflow) -> Iterable[str]:
    """The files a workflow writes, in the order of its nodes."""
    for node_id, widget in writing_widgets(workflow):
        if target := workflow.nodes[node_id].constants.get(widget):
            yield target


def writing_widgets(workflow: Workflow) -> Iterable[tuple[str, str]]:
    """Node id and name of every input that says where a file is written."""
    return _file_widgets(workflow, writes=True)


def reading_widgets(workflow: Workflow) -> Iterable[tuple[str, str]]:
    """Node id and name of every input that says where a file is read."""
    return _file_widgets(workflow, writes=False)


def _file_widgets(workflow: Workflow, writes: bool) -> Iterable[tuple[str, str]]:
    for node_id, call in workflow.nodes.items():
        node = node_classes().get(call.class_type)  # an unknown one is reported where the workflow is checked
        for widget in node.widgets() if node else ():
            if getattr(widget, "writes", None) is writes:
                yield node_id, widget.name


def _read_by(workflow: Workflow) -> Iterable[str]:
    for node_id, widget in reading_widgets(workflow):
        if isinstance(source := workflow.nodes[node_id].constants.get(widget), str) and source:
            yield source


def with_values(workflow: Workflow, values: Mapping[tuple[str, str], Any]) -> Workflow:
    """The workflow with other constants, by node id and input."""
    graph = workflow.as_dict()
    for (node_id, name), value in values.items():
        graph[node_id]["inputs"][name] = value
    return parse_workflow(graph, workflow.source)


def _in_order(workflow: Workflow) -> list[str]:
    """All nodes, sources first."""
    links = {node_id: [link.node_id for link in call.links.values()] for node_id, call in workflow.nodes.items()}
    return list(TopologicalSorter(links).static_order())


def _final_identities(workflow: Workflow) -> list[str]:
    """The nodes that make identities which no further node makes into another, and which are not only read from a file."""
    classes = node_classes()
    makers = {i for i, call in workflow.nodes.items() if any(o.type == types.IDENTITY for o in classes[call.class_type].outputs)}
    made = {i for i in makers if workflow.nodes[i].links and not classes[workflow.nodes[i].class_type].output_node}
    used = {link.node_id for i in made for link in workflow.nodes[i].links.values()}
    return sorted(made - used)
