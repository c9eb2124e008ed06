"""From what people write to jobs that can be handed out: presets filled in, outputs named, mistakes found before any work."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import BadInput, LpdError
from ..graph.workflow import Workflow, read_workflow
from ..rendering.presets import Preset, load_preset
from ..video.still_clip import is_pattern
from .job import Job, broken_job, job_of, reading_widgets, with_values, writing_widgets
from .jobs_file import Entry
from .patterns import filled
from .remote_files import is_remote


def expanded(entries: Sequence[Entry], preset_folders: Iterable[str | os.PathLike] = (), overwrite: bool = False) -> list[Job]:
    """The jobs in their order; one that cannot run has its `problem`. Of jobs that would write the same file, all but the
    first have. Jobs of the same content are one."""
    folders = tuple(preset_folders)
    loaded = cache(lambda name: load_preset(name, folders))
    jobs: dict[str, Job] = {}
    writers: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        try:
            job = _job(entry, number, loaded, overwrite)
        except LpdError as error:
            content, problem = (number, entry.set, entry.output), f"{entry.where}: {error}"
            job = broken_job(entry.where, entry.preset or entry.workflow, content, problem, entry.priority)
        if job.id in jobs:
            continue
        if twice := next((target for target in job.outputs if _folded(target) in writers), None):
            problem = f"{twice} is written by the job {writers[_folded(twice)]} already: put another field into the pattern of the name."
            job = broken_job(job.name, job.preset, (number, entry.set, entry.output), problem, job.priority)
        writers |= {_folded(target): job.name for target in job.outputs}
        jobs[job.id] = job
    return list(jobs.values())


def _job(entry: Entry, number: int, loaded, overwrite: bool) -> Job:
    if bool(entry.preset) == bool(entry.workflow):
        raise BadInput("a job needs either a preset or a workflow.")
    if entry.workflow:
        workflow, values, what = _from_workflow(entry, number), dict(entry.set), Path(entry.workflow).stem
    else:
        preset = loaded(entry.preset)
        values = _values(entry, preset, number)
        workflow, what = preset.workflow(values), preset.name
    workflow = _absolute(workflow, entry)
    job = job_of(workflow, "", what, entry.seed, entry.priority, overwrite or entry.overwrite)
    if not job.outputs:
        raise BadInput("it writes no file; give its output a name.")
    name = os.path.basename(job.outputs[0]) or job.outputs[0]
    return Job(**{**job.__dict__, "name": name})


def _values(entry: Entry, preset: Preset, number: int) -> dict[str, Any]:
    """The parameters' values, names of outputs filled in."""
    values = dict(entry.set)
    if entry.output:
        if "output" not in preset.parameters:
            raise BadInput(f"the preset '{preset.name}' has no parameter 'output'; name its file with 'set'.")
        values["output"] = entry.output
    if any(one.required and name not in values for name, one in preset.parameters.items()):
        preset.workflow(values)  # says what is missing
    fields = _fields(entry, number, preset.name) | {k: v.default for k, v in preset.parameters.items() if not v.required} | values
    for name in preset.parameters:
        if isinstance(values.get(name), str) and _is_written(preset, name):
            values[name] = filled(values[name], {k: v for k, v in fields.items() if k != name})
    return values


def _is_written(preset: Preset, name: str) -> bool:
    from ..graph.registry import node_classes

    inputs = [node_classes()[node].input(key) for node, key in preset.uses(name) if node in node_classes()]
    return any(getattr(one, "writes", False) for one in inputs)


def _from_workflow(entry: Entry, number: int) -> Workflow:
    """A workflow file with the entry's values, written "node.input", in it."""
    workflow = read_workflow(entry.base / os.path.expanduser(entry.workflow))
    values: dict[tuple[str, str], Any] = {}
    for name, value in entry.set.items():
        node, point, key = str(name).rpartition(".")
        if not point or node not in workflow.nodes:
            raise BadInput(f"'{name}' names no input of {entry.workflow}; write NODE.INPUT, with a node's number.")
        values[node, key] = value
    if entry.output:
        written = [one for one in writing_widgets(workflow) if workflow.nodes[one[0]].constants.get(one[1])]
        if len(written) != 1:
            raise BadInput(f"{entry.workflow} writes {len(written)} files, so 'output' is not clear; name them with 'set' as NODE.INPUT.")
        fields = _fields(entry, number, Path(entry.workflow).stem) | {str(k).replace(".", "_"): v for k, v in entry.set.items()}
        values[written[0]] = filled(entry.output, fields)
    return with_values(workflow, values)


def _fields(entry: Entry, number: int, name: str) -> dict[str, Any]:
    return {"preset": name, "number": number, "seed": entry.seed}


def _absolute(workflow: Workflow, entry: Entry) -> Workflow:
    """Relative paths from the entry's folders on."""
    values = {}
    for widgets, base in ((reading_widgets, entry.base), (writing_widgets, entry.folder)):
        for node, widget in widgets(workflow):
            given = workflow.nodes[node].constants.get(widget)
            if isinstance(given, str) and given and not is_remote(given):
                values[node, widget] = os.path.abspath(os.path.join(base, os.path.expanduser(given)))
    return with_values(workflow, values)


def foreseen(job: Job) -> str:
    """Why a job cannot run, as far as that shows before the work; empty where nothing does. Writes nothing."""
    if job.problem:
        return job.problem
    workflow = job.workflow()
    read = [workflow.nodes[node].constants.get(widget) for node, widget in reading_widgets(workflow)]
    missing = [one for one in read if one and not is_remote(one) and not os.path.exists(one) and not is_pattern(one)]
    if missing:
        return f"{missing[0]} does not exist; check the path."
    there = [one for one in job.outputs if not is_remote(one) and os.path.exists(one)]
    if there and not job.overwrite:
        return f"{there[0]} exists already: if this batch did not write it, choose another name or allow it to be overwritten."
    return ""


def _folded(target: str) -> str:
    """Names that some file system takes for the same are the same."""
    return unicodedata.normalize("NFC", os.path.normpath(target)).casefold()
