"""lpd nodes, presets: what there is."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table


@click.command()
@click.argument("node", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def nodes(node, as_json) -> None:
    """List the graph's nodes, or show NODE's inputs and outputs."""
    from ..errors import BadInput
    from ..graph.manifest import manifest

    described = {entry["id"]: entry for entry in manifest()["nodes"]}
    if node is not None:
        wanted = node if node in described else f"LPD{node}"
        if wanted not in described:
            raise BadInput(f"There is no node '{node}'; there are: {', '.join(described)}.")
        click.echo(json.dumps(described[wanted], indent=2, ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps(list(described.values()), ensure_ascii=False))
    else:
        _table(("node", "takes", "gives", "what it does"), [_node_row(entry) for entry in described.values()])


def _node_row(entry: dict) -> tuple[str, str, str, str]:
    takes = ", ".join(one["name"] for one in entry["inputs"])
    gives = ", ".join(f"{one['name']} {one['type']}" for one in entry["outputs"])
    return entry["id"], takes, gives, entry["description"]


@click.group(invoke_without_command=True)
@click.pass_context
def presets(context) -> None:
    """List the presets; 'lpd presets show NAME' lists one's parameters."""
    if context.invoked_subcommand is None:
        from ..rendering.presets import list_presets, load_preset

        _table(("preset", "what it does"), [(name, load_preset(path).description) for name, path in list_presets().items()])


@presets.command()
@click.argument("name")
def show(name) -> None:
    """Show the parameters of a preset."""
    from ..rendering.presets import load_preset

    preset = load_preset(name)
    click.echo(f"{preset.name}: {preset.description}\n")
    rows = []
    for one in preset.parameters.values():
        allowed = ", ".join(one.options) or ("" if one.minimum is None else f"{one.minimum} to {one.maximum} {one.unit}")
        rows.append((one.name, one.type, "required" if one.required else str(one.default), allowed, one.help))
    _table(("parameter", "type", "default", "allowed", "what it is"), rows)


@presets.command()
@click.argument("name")
def check(name) -> None:
    """Check that a preset (name or file) is well-formed and its graph valid."""
    from ..graph.registry import node_classes
    from ..graph.validation import validate
    from ..rendering.presets import load_preset

    preset = load_preset(name)
    stand_ins = {n: f"{n}.png" for n, p in preset.parameters.items() if p.required}
    validate(preset.workflow(stand_ins), node_classes(), ())
    click.echo(f"{preset.path}: well-formed, {len(preset.graph)} nodes, {len(preset.parameters)} parameters")


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


COMMANDS = (nodes, presets)
