"""Workflow files: the API format of ComfyUI, {"id": {"class_type": name, "inputs": {name: value or link}}}.

A link is a list of two: the id of a node and the number of its output. Keys that only a host reads
(`_meta` and the like) are kept for writing the workflow out again, and otherwise ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput

_EXPORT_HINT = "in ComfyUI choose Workflow > Export (API) and use that file"


@dataclass(frozen=True)
class Link:
    """Where an input's value comes from: output number `slot` of the node `node_id`."""

    node_id: str
    slot: int


@dataclass(frozen=True)
class NodeCall:
    """One node of a workflow: its class by id, and its inputs as constants and `Link`s."""

    class_type: str
    inputs: Mapping[str, Any]

    @property
    def links(self) -> dict[str, Link]:
        """The inputs fed by other nodes."""
        return {name: value for name, value in self.inputs.items() if isinstance(value, Link)}

    @property
    def constants(self) -> dict[str, Any]:
        """The inputs whose values are written in the workflow."""
        return {name: value for name, value in self.inputs.items() if not isinstance(value, Link)}


@dataclass(frozen=True)
class Workflow:
    """A parsed graph; not yet validated. `source` names it in messages."""

    nodes: dict[str, NodeCall]
    source: str = "the workflow"
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def label(self, node_id: str) -> str:
        """How messages name a node: `node 4 (LPDTrackHead)`."""
        return f"node {node_id} ({self.nodes[node_id].class_type})"

    def as_dict(self) -> dict[str, Any]:
        """The graph in the API format, links as lists again; JSON-ready."""
        result = {}
        for node_id, call in self.nodes.items():
            inputs = {
                name: [value.node_id, value.slot] if isinstance(value, Link) else value
                for name, value in call.inputs.items()
            }
            others = {key: value for key, value in self.raw.get(node_id, {}).items() if key.startswith("_")}
            result[node_id] = {"class_type": call.class_type, "inputs": inputs, **others}
        return result


def read_workflow(path: str | Path) -> Workflow:
    """The workflow of a JSON file. Raises `BadInput` where it is missing, not JSON, or not a graph."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"the workflow {path} does not exist; check the path") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text file; a workflow is JSON in the API format: {_EXPORT_HINT}") from None
    except OSError as error:
        raise BadInput(f"the workflow {path} cannot be read ({error.strerror}); check its rights") from None
    return parse_workflow_text(text, source=str(path))


def parse_workflow_text(text: str, source: str = "the workflow") -> Workflow:
    """The workflow in a JSON text; `source` names it in messages. Raises `BadInput` as `read_workflow` does."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f'{source} has the key "{twice}" twice in one object; remove or rename one of them')
        return result

    if not text.strip():
        raise BadInput(f"{source} is empty; a workflow is JSON in the API format: {_EXPORT_HINT}")
    try:
        data = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{source}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}); correct that place"
        ) from None
    except RecursionError:
        raise BadInput(f"{source} is nested too deeply to be a workflow; {_EXPORT_HINT}") from None
    return parse_workflow(data, source)


def parse_workflow(data: Any, source: str = "the workflow") -> Workflow:
    """The workflow in a decoded JSON value. Raises `BadInput` where it is not a graph in the API format."""
    if isinstance(data, Mapping) and isinstance(data.get("nodes"), list):
        raise BadInput(f"{source} is a workflow as the editor saves it, not in the API format: {_EXPORT_HINT}")
    if isinstance(data, Mapping) and isinstance(data.get("prompt"), Mapping) and "class_type" not in data["prompt"]:
        data = data["prompt"]  # as it is sent to a host
    if not isinstance(data, Mapping):
        raise BadInput(f"{source} holds {_kind(data)}, expected an object of nodes by id: {_EXPORT_HINT}")
    if not data:
        raise BadInput(f"{source} has no nodes; add some or choose another file")
    nodes = {str(node_id): _parse_node(str(node_id), node, source) for node_id, node in data.items()}
    return Workflow(nodes, source, {str(node_id): node for node_id, node in data.items()})


def _parse_node(node_id: str, node: Any, source: str) -> NodeCall:
    if not isinstance(node, Mapping):
        raise BadInput(f"{source}, node {node_id}: expected an object with class_type and inputs, got {_kind(node)}")
    class_type, inputs = node.get("class_type"), node.get("inputs", {})
    if not isinstance(class_type, str) or not class_type:
        raise BadInput(f'{source}, node {node_id}: "class_type" is missing; it names the class of the node')
    if not isinstance(inputs, Mapping):
        raise BadInput(f'{source}, node {node_id} ({class_type}): "inputs" holds {_kind(inputs)}, expected an object')
    return NodeCall(class_type, {name: _parse_value(value) for name, value in inputs.items()})


def _parse_value(value: Any) -> Any:
    # A list of two whose second is a whole number is a link in this format, whatever the input's type.
    if isinstance(value, (list, tuple)) and len(value) == 2:
        node_id, slot = value
        if isinstance(node_id, (str, int)) and _is_whole(slot):
            return Link(str(node_id), slot)
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
