"""A folder of recordings becomes a folder of shards: resumable, by several processes, with a report of what was dropped."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import BadInput, Cancelled
from ..learning.data.clip_files import ClipAbout, clip_piece, read_about
from ..learning.data.splits import require_apart
from ..learning.stopping import StopRequest
from ..progress import Progress
from ..whole_files import written_whole
from ..weights.files import load_matte
from .head_clips import CropSettings, Dropped, crops_of
from .output import REPORT, Output
from .recordings import Recording, find_recordings
from .workers import WorkerDied, worked


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: the bytes of its clip, or why there is none (see `Dropped`)."""

    size: int = 0
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True)
class PrepareOne:
    """The work on one recording, as it travels to other processes: its clip is left in the folder `parts`."""

    source: Path
    parts: Path
    settings: CropSettings

    def __call__(self, recording: Recording, progress: Progress) -> Outcome:
        """Raises `BadInput` where the clip cannot be written; whatever is wrong with the recording is an outcome."""
        try:
            crops = crops_of(self.source, recording, self.settings, progress)
        except Dropped as dropped:
            return Outcome(kind=dropped.kind, reason=str(dropped))
        except Cancelled:
            raise
        except Exception as error:  # one strange file among a hundred thousand must not end the night
            return Outcome(kind="failed", reason=f"an error that was not foreseen: {type(error).__name__}: {error}")
        about = ClipAbout(
            recording.split, recording.person, recording.clip, recording.path, self.settings.side,
            round(crops.pad_fraction, 4), crops.numbers.tolist(),
        )  # fmt: skip
        piece = clip_piece(about, crops.frames, crops.masks, self.settings.quality)
        with written_whole(self.parts / recording.part) as part:
            part.write_bytes(piece)
        return Outcome(size=len(piece))


@dataclass(frozen=True)
class Summary:
    """What lies in the folder now. persons, clips, frames and bytes by split; dropped: recordings by kind of reason."""

    persons: dict[str, int]
    clips: dict[str, int]
    frames: dict[str, int]
    size: int
    shards: int
    dropped: dict[str, int]


def prepare(
    source: str | Path, folder: str | Path, settings: CropSettings = CropSettings(), held_out: float = 0.05,
    processes: int = 1, shard_bytes: int = 256 << 20, retry: bool = False, progress: Progress | None = None,
) -> Summary:  # fmt: skip
    """Make shards in `folder` of every recording in `source` (see `find_recordings`) that they do not hold yet.

    The same source and settings give the same shards, whatever the number of processes and however often the work was
    stopped. retry: try again what an earlier run dropped.
    Raises `Cancelled` after Ctrl-C, SIGTERM or the host's cancelling; the same call goes on. Raises `BadInput` for a source
    without recordings, a folder that holds something else, a person who would be in two splits, a full disk, and where
    nothing at all could be used.
    """
    progress, source = progress or Progress(), Path(source)
    load_matte(settings.matte)  # a wrong file is said once, not of every recording
    recordings = find_recordings(source, held_out)
    output = Output(folder, {**asdict(settings), "held_out": held_out})
    with StopRequest() as stop, output.locked():
        for note in output.notes:
            progress.note(note)
        if retry:
            output.forget_dropped()
        job = PrepareOne(source, output.parts, settings)
        _fill(output, recordings, job, processes, shard_bytes, stop, progress)
        summary = summary_of(output)
        output.finish()
    if not output.rows:
        reasons = ", ".join(f"{count} {kind}" for kind, count in summary.dropped.items())
        raise BadInput(
            f"None of the {len(recordings)} recordings in {source} can be used ({reasons}): see {output.folder / REPORT}."
        )
    return summary


def _fill(
    output: Output, recordings: list[Recording], job: PrepareOne, processes: int, shard_bytes: int, stop: StopRequest,
    progress: Progress,
) -> None:  # fmt: skip
    left = _left(recordings, output)
    todo = [recording for recording in left if not output.waiting(recording)]
    shelves = _Shelves(left, output, shard_bytes)
    with progress.task("preparing", len(recordings)) as task:
        task.done = len(recordings) - len(todo)
        try:
            for recording, outcome in worked(job, todo, min(processes, len(todo)), stop):
                _settle(recording, outcome, output, shelves, progress)
                task.advance()
        except Cancelled as error:
            raise Cancelled(
                f"stopped after {task.done} of {len(recordings)} recordings; the same command goes on from there"
            ) from error
    shelves.clear()


