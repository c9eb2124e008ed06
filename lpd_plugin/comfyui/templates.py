"""Templates: every preset as a workflow that ComfyUI's editor opens, laid out from left to right."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..graph.inputs import File, Input, Widget
from ..graph.node import Node
from ..graph.registry import node_classes
from ..graph.workflow import Link, NodeCall, Workflow
from ..rendering.presets import Preset, list_presets, load_preset
from ..video.formats import load_format
from ..whole_files import COUNT

WIDTH, GAP_ACROSS, GAP_DOWN = 330, 70, 50
_TITLE, _ROW, _MARGIN = 30, 24, 16
_PREVIEWS = {"LPDTrackHead": 660, "LPDSourceIdentity": 220, "LPDDrivingPose": 240, "LPDEditPose": 240, "LPDContactSheet": 320,
             "LPDAdaptIdentity": 220, "LPDSaveClip": 260, "LPDLoadClip": 40}  # fmt: skip
_MULTILINE = 60
_CHOSEN = "\0chosen in the editor"  # stands for a file that the user has to choose

FOLDER = "example_workflows"


def templates() -> dict[str, str]:
    """The JSON of every shipped preset's template by its path in the checkout."""
    shipped = {name: path for name, path in list_presets().items() if path.parent == _shipped_folder()}
    return {f"{FOLDER}/{name}.json": template(load_preset(path)) for name, path in shipped.items()}


def _shipped_folder() -> Path:
    import importlib.resources

    beside = Path(__file__).resolve().parents[2] / "presets"
    return beside if beside.is_dir() else Path(str(importlib.resources.files("lpd_plugin.presets")))


def template(preset: Preset) -> str:
    """A preset as a workflow in the editor's format. Files to read are left to the user, those to write get a numbered name."""
    workflow = preset.workflow({name: _CHOSEN for name, one in preset.parameters.items() if one.required})
    return json.dumps(_drawn(workflow, preset), indent=1, ensure_ascii=False) + "\n"


def _drawn(workflow: Workflow, preset: Preset) -> dict[str, Any]:
    classes = node_classes()
    numbers = {node_id: number for number, node_id in enumerate(workflow.nodes, 1)}
    links, into = [], {}
    for node_id, call in workflow.nodes.items():
        for name, link in call.links.items():
            output = classes[workflow.nodes[link.node_id].class_type].outputs[link.slot]
            into[node_id, name] = len(links) + 1
            links.append([len(links) + 1, link, node_id, name, output.type])
    places = _places(workflow, classes)
    nodes = [
        _node(node_id, call, classes[call.class_type], number, places[node_id], into, links, preset)
        for (node_id, call), number in zip(workflow.nodes.items(), numbers.values())
    ]
    nodes.append(_note(preset, len(nodes) + 1, min(top for _, top in places.values())))
    drawn = []
    for number, link, node_id, name, kind in links:
        sockets = [one.name for one in _sockets(classes[workflow.nodes[node_id].class_type])]
        drawn.append([number, numbers[link.node_id], link.slot, numbers[node_id], sockets.index(name), kind])
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"lpd/{preset.name}")), "revision": 0,
        "last_node_id": len(nodes), "last_link_id": len(links), "nodes": nodes, "links": drawn,
        "groups": [], "config": {}, "extra": {}, "version": 0.4,
    }  # fmt: skip


def in_hosts_order(node: type[Node]) -> list[Input]:
    """A node's inputs as the editor has them: what is required first."""
    return [*(one for one in node.inputs if not one.optional), *(one for one in node.inputs if one.optional)]


def _sockets(node: type[Node]) -> list[Input]:
    return [one for one in in_hosts_order(node) if not one.is_widget]


def _widgets(node: type[Node]) -> list[Widget]:
    return [one for one in in_hosts_order(node) if one.is_widget]


