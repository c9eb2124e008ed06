"""A job's remote inputs brought to this machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..progress import Progress
from .job import Job, reading_widgets, with_values
from .remote_files import fetched, is_remote

INPUTS = "inputs"  # the folder of what was fetched, in the batch's own


def fetched_inputs(job: Job, folder: Path, progress: Progress) -> Job:
    """The job with its remote inputs on this machine, fetched once for the batch. Raises as `fetched` does."""
    workflow, values = job.workflow(), {}
    for node, widget in reading_widgets(workflow):
        source = workflow.nodes[node].constants.get(widget)
        if isinstance(source, str) and is_remote(source):
            values[node, widget] = os.fspath(fetched(source, folder / INPUTS, progress))
    return replace(job, graph=with_values(workflow, values).as_dict()) if values else job