def summary_of(output: Output) -> Summary:
    splits = sorted({row["split"] for row in output.rows})
    own = {split: [row for row in output.rows if row["split"] == split] for split in splits}
    return Summary(
        {split: len({row["person"] for row in rows}) for split, rows in own.items()},
        {split: len(rows) for split, rows in own.items()},
        {split: sum(int(row["frames"]) for row in rows) for split, rows in own.items()},
        sum(int(row["bytes"]) for row in output.rows),
        len({row["shard"] for row in output.rows}),
        dict(Counter(row["kind"] for row in output.dropped.values()).most_common()),
    )


def _left(recordings: list[Recording], output: Output) -> list[Recording]:
    """What is in no shard yet and was not dropped. Raises `BadInput` where the folder's clips and these contradict."""
    require_apart([*output.rows, *({"split": r.split, "person": r.person} for r in recordings)], output.folder)
    done = {row["source"] for row in output.rows}
    left = [r for r in recordings if r.path not in done and r.path not in output.dropped]
    names = {(row["person"], row["clip"]): row["source"] for row in output.rows}
    for recording in left:
        before = names.get((recording.person, recording.clip))
        if before is not None:
            raise BadInput(
                f"{output.folder} holds {recording.person}/{recording.clip} from {before} already, now it would come from "
                f"{recording.path}: give the same source folder as before, or another folder to write to."
            )
    return left


def _settle(
    recording: Recording, outcome: Outcome | WorkerDied, output: Output, shelves: _Shelves, progress: Progress
) -> None:
    if isinstance(outcome, WorkerDied):
        outcome = Outcome(kind="failed", reason=f"the process that read it ended ({outcome}): out of memory, or it is damaged")
    if outcome.kind:
        output.drop(recording, outcome.kind, outcome.reason)
        progress.note(f"dropped {recording.path}: {outcome.reason}")
    shelves.settle(recording, outcome.size)


class _Shelves:
    """Clips wait here until, in the recordings' order, they fill a shard of their split: so shards do not depend on who
    was ready first."""

    def __init__(self, left: Iterable[Recording], output: Output, shard_bytes: int):
        self.output, self.shard_bytes = output, shard_bytes
        self.queues: dict[str, deque[Recording]] = {}
        self.sizes: dict[str, int] = {}  # of what is settled, 0 for dropped
        self.taken: dict[str, list[Path]] = {}
        self.taken_bytes: Counter = Counter()
        for recording in left:
            self.queues.setdefault(recording.split, deque()).append(recording)
            if size := output.waiting(recording):
                self.sizes[recording.path] = size
        for split in self.queues:
            self._advance(split)

    def settle(self, recording: Recording, size: int) -> None:
        """A recording is done; size: bytes of its clip, 0 if it was dropped."""
        self.sizes[recording.path] = size
        self._advance(recording.split)

    def clear(self) -> None:
        """Whatever waits becomes shards, also clips whose recordings are not in the source any more."""
        for split in self.queues:
            self._shard(split)
        for path in sorted(self.output.parts.glob("*.tar")):
            with open(path, "rb") as file:
                split = read_about(file, str(path))[0].split
            self._take(split, path, path.stat().st_size)
        for split in self.taken:
            self._shard(split)

    def _advance(self, split: str) -> None:
        queue = self.queues[split]
        while queue and queue[0].path in self.sizes:
            recording = queue.popleft()
            if size := self.sizes.pop(recording.path):
                self._take(split, self.output.parts / recording.part, size)

    def _take(self, split: str, part: Path, size: int) -> None:
        if self.taken_bytes[split] + size > self.shard_bytes:
            self._shard(split)
        self.taken.setdefault(split, []).append(part)
        self.taken_bytes[split] += size

    def _shard(self, split: str) -> None:
        if self.taken.get(split):
            self.output.add_shard(split, self.taken[split])
        self.taken[split], self.taken_bytes[split] = [], 0
