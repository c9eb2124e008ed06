"""lpd train: making weights."""

from __future__ import annotations

from pathlib import Path

import click

from .reporting import progress_for


class _ConfigOrCommand(click.Group):
    """`lpd train CONFIG.yaml`: what is no command's name is a configuration to meta-learn by."""

    def parse_args(self, ctx, args):
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["model", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ConfigOrCommand, options_metavar="", subcommand_metavar="CONFIG.yaml -o RUN | COMMAND ...")
def train() -> None:
    """Train weights; every run resumes from its folder.

    lpd train CONFIG.yaml -o RUN meta-learns encoders and generator (options: lpd train model --help). On several GPUs
    or machines: torchrun --nproc-per-node=N -m lpd_plugin train CONFIG.yaml -o RUN.
    """


@train.command()
@click.argument("config", type=click.Path())
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder: checkpoint, log, sheets.")
@click.option("--heads", default=None, type=click.Path(), help="Folder of head clips, over the configuration's.")
@click.option("--steps", default=None, type=click.IntRange(1), help="Stop at this step, over the configuration's.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
def model(config, folder, heads, steps, device) -> None:
    """Meta-learn encoders and generator as CONFIG (YAML) says."""
    import torch

    from ..learning.data.heads_folder import read_heads
    from ..learning.meta_learning import MetaLearning
    from ..learning.processes import joined_processes
    from ..learning.training_config import load_training_config

    settings = load_training_config(config, heads=heads, steps=steps)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with joined_processes(device) as processes, progress_for(not processes.first) as progress:
        side = max(settings.side, 128)
        store = read_heads(settings.heads, "train", side, settings.max_pad_fraction)
        held_out = read_heads(settings.heads, settings.held_out, side) if settings.held_out else None
        MetaLearning(settings, store, Path(folder), held_out=held_out, processes=processes).run(progress)


@train.command()
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder.")
@click.option("--heads", required=True, type=click.Path(), help="Folder of head clips.")
@click.option("--steps", default=2500, show_default=True, help="Steps in all.")
@click.option("--side", default=256, show_default=True, help="Pixels a crop's side; start small, go on at 256.")
def matte(folder, heads, steps, side) -> None:
    """Train the head matte network."""
    from ..learning.data.heads_folder import read_heads
    from ..learning.matte_training import MatteConfig, MatteTraining

    store = read_heads(heads, "train", side)
    with progress_for(False) as progress:
        MatteTraining(MatteConfig(steps=steps), store, Path(folder)).run(progress)


@train.command()
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder.")
@click.option("--heads", required=True, type=click.Path(), help="Folder of head clips.")
@click.option("--from", "start", default=None, type=click.Path(), help="Checkpoint of the generator's run to paint over.")
@click.option("--steps", default=4000, show_default=True, type=click.IntRange(1), help="Steps in all.")
@click.option("--side", default="128", show_default=True, type=click.Choice(["128", "256"]), help="Pixels a crop's side.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
def painter(folder, heads, start, steps, side, device) -> None:
    """Train the painter that carries a person's own pixels into the generator's drawing."""
    from ..learning.data.heads_folder import read_heads
    from ..learning.devices import chosen_device
    from ..learning.painter_training import PainterConfig, PainterTraining

    device = chosen_device(device)
    store, held_out = (read_heads(heads, split, int(side)) for split in ("train", "val"))
    with progress_for(False) as progress:
        config = PainterConfig(steps=steps, side=int(side))
        PainterTraining(config, store, folder, start, str(device), held_out).run(progress)


@train.command()
@click.argument("run", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The weights file to write.")
@click.option("--heads", default=None, type=click.Path(), help="Folder of head clips, for the bank of poses.")
def export(run, output, heads) -> None:
    """Write the running averages of RUN (a run's folder) as a weights file in half precision."""
    from ..learning.export import export_run

    click.echo(export_run(Path(run), Path(output), heads))


COMMANDS = (train,)
