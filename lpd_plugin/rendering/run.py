"""Running a graph headless and measuring it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cache_folder import default_cache_folder
from ..errors import BadInput
from ..graph.executor import Executor, RunResult
from ..graph.node import Context
from ..graph.registry import node_classes
from ..graph.workflow import Workflow
from ..progress import Progress, Task
from ..reenactment.engine_choice import asked_for
from ..video.writer import check_output
from . import codecs  # noqa: F401  registers how results are kept on disk
from .presets import load_preset


@dataclass(frozen=True)
class Rendered:
    """What a render gave: files in the order written, frames rendered to files, seconds, peak memory in MB."""

    files: list[Path]
    frames: int
    seconds: float
    render_seconds: float
    peak_megabytes: float | None
    notes: list[str]

    @property
    def rate(self) -> float:
        """Frames a second while frames were rendered to files."""
        return self.frames / self.render_seconds if self.render_seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "files": [str(f) for f in self.files], "frames": self.frames, "seconds": round(self.seconds, 2),
            "frames_per_second": round(self.rate, 2), "peak_megabytes": self.peak_megabytes, "notes": self.notes,
        }  # fmt: skip

    def sentence(self) -> str:
        """For people."""
        memory = f", peak memory {self.peak_megabytes:.0f} MB" if self.peak_megabytes else ""
        return f"{self.frames} frames in {self.seconds:.1f} s, {self.rate:.1f} frames a second while rendering{memory}"


class _Measured(Progress):
    """Passes everything on, counting the frames that were written."""

    def __init__(self, parent: Progress):
        self.parent, self.frames, self.render_seconds, self.notes = parent, 0, 0.0, []
        self.started_at: dict[int, float] = {}

    def started(self, task: Task) -> None:
        self.started_at[id(task)] = time.monotonic()
        self.parent.started(task)

    def advanced(self, task: Task) -> None:
        self.parent.advanced(task)

    def finished(self, task: Task) -> None:
        if "writing" in task.label:
            self.frames += task.done
            self.render_seconds += time.monotonic() - self.started_at[id(task)]
        self.parent.finished(task)

    def note(self, message: str) -> None:
        self.notes.append(message)
        self.parent.note(message)

    def preview(self, image) -> None:
        self.parent.preview(image)

    def check_cancelled(self) -> None:
        self.parent.check_cancelled()


def peak_megabytes() -> float | None:
    """The most memory this process has held so far, in MB (10^6 bytes); None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def check_outputs(workflow: Workflow) -> None:
    """Refuse, before any work, what could not be written at its end: an existing file, a missing folder.

    Raises `BadInput` naming node and file.
    """
    for node_id, call in workflow.nodes.items():
        node = node_classes().get(call.class_type)
        for widget in node.widgets() if node else ():
            target = call.constants.get(widget.name, widget.default)
            if not getattr(widget, "writes", False) or not target or not isinstance(target, str):
                continue
            try:
                check_output(target, bool(call.constants.get("overwrite", False)))
            except BadInput as error:
                raise BadInput(f"node {node_id} ({call.class_type}): {error}") from error


def run_workflow(workflow: Workflow, progress: Progress, device: str = "cpu", seed: int = 0, cache: bool = True) -> Rendered:
    """Run a workflow's output nodes. Raises what the executor raises, and `BadInput` like `check_outputs` and `asked_for`."""
    check_outputs(workflow)
    asked_for()
    measured, started = _Measured(progress), time.monotonic()
    context = Context(progress=measured, device=device, seed=seed, cache_folder=default_cache_folder() if cache else None)
    with Executor() as executor:
        result: RunResult = executor.run(workflow, context)
    seconds = time.monotonic() - started
    return Rendered(
        list(result.saved), measured.frames, seconds, measured.render_seconds, peak_megabytes(), measured.notes
    )


def render_preset(name: str, values: Mapping[str, Any], progress: Progress, **options) -> Rendered:
    """Run a preset with these parameter values; options as `run_workflow`."""
    return run_workflow(load_preset(name).workflow(values), progress, **options)
