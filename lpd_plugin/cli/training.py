"""lpd train: making weights."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import BadInput
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
@click.option("--heads", default=None, type=click.Path(), help="Heads to train on (docs/data.md), over the configuration's.")
@click.option("--steps", default=None, type=click.IntRange(1), help="Stop at this step, over the configuration's.")
@click.option("--grow-from", default=None, type=click.Path(), help="What to start from, over the configuration's grow_from.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
def model(config, folder, heads, steps, grow_from, device) -> None:
    """Meta-learn encoders and generator as CONFIG (YAML) says."""
    import torch

    from ..learning.data.any_heads import open_heads
    from ..learning.meta_learning import MetaLearning
    from ..learning.processes import joined_processes
    from ..learning.training_config import load_training_config

    settings = load_training_config(config, heads=heads, steps=steps, grow_from=grow_from)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with joined_processes(device) as processes, progress_for(not processes.first) as progress:
        side = max(settings.side, 128)
        store = open_heads(settings.heads, "train", side, settings.max_pad_fraction)
        held_out = open_heads(settings.heads, settings.held_out, side) if settings.held_out else None

        def kept():  # picture by picture where it can be: looked at once
            return open_heads(settings.heads, "train", None, settings.max_pad_fraction, in_memory=0)

        MetaLearning(settings, store, Path(folder), "cpu", held_out, processes, kept, progress).run(progress)


@train.command()
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder.")
@click.option("--heads", required=True, type=click.Path(), help="Heads to train on: a folder or a packed file (docs/data.md).")
@click.option("--steps", default=2500, show_default=True, help="Steps in all.")
@click.option("--side", default=256, show_default=True, help="Pixels a crop's side; start small, go on at 256.")
@click.option("--from", "start", default=None, type=click.Path(), help="Weights of a matte to start from.")
def matte(folder, heads, steps, side, start) -> None:
    """Train the head matte network."""
    from ..learning.data.any_heads import open_heads
    from ..learning.matte_training import MatteConfig, MatteTraining

    store = open_heads(heads, "train", side)
    with progress_for(False) as progress:
        MatteTraining(MatteConfig(steps=steps), store, Path(folder), start=start).run(progress)


@train.command("face-reader")
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder; it keeps the faces' points, too.")
@click.option("--heads", required=True, type=click.Path(), help="Heads to train on: a folder or a packed file (docs/data.md).")
@click.option("--points", multiple=True, type=click.Path(), help="A network that finds 68 points (.onnx, .xml); can be repeated.")
@click.option("--steps", default=4000, show_default=True, type=click.IntRange(1), help="Steps in all.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
def face_reader(folder, heads, points, steps, device) -> None:
    """Train what reads faces for the painter: how the head is held, what mouth and eyes do.

    It learns from the 68 points of faces that dlib finds: pip install "lpd[train]". Networks named with --points find them better
    (the mean of what all of them say); where lips meet, and how far they are apart, is still dlib's to say. See docs/weights.md.
    """
    from ..learning.data.any_heads import open_heads
    from ..learning.devices import chosen_device
    from ..learning.face_marks import taught_by
    from ..learning.face_pictures import MeasuredFaces
    from ..learning.face_reader_training import FaceReaderConfig, FaceReaderTraining

    device, folder = str(chosen_device(device)), Path(folder)
    store, others = (open_heads(heads, split, 256) for split in ("train", "val"))
    with progress_for(False) as progress:
        marks, mouths = taught_by(store, "train", folder, progress, points)
        faces = MeasuredFaces(store, marks, mouths=mouths)
        marks, mouths = taught_by(others, "val", folder, progress, points)
        held_out = MeasuredFaces(others, marks, faces, mouths)
        FaceReaderTraining(FaceReaderConfig(steps=steps), faces, folder, held_out, device).run(progress)


@train.command()
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder.")
@click.option("--heads", required=True, type=click.Path(), help="Heads to train on: a folder or a packed file (docs/data.md).")
@click.option("--from", "start", default=None, type=click.Path(), help="A generator's checkpoint to paint over, or weights.")
@click.option("--reader", default=None, type=click.Path(), help="The run of the face reader; default: the one in --from.")
@click.option("--steps", default=3000, show_default=True, type=click.IntRange(1), help="Steps in all.")
@click.option("--side", default="128", show_default=True, type=click.Choice(["128", "256"]), help="Pixels a painted side.")
@click.option("--rate", default=1e-3, show_default=True, type=click.FloatRange(0, 1, min_open=True), help="Learning rate.")
@click.option("--pairs", default=6, show_default=True, type=click.IntRange(2), help="Pairs of frames a step.")
@click.option("--strangers", default=6, show_default=True, type=click.IntRange(1), help="Frames a step in others' poses.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--face-features", default="", type=click.Path(), help="Weights of a face recogniser to learn from.")
def painter(folder, heads, start, reader, steps, side, rate, pairs, strangers, device, face_features) -> None:
    """Train the painter that carries a person's own pixels into the generator's drawing."""
    from ..learning.checkpoint import CHECKPOINT
    from ..learning.data.any_heads import open_heads
    from ..learning.devices import chosen_device
    from ..learning.face_marks import taught_by
    from ..learning.painter_training import PainterConfig, PainterTraining

    device = str(chosen_device(device))
    store, held_out = (open_heads(heads, split, 256) for split in ("train", "val"))
    with progress_for(False) as progress:
        marks, _ = taught_by(store, "train", Path(reader or folder), progress)
        config = PainterConfig(
            steps=steps, side=int(side), rate=rate, pairs=pairs, strangers=strangers, face_features=face_features
        )
        reader = reader and Path(reader) / CHECKPOINT
        PainterTraining(config, store, folder, start, device, held_out, marks, reader).run(progress)


@train.command()
@click.option("-o", "--folder", required=True, type=click.Path(), help="The run's folder.")
@click.option("--heads", required=True, type=click.Path(), help="Heads to train on: a folder or a packed file (docs/data.md).")
@click.option("--face-features", required=True, type=click.Path(), help="Weights of the face recogniser that teaches.")
@click.option("--steps", default=1800, show_default=True, type=click.IntRange(1), help="Steps in all.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
def likeness(folder, heads, face_features, steps, device) -> None:
    """Train what tells whom a head shows, for adaptation: a recogniser of our own, taught by another's answers."""
    from ..learning.data.any_heads import open_heads
    from ..learning.devices import chosen_device
    from ..learning.likeness_training import LikenessConfig, LikenessTraining

    store, others = (open_heads(heads, split, 256) for split in ("train", "val"))
    with progress_for(False) as progress:
        config = LikenessConfig(face_features, steps=steps)
        LikenessTraining(config, store, Path(folder), str(chosen_device(device)), others).run(progress)


