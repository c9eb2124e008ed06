"""A part of one job, for farm managers that hand out ranges: rendered without the batch's database, into its folder.

Every part of a job may be rendered by another machine that sees the folder; `lpd batch` then finds the segments and joins them.
"""

from __future__ import annotations

import re
import uuid

from ..errors import BadInput
from .job import Job
from .performer import Performer, Settings


def parsed_part(text: str) -> tuple[int, int]:
    """K and N of "K/N", K from 1. Raises `BadInput`."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise BadInput(f"--segment {text}: write it as K/N with K from 1 to N, such as 2/8.")
    return int(match[1]), int(match[2])


def render_part(job: Job, part: tuple[int, int], settings: Settings, device: str = "cpu") -> tuple[list[int], int]:
    """Render the K-th of N about equal parts of a job's segments; their numbers, and how many segments the job has.

    Segments that are there already stay. Raises what the job raises.
    """
    if job.problem:
        raise BadInput(job.problem)
    number, of = part
    performer = Performer(settings, f"part{number}-{uuid.uuid4().hex[:8]}", device)
    try:
        segments = performer.open(job.text())
        if not segments:
            raise BadInput(f"{job.name} writes no clip, so it has no parts: run it as a whole.")
        chosen = segments[len(segments) * (number - 1) // of : len(segments) * number // of]
        for one, _, _ in chosen:
            performer.render(job.text(), one)
        return [one for one, _, _ in chosen], len(segments)
    finally:
        performer.close()
