"""Presets: a graph with named parameters, as YAML."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..graph.workflow import Workflow, parse_workflow
from .parameters import Parameter
from .preset_files import find_preset, preset_files, read_preset

SCHEMA = Path(__file__).with_name("preset.schema.json")  # of the files, for editors and other programs


@dataclass(frozen=True)
class Preset:
    """A named graph with parameters; `graph` holds "$name" where a parameter's value goes.

    A node may say `when: $name`: it and the links to it are left out where that parameter is empty or false.
    """

    name: str
    description: str
    parameters: dict[str, Parameter]
    graph: dict[str, Any]
    path: Path

    def uses(self, name: str) -> list[tuple[str, str]]:
        """Where a parameter's value goes: node class and input of each."""
        nodes = [node for node in self.graph.values() if isinstance(node, dict)]
        inputs = [(node.get("class_type", ""), key, value) for node in nodes for key, value in node.get("inputs", {}).items()]
        return [(node, key) for node, key, value in inputs if value == f"${name}"]

    def workflow(self, values: Mapping[str, Any]) -> Workflow:
        """The graph with every parameter's value in its place.

        Raises `BadInput` for an unknown parameter, a missing required one, or a value out of range.
        """
        for name in values:
            if name not in self.parameters:
                close = get_close_matches(name, self.parameters, 1)
                hint = f"did you mean '{close[0]}'?" if close else f"it has: {', '.join(self.parameters)}."
                raise BadInput(f"Preset '{self.name}' has no parameter '{name}'; {hint}")
        filled = {}
        for name, parameter in self.parameters.items():
            if name in values:
                filled[name] = parameter.value(values[name], self.name)
            elif parameter.required:
                raise BadInput(f"Preset '{self.name}' needs '{name}' ({parameter.help}); give it with --set {name}=...")
            else:
                filled[name] = parameter.default
        return parse_workflow(_wanted(_filled(self.graph, filled)), source=f"preset '{self.name}'")


def list_presets(folders: Iterable[str | os.PathLike] = ()) -> dict[str, Path]:
    """All presets by name: ours, the user's, those of $LPD_PRESETS and of `folders`; see `preset_files.folders`."""
    return {name: paths[0] for name, paths in preset_files(folders).items()}


def load_preset(name: str | os.PathLike, folders: Iterable[str | os.PathLike] = ()) -> Preset:
    """A preset by name or by path, with what it extends. Raises `BadInput` for an unknown or broken one."""
    known = preset_files(folders)
    path = find_preset(name, known)
    return _checked(read_preset(path, known), path)


def _checked(content: dict[str, Any], path: Path) -> Preset:
    for key in ("name", "description"):
        if not isinstance(content[key], str) or not content[key].strip():
            raise BadInput(f"{path}: '{key}' has to be text.")
    if not isinstance(content["graph"], dict) or not content["graph"]:
        raise BadInput(f"{path}: 'graph' is empty; it holds the nodes by name.")
    declared = (content.get("parameters") or {}).items()
    parameters = {str(name): Parameter.declared(str(name), entry, str(path)) for name, entry in declared}
    preset = Preset(content["name"], content["description"].strip(), parameters, content["graph"], path)
    used = set(_references(preset.graph))
    for name in sorted(used ^ set(parameters)):
        problem = "is used in the graph but not declared" if name in used else "is declared but not used in the graph"
        raise BadInput(f"{path}: parameter '{name}' {problem}.")
    return preset


def _references(value: Any):
    if isinstance(value, dict):
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, str) and value.startswith("$"):
        yield value[1:]


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {str(key): _filled(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, str) and value.startswith("$"):
        return values[value[1:]]
    return value


def _wanted(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph without the nodes whose `when` is empty or false, and without the links to them."""
    missing = {number for number, node in graph.items() if isinstance(node, dict) and not node.get("when", True)}
    kept = {}
    for number, node in graph.items():
        if number in missing:
            continue
        if isinstance(node, dict):
            inputs = {k: v for k, v in node.get("inputs", {}).items() if not (isinstance(v, list) and v and v[0] in missing)}
            node = {key: value for key, value in node.items() if key != "when"} | {"inputs": inputs}
        kept[number] = node
    return kept