@train.command()
@click.argument("file", metavar="PLAN.yaml", type=click.Path())
@click.option("-o", "--folder", required=True, type=click.Path(), help="The folder of the runs.")
@click.option("--heads", required=True, type=click.Path(), help="Heads to train on: a folder or a packed file (docs/data.md).")
@click.option("--set", "words", multiple=True, metavar="NAME=VALUE", help="What the plan leaves open, such as face_features.")
@click.option("--dry-run", is_flag=True, help="Only say what would be run.")
def plan(file, folder, heads, words, dry_run) -> None:
    """Carry out the trainings of PLAN.yaml one after the other; finished ones are passed over.

    training/embedded.yaml makes the embedded weights.
    """
    from ..learning.plan import carry_out, load_plan

    values = {"runs": folder, "heads": heads, "plan": str(Path(file).parent)}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadInput(f"--set {word}: write NAME=VALUE.")
        values[name] = value
    stages = load_plan(file, values)
    if dry_run:
        click.echo("\n".join(f"{stage.name}: lpd {' '.join(stage.arguments)}" for stage in stages))
        return
    carry_out(stages, Path(folder), click.echo)


@train.command()
@click.argument("run", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The weights file to write.")
@click.option("--heads", default=None, type=click.Path(), help="Heads for the bank of poses; default: the run's.")
@click.option("--generator-only", is_flag=True, help="As it is, at the side it draws, without a painter: to compare generators.")
@click.option("--mean-with", default=None, type=click.Path(), help="Weights the run went on from: the mean of both is written.")
def export(run, output, heads, generator_only, mean_with) -> None:
    """Write the running averages of RUN (a run's folder) as a weights file in half precision."""
    from ..learning.export import export_run

    click.echo(export_run(Path(run), Path(output), heads, generator_only, mean_with))


COMMANDS = (train,)
