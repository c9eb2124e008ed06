"""lpd evaluate: how good weights are, on people nobody trained on, by judges from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from ..errors import BadInput
from .render import _checked_device
from .reporting import progress_for


@click.command()
@click.argument("heads", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The folder for the report; going on needs the same one.")
@click.option("--weights", default="compact", show_default=True, help="'compact' or a weights file.")
@click.option("--also", multiple=True, metavar="NAME=WEIGHTS", help="Other weights in the same report; repeat it.")
@click.option("--descriptor", "descriptors", multiple=True, metavar="NAME[=FILE]", help="Another pose descriptor to compare.")
@click.option("--judges", default=None, type=click.Path(), help="A folder that holds the judges' files.")
@click.option("--landmarker", default=None, type=click.Path(), help="A face landmarker's file (face_landmarker.task).")
@click.option("--recogniser", default=None, type=click.Path(), help="A face recogniser's file (MobileFaceNet.onnx).")
@click.option("--persons", default=None, type=click.IntRange(1), help="This many persons; default: all of the split.")
@click.option("--pictures", default=32, show_default=True, type=click.IntRange(1, 512), help="Pictures given of each person.")
@click.option("--quick", is_flag=True, help="Fewer drivers and frames, in minutes; without adaptation unless --adapt.")
@click.option("--adapt/--no-adapt", default=None, help="Whether to adapt to every person, too; default: unless --quick.")
@click.option("--split", default="val", show_default=True, help="Whom to evaluate.")
@click.option("--trained", is_flag=True, help="Allow persons that were trained on; the report says so.")
@click.option("--processes", default=None, type=click.IntRange(1), help="Default: as many as there are cores.")
@click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1, mps.")
@click.option("--json", "as_json", is_flag=True, help="Progress and result as JSON, for machines.")
def evaluate(
    heads, output, weights, also, descriptors, judges, landmarker, recogniser, persons, pictures, quick, adapt, split,
    trained, processes, device, as_json,
) -> None:  # fmt: skip
    """Measure likeness, pose, masks and stability on the held-out persons of HEADS (docs/data.md), and write a report.

    Judges are not part of LPD: give the files of a face landmarker and a face recogniser; measures whose judge is not
    given are reported as missing. Stopped, or killed, the same command goes on where it was (docs/evaluation.md).
    """
    from ..evaluation.evaluate import REPORT, RESULTS, TABLE, Evaluation
    from ..evaluation.evaluate import evaluate as evaluated
    from ..evaluation.judges.registry import found_judges
    from ..evaluation.protocols.descriptors import descriptor_source
    from ..evaluation.settings import Settings
    from ..evaluation.subjects import chosen_subjects

    device = _checked_device(device)
    settings = Settings.quick(pictures) if quick else Settings(pictures)
    subjects = chosen_subjects(weights, _named(also), not quick if adapt is None else adapt)
    sources = tuple(descriptor_source(*one.split("=", 1)) for one in descriptors)
    files = found_judges(judges, landmarker, recogniser)
    asked = Evaluation(heads, tuple(subjects), files, settings, split, persons, sources, trained)
    with progress_for(as_json) as progress:
        results = evaluated(asked, output, processes or os.cpu_count() or 1, device, progress)
    written = [str(Path(output) / name) for name in (REPORT, TABLE, RESULTS)]
    if as_json:
        click.echo(json.dumps({"files": written, "results": results}))
        return
    click.echo((Path(output) / TABLE).read_text(encoding="utf-8"))
    for file in written:
        click.echo(file)


def _named(also: tuple[str, ...]) -> dict[str, str]:
    """NAME=WEIGHTS, by name. Raises `BadInput` for anything else, or a name twice."""
    named: dict[str, str] = {}
    for one in also:
        name, equals, weights = one.partition("=")
        if not (name and equals and weights):
            raise BadInput(f"--also {one}: say NAME=WEIGHTS, such as --also landmarks=runs/landmarks.safetensors.")
        if name in named:
            raise BadInput(f"--also {one}: there are other weights called '{name}' already.")
        named[name] = weights
    return named


COMMANDS = (evaluate,)