def _node(
    node_id: str, call: NodeCall, node: type[Node], number: int, place: tuple[int, int], into: Mapping, links: list, preset: Preset
) -> dict[str, Any]:  # fmt: skip
    inputs = [
        {"name": one.name, "type": ",".join(one.accepted), "link": into.get((node_id, one.name)), **({"shape": 7} if one.optional else {})}
        for one in _sockets(node)
    ]  # fmt: skip
    outputs = []
    for slot, one in enumerate(node.outputs):
        away = [link[0] for link in links if link[1] == Link(node_id, slot)]
        outputs.append({"name": one.name, "type": one.type, "slot_index": slot, "links": away or None})
    return {
        "id": number, "type": node.id, "pos": list(place), "size": [WIDTH, _height(node)], "flags": {}, "order": number - 1, "mode": 0,
        "inputs": inputs, "outputs": outputs, "title": _title(node_id, node), "properties": {"Node name for S&R": node.id},
        "widgets_values": [_value(one, call, workflow_format(call), preset) for one in _widgets(node)],
    }  # fmt: skip


def workflow_format(call: NodeCall) -> str:
    """The suffix, with its dot, of what a node of a preset writes."""
    if call.class_type == "LPDSaveClip":
        return load_format(str(call.inputs.get("format", "h264"))).suffixes[0]
    return ".png" if call.class_type == "LPDContactSheet" else ".lpd.safetensors"


def _value(one: Widget, call: NodeCall, suffix: str, preset: Preset) -> Any:
    value = call.inputs.get(one.name, one.default)
    if value == _CHOSEN:
        return f"lpd/{preset.name}_{COUNT}{suffix}" if isinstance(one, File) and one.writes else ""
    return one.example if value is None and isinstance(one, File) else value


def _title(node_id: str, node: type[Node]) -> str:
    """The node's name and, where a preset names it otherwise, what it is for."""
    said = node_id.replace("_", " ")
    return node.name if said.lower() in node.name.lower() else f"{node.name}: {said}"


def _height(node: type[Node]) -> int:
    widgets = sum(_MULTILINE if getattr(one, "multiline", False) else _ROW for one in _widgets(node))
    rows = max(len(_sockets(node)), len(node.outputs)) * _ROW
    return _TITLE + rows + widgets + _MARGIN + _PREVIEWS.get(node.id, 0)


def _places(workflow: Workflow, classes: Mapping[str, type[Node]]) -> dict[str, tuple[int, int]]:
    """Left and top of every node: a column for each step from the sources, nodes under each other in the graph's order."""
    depths: dict[str, int] = {}

    def depth(node_id: str) -> int:
        if node_id not in depths:
            before = [depth(link.node_id) for link in workflow.nodes[node_id].links.values()]
            depths[node_id] = 1 + max(before, default=-1)
        return depths[node_id]

    tops: dict[int, int] = {}
    places = {}
    for node_id, call in workflow.nodes.items():
        column = depth(node_id)
        top = tops.get(column, 0)
        places[node_id] = ((column + 1) * (WIDTH + GAP_ACROSS), top)
        tops[column] = top + _height(classes[call.class_type]) + GAP_DOWN
    return places


def _note(preset: Preset, number: int, top: int) -> dict[str, Any]:
    chosen = [f"- **{name.replace('_', ' ')}**: {one.help}" for name, one in preset.parameters.items() if one.required and name != "output"]
    lines = [
        f"## LPD: {preset.name}", "", " ".join(preset.description.split()), "", "Choose the files in the nodes *Load clip*:", "",
        *chosen, "", "then press **Run**. The result lies in the output folder, in `lpd/`.", "",
        "Drive only people who agreed to it, and tell viewers that what they see is synthetic. Every file says so in its metadata.",
    ]  # fmt: skip
    return {
        "id": number, "type": "MarkdownNote", "pos": [0, top], "size": [WIDTH, 400], "flags": {}, "order": number - 1, "mode": 0,
        "inputs": [], "outputs": [], "title": "How to use it", "properties": {}, "widgets_values": ["\n".join(lines)],
        "color": "#432", "bgcolor": "#653",
    }  # fmt: skip
