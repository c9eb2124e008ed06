"""lpd batch: many jobs, each finished or reported."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import click
import yaml

from ..errors import BadInput
from .batch_table import table_for
from .catalogue import _table, presets_option
from .render import _assignment, _checked_device


@click.command()
@click.argument("jobs")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of every job; repeat it.")
@click.option("--each", "runs", multiple=True, metavar="NAME=GLOB", help="A parameter that runs through files; repeat it.")
@click.option("-o", "--output", default="", help="How outputs are called: renders/{footage.stem}.mp4.")
@click.option("--seed", default=0, show_default=True, help="Of the jobs of a preset given here.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and what is wrong.")
@click.option("--jobs", "count", default=1, show_default=True, type=click.IntRange(1, 256), help="Worker processes.")
@click.option("--device", "devices", multiple=True, help="cpu, cuda:0, ...; repeat it, workers take them in turn.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where the work is done.")
@click.option("--address", default="auto", show_default=True, help="Of the Ray cluster.")
@click.option("--segment-frames", default=120, show_default=True, type=click.IntRange(8, 100_000), help="Length of a segment.")
@click.option("--segment", default=None, metavar="K/N", help="Render only part K of N of one job, see --job; for farm managers.")
@click.option("--job", default=None, help="Only this job: its id or its name.")
@click.option("--threads", default=None, type=click.IntRange(1, 256), help="Of each process; by default the cores are shared.")
@click.option("--retries", default=3, show_default=True, type=click.IntRange(0, 100), help="Of what may succeed another time.")
@click.option("--retry-wait", default=5.0, show_default=True, type=click.FloatRange(0, 3600), help="Seconds before the first retry.")
@click.option("--state", "folder", default=None, type=click.Path(), help="Folder of the batch's state; by default beside the outputs.")
@click.option("--report", default=None, type=click.Path(), help="Folder of report.html and report.json; by default beside the outputs.")
@presets_option
@click.option("--json", "as_json", is_flag=True, help="Progress and outcome as JSON, for machines.")
def batch(jobs, settings, runs, output, seed, overwrite, dry_run, count, devices, engine, address, segment_frames, segment, job,
          threads, retries, retry_wait, folder, report, preset_folders, as_json) -> None:  # fmt: skip
    """Run the jobs of JOBS (a YAML or CSV list, or a preset with --each), or go on with them.

    The same command continues after any end. Exit codes: 0 all done, 1 some failed, 2 bad usage, 130 stopped.
    """
    from ..batch.expansion import expanded
    from ..batch.jobs_file import home_of
    from ..batch.worker import Patience

    entries = _entries(jobs, settings, runs, output, seed, overwrite)
    home = home_of(entries)
    folder = Path(folder).expanduser().absolute() if folder else home / ".lpd-batch"
    listed = expanded(entries, preset_folders, overwrite)
    if job is not None:
        listed = [_chosen(listed, job)]
    if dry_run:
        return _say_plan(listed, folder, as_json)
    devices = [one if one == "cpu" or engine == "ray" else _checked_device(one) for one in devices or ["cpu"]]
    if segment is not None:
        return _render_part(listed, segment, folder, segment_frames, threads, devices[0], as_json)
    patience = Patience(retries, retry_wait)
    if engine == "ray":
        from ..batch.engines.ray import RayEngine

        work = RayEngine(address, count, devices[0], patience)
    else:
        from ..batch.engines.local import LocalEngine

        work = LocalEngine([devices[n % len(devices)] for n in range(count)], patience)
    outcome = _run(listed, folder, work, segment_frames, threads or _share_of_cores(count), as_json)
    _report(outcome, Path(report).expanduser().absolute() if report else home, as_json)
    if outcome.exit_code:
        raise click.exceptions.Exit(outcome.exit_code)


def _run(listed, folder, engine, length, threads, as_json):
    from ..batch.run import run_batch

    asked = []

    def stop(*_) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with table_for(as_json) as table:
            return run_batch(listed, folder, engine, length, threads, table.watch, lambda: bool(asked))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _entries(jobs, settings, runs, output, seed, overwrite):
    """What is to be done, as it is written."""
    from dataclasses import replace

    from ..batch.jobs_file import jobs_of, read_jobs

    values = dict(_assignment(one) for one in settings)
    if _is_list(jobs):
        if runs or output:
            raise BadInput(f"{jobs} is a list of jobs, which says itself what runs through what: leave out --each and --output.")
        return [replace(entry, set={**entry.set, **values}) for entry in read_jobs(jobs)]
    if not output:
        raise BadInput("Say how the outputs are called, such as -o 'renders/{footage.stem}.mp4'.")
    each: dict[str, list[str]] = {}
    for name, value in (_assignment(one) for one in runs):
        each.setdefault(name, []).append(value)
    return jobs_of(jobs, values, each, output, seed, overwrite)


def _is_list(jobs: str) -> bool:
    path = Path(jobs).expanduser()
    if path.suffix.lower() == ".csv":
        return True
    if path.suffix.lower() not in (".yaml", ".yml"):
        return False
    if not path.is_file():
        raise BadInput(f"There is no list of jobs, and no preset, at {path}; check the path.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return True  # read_jobs says what is wrong
    return not isinstance(content, dict) or not {"graph", "extends"} & set(content)


def _chosen(listed, wanted: str):
    found = [one for one in listed if wanted in (one.id, one.name)]
    if len(found) != 1:
        what = "there is no job" if not found else f"{len(found)} jobs have the name"
        raise BadInput(f"{what} {wanted}; --dry-run lists the jobs with their ids.")
    return found[0]


def _say_plan(listed, folder: Path, as_json: bool) -> None:
    from ..batch.expansion import foreseen
    from ..batch.run import states_of

    states = states_of(listed, folder)
    problems = {one.id: "" if states[one.id] == "done" else foreseen(one) for one in listed}
    if as_json:
        rows = [
            {"id": j.id, "job": j.name, "preset": j.preset, "priority": j.priority, "outputs": list(j.outputs), "state": states[j.id],
             "problem": problems[j.id]} for j in listed
        ]  # fmt: skip
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        rows = [(j.id, j.name, j.preset, str(j.priority), states[j.id], problems[j.id]) for j in listed]
        _table(("id", "job", "preset", "priority", "state", "what is wrong"), rows)
        click.echo(f"{len(listed)} jobs, {sum(map(bool, problems.values()))} of them cannot run as it is")
    if any(problems.values()):
        raise click.exceptions.Exit(1)


def _render_part(listed, part: str, folder: Path, length: int, threads, device: str, as_json: bool) -> None:
    from ..batch.parts import parsed_part, render_part
    from ..batch.performer import Settings

    if len(listed) != 1:
        raise BadInput("--segment renders a part of one job: name it with --job (see --dry-run).")
    rendered, total = render_part(listed[0], parsed_part(part), Settings(str(folder), length, threads or _share_of_cores(1)), device)
    said = {"job": listed[0].id, "part": part, "segments": rendered, "of": total}
    click.echo(json.dumps(said) if as_json else f"{listed[0].name}: part {part}, {len(rendered)} of {total} segments are there")


def _report(outcome, folder: Path, as_json: bool) -> None:
    from ..batch.report.write import write_report

    page, content = write_report(outcome, folder)
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    for job in outcome.jobs:
        if job["state"] == "failed":
            click.echo(f"failed: {job['job'].name}: {job['reason']}", err=True)
    click.echo(f"{outcome.sentence()}; {page}")


def _share_of_cores(count: int) -> int:
    import os

    return max(1, (os.cpu_count() or 1) // count)


COMMANDS = (batch,)
