"""plugin.json: what this plugin offers, for programs that do not run it. Made from the code, never by hand.

    python -m lpd_plugin.graph.manifest            writes plugin.json beside the package
    python -m lpd_plugin.graph.manifest --check    only says whether it is up to date (exit code 1 if not)
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import BadInput
from .inputs import Choice, File, Input, Widget
from .node import Node
from ..whole_files import written_whole
from .registry import node_classes
from .types import DESCRIPTIONS

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("plugin.schema.json")

_LICENCES = {"code": "Apache-2.0", "weights": "research and evaluation only"}
_ENTRY_POINTS = {
    "command": "lpd",
    "python": "lpd_plugin",
    "nodes": "lpd_plugin.graph.registry:node_classes",
    "comfyui": "__init__.py",
}


def manifest(root: Path = ROOT) -> dict[str, Any]:
    """The content of plugin.json for the checkout at `root`; the same on every machine."""
    return {
        "$schema": SCHEMA.relative_to(ROOT).as_posix(),
        "name": "lpd",
        "version": __version__,
        "description": "Neural head reenactment with latent pose descriptors, for editing and compositing",
        "licences": _LICENCES,
        "entry_points": _ENTRY_POINTS,
        "types": [{"name": name, "description": text} for name, text in DESCRIPTIONS.items()],
        "nodes": [_node(node) for node in node_classes().values()],
        "presets": [_preset(path) for path in sorted((root / "presets").glob("*.yaml"))],
        "weights": [_weights(path, root) for path in sorted((root / "lpd_plugin" / "weights").glob("*.safetensors"))],
    }


def text_of(content: Mapping[str, Any]) -> str:
    """A manifest as the file holds it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _node(node: type[Node]) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "category": node.category,
        "description": node.description,
        "version": node.version,
        "output_node": node.output_node,
        "inputs": [_input(one) for one in node.inputs],
        "outputs": [{"name": one.name, "type": one.type, "tooltip": one.tooltip} for one in node.outputs],
    }


def _input(one: Input) -> dict[str, Any]:
    """One input: its type or alternatives, and for a widget what it may hold."""
    entry: dict[str, Any] = {"name": one.name, "type": list(one.accepted), "required": one.required}
    entry["tooltip"] = one.tooltip
    if not isinstance(one, Widget):
        return entry
    entry["default"] = one.default
    if isinstance(one, Choice):
        # What is listed late depends on the machine: its files, its devices.
        entry["options"] = None if callable(one.options) else list(one.options)
    if isinstance(one, File):
        entry["file"] = {"writes": one.writes, "extensions": list(one.extensions)}
    for field in fields(one):
        if field.name in ("minimum", "maximum", "step", "multiline"):
            entry[field.name] = getattr(one, field.name)
    return entry


def _preset(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise BadInput(f"{path}{place}: not valid YAML; correct that place") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path}: expected a preset with name, description and parameters")
    return {
        "name": content.get("name", path.stem),
        "description": " ".join(str(content.get("description", "")).split()),
        "file": f"presets/{path.name}",
        "parameters": content.get("parameters") or {},
    }


def _weights(path: Path, root: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "file": path.relative_to(root).as_posix(),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def main(arguments: list[str]) -> int:
    """Write plugin.json, or with --check compare it. Returns the exit code."""
    path, wanted = ROOT / "plugin.json", text_of(manifest())
    if "--check" in arguments:
        current = path.exists() and path.read_text(encoding="utf-8") == wanted
        print(f"{path} is {'up to date' if current else 'out of date: run python -m lpd_plugin.graph.manifest'}")
        return 0 if current else 1
    with written_whole(path) as part:
        part.write_text(wanted, encoding="utf-8")
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
