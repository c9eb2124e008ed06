"""Help pages of the nodes: what is declared as tables, between what was written by hand in docs/nodes/."""

from __future__ import annotations

from pathlib import Path

from ..graph.inputs import Bool, Choice, File, Float, Input, Int, Model, Text
from ..graph.node import Node
from ..graph.registry import node_classes

WRITTEN = "docs/nodes"  # NODE_ID.md: what to know beyond the declaration, above all typical mistakes
PICTURES = "web/docs/pictures"  # NODE_ID.jpg


def pages(root: Path) -> dict[str, str]:
    """The help pages by their path in the checkout: the two places that hosts look at."""
    result = {}
    for key, node in node_classes().items():
        written = root / WRITTEN / f"{key}.md"
        text = page(node, written.read_text(encoding="utf-8") if written.exists() else "", (root / PICTURES / f"{key}.jpg").exists())
        result[f"web/docs/{key}.md"] = result[f"web/docs/{key}/en.md"] = text
    return result


def page(node: type[Node], written: str, has_picture: bool) -> str:
    """One node's help page, Markdown."""
    parts = [f"# {node.name}", node.description]
    if has_picture:
        parts.append(f"![What {node.name} shows](pictures/{node.id}.jpg)")
    if written.strip():
        parts.append(written.strip())
    parts += ["## Inputs", _table(("input", "what", "values"), [_input_row(one) for one in node.inputs])]
    if node.outputs:
        rows = [(f"`{one.name}`", one.type, one.tooltip or _TYPES.get(one.type, "")) for one in node.outputs]
        parts += ["## Outputs", _table(("output", "type", "what"), rows)]
    parts.append("Re-enact only people who agreed to it, and say that what is shown is synthetic.")
    return "\n\n".join(parts) + "\n"


_TYPES = {
    "VIDEO": "Footage, computed frame by frame when it is pulled",
    "LPD_TRACK": "The head's box in every frame",
    "LPD_IDENTITY": "Who somebody is",
    "LPD_POSE": "What somebody performs, moment by moment",
    "LPD_HEADS": "Heads, drawn when they are pulled",
    "IMAGE": "Pictures",
    "MASK": "Mattes",
}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _input_row(one: Input) -> tuple[str, str, str]:
    name = f"`{one.name}`" + (" (optional)" if one.optional else "")
    return name, one.tooltip, _values(one)


def _values(one: Input) -> str:
    """What an input takes, in a few words."""
    if isinstance(one, (Int, Float)):
        return f"{_number(one.minimum)} to {_number(one.maximum)}, {_number(one.default)} by default"
    if isinstance(one, Bool):
        return f"yes or no, {'yes' if one.default else 'no'} by default"
    if isinstance(one, Choice) and callable(one.options):  # what is listed depends on the machine
        return f"one of the list, `{one.default}` by default"
    if isinstance(one, Choice):
        listed = ", ".join(f"`{option}`" for option in one.listed())
        return f"{listed}; `{one.default}` by default" if one.default else listed
    if isinstance(one, Model):
        return f"{', '.join(f'`{name}`' for name in one.embedded)}, or a file in the folder `models/lpd`"
    if isinstance(one, File):
        return "a name in the output folder" if one.writes else "a name in the input folder, or an absolute path"
    if isinstance(one, Text):
        return f"text, `{one.default}` by default" if one.default else "text, empty by default"
    return " or ".join(one.accepted)


def _number(value: float | None) -> str:
    return "any" if value is None else f"{value:g}" if abs(value) < 1e6 else f"{value:,.0f}"
