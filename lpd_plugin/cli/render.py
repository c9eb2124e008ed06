"""lpd render, run, demo: work that ends in pictures."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import BadInput
from .catalogue import presets_option
from .reporting import progress_for

_json = click.option("--json", "as_json", is_flag=True, help="Progress and result as JSON, for machines.")
_device = click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1, mps.")
_seed = click.option("--seed", default=0, show_default=True, help="The same seed gives the same frames.")


@click.command()
@click.argument("preset")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of the preset; repeat it.")
@click.option("-o", "--output", type=click.Path(), help="The file to write (the preset's parameter 'output').")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@presets_option
@_device
@_seed
@_json
def render(preset, settings, output, overwrite, preset_folders, device, seed, as_json) -> None:
    """Run PRESET (a name from 'lpd presets' or a YAML file)."""
    from ..rendering.presets import load_preset
    from ..rendering.run import run_workflow

    values = dict(_assignment(one) for one in settings)
    if output is not None:
        values["output"] = output
    if overwrite:
        values["overwrite"] = True
    device = _checked_device(device)
    workflow = load_preset(preset, preset_folders).workflow(values)
    with progress_for(as_json) as progress:
        rendered = run_workflow(workflow, progress, device=device, seed=seed)
    _report(rendered, as_json)


@click.command()
@click.argument("workflow", type=click.Path())
@click.option("--server", metavar="URL", help="Run it in the ComfyUI that listens there, such as http://127.0.0.1:8188.")
@click.option("--folder", type=click.Path(file_okay=False), help="With --server: where to put what other nodes save. [default: .]")
@_device
@_seed
@_json
def run(workflow, server, folder, device, seed, as_json) -> None:
    """Run WORKFLOW, a graph in ComfyUI's API format, here or in a running ComfyUI."""
    from ..graph.workflow import read_workflow
    from ..rendering.run import run_workflow

    graph = read_workflow(workflow)
    if server:
        _run_there(graph, server, folder or ".", seed, as_json)
        return
    if folder:
        raise BadInput("--folder belongs to --server; a run here writes where the graph says.")
    with progress_for(as_json) as progress:
        rendered = run_workflow(graph, progress, device=_checked_device(device), seed=seed)
    _report(rendered, as_json)


@click.command()
@click.option("--folder", default="demo", show_default=True, type=click.Path(), help="Where to write.")
@click.option("--adapt-steps", type=int, default=None, help="Steps of adaptation (20 by default; -1 chooses the number).")
@_device
@_json
def demo(folder, adapt_steps, device, as_json) -> None:
    """Do the main job on the demo's media: two videos and a contact sheet."""
    from ..rendering.demo import run_demo
    from ..weights.files import RESEARCH_NOTE

    with progress_for(as_json) as progress:
        results = run_demo(folder, progress, adapt_steps, _checked_device(device))
    if as_json:
        click.echo(json.dumps({name: rendered.as_dict() for name, rendered in results.items()}))
        return
    for name, rendered in results.items():
        click.echo(f"{Path(folder) / (name + '.mp4')}: {rendered.sentence()}")
    click.echo(f"{Path(folder) / 'contact-sheet.png'}: source, driver, generated, mask, composite")
    click.echo(f"Embedded weights: {RESEARCH_NOTE}")


def _run_there(graph, server, folder, seed, as_json) -> None:
    from ..remote.run import run_on_host

    with progress_for(as_json) as progress:
        done = run_on_host(graph, server, progress, seed, folder)
    if as_json:
        click.echo(json.dumps(done.as_dict()))
        return
    for file in done.files:
        click.echo(file)
    click.echo(f"done in {done.seconds:.1f} s at {server}")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput(f"--set {text}: write it as --set NAME=VALUE.")
    return name.strip(), value


def _checked_device(device: str) -> str:
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"The device '{device}' cannot be used here: {str(error).splitlines()[0]}") from None
    return device


def _report(rendered, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rendered.as_dict()))
        return
    for file in rendered.files:
        click.echo(file)
    if rendered.frames:
        click.echo(rendered.sentence())


COMMANDS = (render, run, demo)
