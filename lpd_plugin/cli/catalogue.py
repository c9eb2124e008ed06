"""lpd nodes, presets: what there is."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from ..errors import BadInput, LpdError
from ..rendering.preset_files import preset_folder


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


presets_option = click.option(
    "--presets", "preset_folders", multiple=True, type=click.Path(), metavar="FOLDER",
    help="A further folder of presets, which win over others of the same name; repeat it.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@presets_option
@click.pass_context
def presets(context, preset_folders) -> None:
    """List the presets: those that come with LPD and your own; see also show, check and schema."""
    context.obj = preset_folders
    if context.invoked_subcommand is not None:
        return
    from ..rendering.presets import list_presets, load_preset

    rows = []
    for name, path in list_presets(preset_folders).items():
        try:
            said = load_preset(path, preset_folders).description
        except LpdError as error:
            said = f"not usable: {error}"
        rows.append((name, said, "" if path.parent == preset_folder() else str(path)))
    _table(("preset", "what it does", "yours, in"), rows)


@presets.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show(preset_folders, name, as_json) -> None:
    """Show the parameters of a preset (a name, or a YAML file)."""
    from ..rendering.presets import load_preset

    preset = load_preset(name, preset_folders)
    if as_json:
        content = {"name": preset.name, "description": " ".join(preset.description.split()), "file": str(preset.path)}
        content["parameters"] = [one.as_dict() for one in preset.parameters.values()]
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    click.echo(f"{preset.name}: {preset.description}\n")
    rows = []
    for one in preset.parameters.values():
        default = "required" if one.required else str(one.default)
        rows.append((one.name, one.type, default, one.allowed(), one.help))
    _table(("parameter", "type", "default", "allowed", "what it is"), rows)


@presets.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def check(preset_folders, names) -> None:
    """Check that presets (names or files; without any, all) are well-formed and their graphs valid."""
    from ..rendering.presets import list_presets, load_preset

    wrong = []
    for name in names or list_presets(preset_folders).values():
        try:
            preset = load_preset(name, preset_folders)
            _check_graph(preset)
        except LpdError as error:
            wrong.append(str(error))
            continue
        click.echo(f"{preset.path}: well-formed, {len(preset.graph)} nodes, {len(preset.parameters)} parameters")
    if wrong:
        raise BadInput("\n".join(wrong))


def _check_graph(preset) -> None:
    """With every optional node there, and without."""
    from ..graph.registry import node_classes
    from ..graph.validation import validate

    def stand_in(name: str) -> str:
        inputs = [node_classes()[node].input(key) for node, key in preset.uses(name) if node in node_classes()]
        return name + next((suffix for one in inputs for suffix in getattr(one, "extensions", ())), ".png")

    needed = {name: stand_in(name) for name, one in preset.parameters.items() if one.required}
    every = {name: stand_in(name) for name, one in preset.parameters.items() if one.type == "file" and one.default == ""}
    for values in (needed, needed | every):
        validate(_named_by_format(preset.workflow(values)), node_classes())


def _named_by_format(workflow):
    """The names that nodes with a format write given a suffix that it has, as who uses a preset gives them."""
    from ..batch.job import with_values
    from ..graph.registry import node_classes
    from ..graph.workflow import Link
    from ..video.formats import load_format

    names = {}
    for node_id, call in workflow.nodes.items():
        node = node_classes().get(call.class_type)
        if node is not None and {"file", "format"} <= {one.name for one in node.widgets()}:
            file, format = call.inputs.get("file"), call.inputs.get("format", node.input("format").default)
            if isinstance(file, str) and not isinstance(format, Link):
                names[node_id, "file"] = file.removesuffix(".png") + load_format(format).suffixes[0]
    return with_values(workflow, names)


@presets.command()
def schema() -> None:
    """Print the JSON schema of preset files, for editors that check and complete YAML."""
    from ..rendering.presets import SCHEMA

    click.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


COMMANDS = (nodes, presets)
