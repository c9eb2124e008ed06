"""Presets: a graph with named parameters, as YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ..errors import BadInput
from ..graph.workflow import Workflow, parse_workflow

TYPES = {"file": str, "text": str, "choice": str, "int": int, "float": float, "bool": bool}
KEYS = {"type", "default", "help", "minimum", "maximum", "unit", "options"}
REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """What a user may set. `default` is REQUIRED where a value has to be given."""

    name: str
    type: str
    default: Any
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    options: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def value(self, given: Any, preset: str) -> Any:
        """A given value (text from a command line, or typed) in this parameter's type; raises `BadInput`."""
        where = f"parameter '{self.name}' of preset '{preset}'"
        try:
            value = _as_bool(given) if self.type == "bool" else TYPES[self.type](given)
        except (TypeError, ValueError):
            raise BadInput(f"{where}: {given!r} is not of type {self.type}.") from None
        if self.minimum is not None and value < self.minimum or self.maximum is not None and value > self.maximum:
            raise BadInput(f"{where}: {value} is out of range; it has to lie between {self.minimum} and {self.maximum}.")
        if self.options and value not in self.options:
            raise BadInput(f"{where}: '{value}' is not one of {', '.join(self.options)}.")
        return value


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


def preset_folder() -> Path:
    """Where our own presets lie: inside an installed distribution, or beside the package in a checkout."""
    inside = Path(__file__).resolve().parents[1] / "presets"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "presets"


def list_presets() -> dict[str, Path]:
    """Our own presets by name."""
    return {path.stem: path for path in sorted(preset_folder().glob("*.yaml"))}


def load_preset(name: str | os.PathLike) -> Preset:
    """A preset of ours by name, or a user's by path. Raises `BadInput` for an unknown or broken one."""
    known = list_presets()
    path = known.get(str(name)) or Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        close = get_close_matches(str(name), known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}."
        raise BadInput(f"There is no preset '{name}'; {hint}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"Cannot read the preset {path}: {' '.join(str(error).split())}.") from error
    return _checked(content, path)


def _checked(content: Any, path: Path) -> Preset:
    if not isinstance(content, dict) or not {"name", "description", "graph"} <= set(content):
        raise BadInput(f"{path} is not a preset: it needs name, description and graph.")
    unknown = set(content) - {"name", "description", "parameters", "graph"}
    if unknown:
        raise BadInput(f"{path}: unknown key '{sorted(unknown)[0]}'; a preset has name, description, parameters, graph.")
    parameters = {}
    for name, entry in (content.get("parameters") or {}).items():
        if not isinstance(entry, dict) or entry.get("type") not in TYPES or set(entry) - KEYS:
            raise BadInput(f"{path}: parameter '{name}' needs a type ({', '.join(TYPES)}) and only {', '.join(sorted(KEYS))}.")
        entry = {"default": REQUIRED, **entry, "options": tuple(entry.get("options", ()))}
        parameters[name] = Parameter(name, **entry)
    preset = Preset(content["name"], content["description"].strip(), parameters, content["graph"], path)
    used = set(_references(preset.graph))
    for name in used ^ set(parameters):
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


def _as_bool(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    text = str(given).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise ValueError(given)
