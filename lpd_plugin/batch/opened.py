"""A job whose graph has run: its clips are there to be rendered, in segments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import WorkFailed
from ..graph.executor import Executor
from ..graph.node import Context
from ..graph.registry import node_classes
from ..graph.workflow import Link, parse_workflow
from ..progress import Progress
from ..rendering import codecs  # noqa: F401  registers how results are kept on disk
from ..video.clip import Clip, Frame
from ..video.segments import Segment, SegmentWriter, cut
from .job import Job, with_values, writing_widgets
from .segment_files import SegmentFiles, remove

SAVE, LOAD = "LPDSaveClip", "LPDLoadClip"
STEP = 8  # frames: segments begin at multiples, where those that are drawn and matted together begin


class BrokenSegments(WorkFailed):
    """The segments on the disk are not what they were; the job has to be rendered anew."""


@dataclass
class _Part:
    """One clip that a job saves, the node that does, and the frames being pulled."""

    node: str
    target: str
    clip: Clip
    writer: SegmentWriter
    segments: list[Segment]
    frames: Iterator[Frame] | None = None
    position: int = -1  # of the frame that comes next


def segment_length(frames: int) -> int:
    """The nearest length that segments may have, in frames."""
    return max(STEP, round(frames / STEP) * STEP)


class OpenJob:
    """Runs a job's graph up to its clips when made. `folder`: the job's own, in the batch's.

    Raises what the executor and the writer raise.
    """

    def __init__(self, job: Job, folder: Path, cache: Path, length: int, progress: Progress, device: str, worker: str):
        self.job, self.folder, self.length = job, folder, segment_length(length)
        self.files = SegmentFiles(folder / f"segments-{self.length}", worker)
        self.progress = progress
        self._workflow, self._executor = job.workflow(), Executor()
        self._context = Context(progress=progress, device=device, seed=job.seed, cache_folder=cache)
        try:
            self.parts = self._opened()
        except BaseException:
            self.close()
            raise

    def _opened(self) -> list[_Part]:
        nodes = self._workflow.nodes
        saves = [one for one, call in nodes.items() if call.class_type == SAVE and isinstance(call.inputs.get("clip"), Link)]
        sources = {one: nodes[one].inputs["clip"] for one in saves}
        wanted = list(dict.fromkeys(link.node_id for link in sources.values()))
        outputs = self._executor.run(self._workflow, self._context, wanted).outputs if wanted else {}
        return [self._part(node, outputs[link.node_id][link.slot]) for node, link in sources.items()]

    def _part(self, node: str, clip: Clip) -> _Part:
        values = self._workflow.nodes[node].inputs
        number = values["first_number"] if values["first_number"] == "timecode" else int(values["first_number"])
        metadata = {"lpd_graph": json.dumps(self._workflow.as_dict())}
        writer = SegmentWriter(clip, values["file"], values["format"], metadata, number)
        return _Part(node, values["file"], clip, writer, cut(len(writer.times), self.length))

    def segments(self) -> list[Segment]:
        """Those of the longest clip; the others' of the same number are rendered with them. None without clips."""
        return max((part.segments for part in self.parts), key=len, default=[])

    def render(self, number: int) -> None:
        """Render one segment of every clip; it is on the disk then."""
        files, sides = [], []
        self.files.folder.mkdir(parents=True, exist_ok=True)
        try:
            for index, part in enumerate(self.parts):
                if number >= len(part.segments):
                    continue
                path = self.files.path(number, index, part.writer.suffix)
                files.append((self.files.part(path), path))
                remove(files[-1][0])
                self._render_part(part, part.segments[number], files[-1][0])
                if (report := getattr(part.clip, "report", None)) is not None:
                    side = self.files.path(number, index, ".npz")
                    sides.append((self.files.part(side), side))
                    _save_report(report, part.segments[number], sides[-1][0])
            self.files.keep(number, [*sides, *files], {})
        except BaseException:
            for part in self.parts:
                _stop(part)
            for written, _ in (*files, *sides):
                remove(written)
            raise

    def _render_part(self, part: _Part, segment: Segment, path: Path) -> None:
        if part.frames is None or part.position != segment.first:
            _stop(part)
            part.frames, part.position = part.clip.frames(segment.first), segment.first
        if (report := getattr(part.clip, "report", None)) is not None:
            report.table.forget_neighbours()  # what is measured is the same whoever renders the segment before
        label = f"segment {segment.number + 1} of {len(part.segments)}"
        part.writer.write(segment, part.frames, path, self.progress, label)
        part.position = segment.stop

    def finish(self) -> tuple[dict[str, Path], list[str]]:
        """Everything the job writes, complete, in a folder of the job's own: targets with where each is; and notes.

        Raises BrokenSegments where a segment is missing or damaged.
        """
        staging = self.folder / "finished"
        remove(staging)
        staging.mkdir(parents=True)
        staged, notes = {}, []
        for index, part in enumerate(self.parts):
            folder = staging / f"{index}"
            folder.mkdir()
            report = getattr(part.clip, "report", None)
            segments = [self._segment(part, index, number, report) for number in range(len(part.segments))]
            # A sequence's name is its pattern; its folder is what is staged.
            target = folder / "images" if part.writer.suffix == "" and not part.writer.single else folder / f"joined{Path(part.writer.target).suffix}"
            try:
                notes += part.writer.join(segments, target, self.progress)
            except WorkFailed as error:
                raise BrokenSegments(str(error)) from error
            staged[part.target] = target
            if report is not None:
                notes.append(report.summary())
            if table := self._workflow.nodes[part.node].constants.get("report"):
                if report is not None:
                    staged[table] = report.write_csv(folder / "report.csv")
        return staged | self._extras(staging, staged), [note for note in dict.fromkeys(notes)]

    def _segment(self, part: _Part, index: int, number: int, report) -> Path:
        path = self.files.path(number, index, part.writer.suffix)
        if self.files.record(number) is None:
            raise BrokenSegments(f"segment {number + 1} of {part.writer.target} is not on the disk any more")
        if report is not None:
            _load_report(report, part.segments[number], self.files.path(number, index, ".npz"))
        return path

    def _extras(self, staging: Path, joined: dict[str, Path]) -> dict[str, Path]:
        """Run the other nodes that write files, into the staging folder. What they take from a saved clip, they take from
        the joined one."""
        nodes, places, values = self._workflow.nodes, {}, {}
        savers = {part.node for part in self.parts}
        extras = [one for one, call in nodes.items() if node_classes()[call.class_type].output_node and one not in savers]
        for count, (node, widget) in enumerate(writing_widgets(self._workflow)):
            target = nodes[node].constants.get(widget)
            if node in extras and target:
                folder = staging / f"extra{count}"
                folder.mkdir()
                values[node, widget] = str(folder / f"out{''.join(Path(target).suffixes[-3:])}")
                places[target] = Path(values[node, widget])
        if extras:
            graph = with_values(self._workflow, values).as_dict()
            for part in self.parts:
                file = joined[part.target]
                if file.is_dir():
                    file = file / Path(part.target).name
                rate = float(min(240, max(1, part.clip.info.rate)))
                graph[part.node] = {"class_type": LOAD, "inputs": {"file": str(file), "rate": rate}}
            self._executor.run(parse_workflow(graph, self._workflow.source), self._context, extras)
        return places

    def close(self) -> None:
        for part in getattr(self, "parts", ()):
            _stop(part)
        self._executor.close()


def _stop(part: _Part) -> None:
    if part.frames is not None and hasattr(part.frames, "close"):
        part.frames.close()
    part.frames, part.position = None, -1


def _save_report(report, segment: Segment, path: Path) -> None:
    rows = slice(segment.first, segment.stop)
    with open(path, "wb") as file:
        np.savez(file, outcomes=report.outcomes[rows], values=report.table.values[rows])


def _load_report(report, segment: Segment, path: Path) -> None:
    rows = slice(segment.first, segment.stop)
    try:
        with np.load(path) as content:
            report.outcomes[rows], report.table.values[rows] = content["outcomes"], content["values"]
    except (OSError, ValueError, KeyError) as error:
        raise BrokenSegments(f"{path} is damaged: {error}") from error
