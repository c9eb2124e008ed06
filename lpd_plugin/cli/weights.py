"""lpd weights: what the model files are, and the way to and from the authors' checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

import click


@click.group()
def weights() -> None:
    """What the model files are; import and export of the authors' checkpoints."""


@weights.command()
@click.argument("names", nargs=-1)
def info(names) -> None:
    """Show what NAMES ('compact', 'matte', 'likeness' or files; default: all embedded) hold and how they were trained."""
    from ..weights.files import EMBEDDED, weights_info

    draws = False
    for name in names or EMBEDDED:
        one = weights_info(name)
        draws = draws or one.kind == "reenactment"
        click.echo(f"{name}: {one.kind}, configuration '{one.configuration}', {one.megabytes:.1f} MB, sha256 {one.digest[:16]}")
        click.echo("  parameters: " + ", ".join(f"{part} {count / 1e6:.2f} M" for part, count in one.parameters.items()))
        if one.kind == "reenactment":
            networks, file = one.networks(), one.descriptor.file
            click.echo(f"  pose: {networks.pose_source}, {networks.pose_size} numbers" + (f", needs {file}" if file else ""))
        training = {key: len(value) if isinstance(value, list) else value for key, value in one.training.items()}
        click.echo("  training: " + ", ".join(f"{key} {value}" for key, value in training.items()))
        click.echo(f"  {one.note}")
    if draws:
        for line in _engines():
            click.echo(line)


def _engines() -> Iterator[str]:
    """What computes heads on this machine's CPU."""
    from ..reenactment.engine_choice import VARIABLE, asked_for, remembered
    from ..reenactment.engines import ENGINES

    there = [name for name, engine in ENGINES.items() if "cpu" in engine.devices and not engine.missing]
    if name := asked_for():
        yield f"engine: {name}, as {VARIABLE} says, on {' and '.join(ENGINES[name].devices)}"
        return
    if there == ["torch"]:
        yield 'engines on a CPU: torch alone; pip install "lpd[fast]" for another that is measured against it'
        return
    choices = list(remembered())
    yield f"engines on a CPU: {', '.join(there)}" + ("" if choices else "; the first heads that are drawn will measure them")
    for network, threads, engine, taken in choices:
        times = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in taken.items())
        yield f"  {network}, threads: {threads}: {engine} ({times})"


@weights.command("import")
@click.argument("checkpoint", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The .safetensors file to write.")
@click.option("--last-step", is_flag=True, help="The weights of the last step instead of their running averages.")
@click.option("--half", is_flag=True, help="Half precision: half the size, nearly the same pictures.")
@click.option("--discriminator", is_flag=True, help="Keep the discriminator, to train on or to export again.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def import_(checkpoint, output, last_step, half, discriminator, overwrite) -> None:
    """Read CHECKPOINT, a .pth of the authors' released code, and write it as a weights file.

    The pickle inside is read by an allow-list: nothing in it can run.
    """
    from ..weights.import_published import NOTE, import_released

    one = import_released(
        checkpoint, output, averages=not last_step, half=half, discriminator=discriminator, overwrite=overwrite
    )
    averages = f"running averages of {' and '.join(one.averaged)}" if one.averaged else "weights of the last step"
    click.echo(f"{one.path}: {one.variant}, iteration {one.iteration}, {averages}, {one.megabytes:.0f} MB")
    if discriminator:
        click.echo(f"  with the discriminator, which knows {one.videos} videos")
    if one.variant == "fine-tuned":
        click.echo("  its generator draws one person only; the file can also be loaded as that person's identity")
    click.echo(f"  {NOTE}")


@weights.command()
@click.argument("name")
@click.option("-o", "--output", required=True, type=click.Path(), help="The .pth file to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def export(name, output, overwrite) -> None:
    """Write NAME, a weights file of the published size, as a checkpoint that the authors' code reads."""
    from ..weights.export_published import export_released

    click.echo(export_released(name, output, overwrite=overwrite))


COMMANDS = (weights,)
