"""The folder that is being filled with shards: what is in it, what was dropped, and how work goes on after any end.

    index.csv, report.csv         what is there and what was dropped; written when all is done
    about.json                    the settings that everything in it was made with
    train-000000.tar, ...         shards
    .unfinished/index.csv         the index as it grows; a shard counts once it stands there
    .unfinished/dropped.jsonl     the report as it grows, a line at a time
    .unfinished/parts/*.tar       clips that wait for their shard
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import BadInput
from ..learning.data.any_heads import UNFINISHED
from ..learning.data.clip_files import END, ClipAbout, piece_size, read_about
from ..learning.data.shards import INDEX, broken_shards, read_shard_index, write_shard_index
from ..whole_files import written_whole
from .recordings import Recording

REPORT, ABOUT = "report.csv", "about.json"
REPORT_COLUMNS = ("recording", "person", "clip", "split", "kind", "reason")
SHARD = re.compile(r"\w+-(\d{6,})\.tar")


class Output:
    """A folder of shards, finished or not. Use within `with output.locked():`.

    rows: of the index. dropped: rows of the report by recording. notes: sentences about what was found broken.
    settings: what must be the same for everything in the folder.
    Raises `BadInput` for a folder that holds something else, or was made with other settings.
    """

    def __init__(self, folder: str | Path, settings: dict):
        self.folder, self.work, self.settings = Path(folder), Path(folder) / UNFINISHED, settings
        self.parts = self.work / "parts"
        self._check()
        self.rows: list[dict] = []
        self.dropped: dict[str, dict] = {}
        self.notes: list[str] = []

    def _check(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput(f"{self.folder} is a file: give a folder to write shards to.")
        about = self.folder / ABOUT
        if not about.is_file():
            if self.folder.is_dir() and any(p.name != UNFINISHED for p in self.folder.iterdir()):
                raise BadInput(f"{self.folder} holds other things: choose an empty or a new folder.")
            return
        try:
            before = json.loads(about.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{about} is damaged: choose another folder.") from error
        for key, value in self.settings.items():
            if before.get(key) != value:
                raise BadInput(
                    f"{self.folder} was begun with {key} {before.get(key)}, not {value}: use the same, or another folder."
                )

    @contextmanager
    def locked(self):
        """Nobody else fills the folder meanwhile, and what an earlier run left is put in order. Raises `BadInput`."""
        with _writable(self.folder):
            self.parts.mkdir(parents=True, exist_ok=True)
        with _alone(self.work / "lock"):
            if not (self.folder / ABOUT).is_file():
                with written_whole(self.folder / ABOUT) as part:
                    part.write_text(json.dumps({"settings": self.settings}, indent=1) + "\n", encoding="utf-8")
            self._read()
            self._put_in_order()
            yield

    def _read(self) -> None:
        index = next((p for p in (self.work / INDEX, self.folder / INDEX) if p.is_file()), None)
        self.rows = list(read_shard_index(index)) if index else []
        if (self.work / "dropped.jsonl").is_file():
            lines = (self.work / "dropped.jsonl").read_text(encoding="utf-8").split("\n")[:-1]  # a torn last line is none
            rows = [json.loads(line) for line in lines]
        elif (self.folder / REPORT).is_file():
            with open(self.folder / REPORT, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        else:
            rows = []
        self.dropped = {row["recording"]: row for row in rows}

    def _put_in_order(self) -> None:
        """Half-written files go, whole clips of a shard that was cut stay, clips that are in a shard wait no longer."""
        for folder in (self.folder, self.parts):
            for left in folder.glob(".*.part*"):
                left.unlink()
        for shard, sentence in broken_shards(self.folder, self.rows).items():
            self._mend(shard, sentence)
        listed = {row["shard"] for row in self.rows}
        for path in self.folder.glob("*.tar"):
            if SHARD.fullmatch(path.name) and path.name not in listed:
                path.unlink()
        # In the index first: a cut shard's lost clips must not count as done.
        self._write_index()
        self._rewrite_dropped()
        done = {row["source"] for row in self.rows}
        for path in self.parts.glob("*.tar"):
            about = _whole_part(path)
            if about is None or about.source in done:
                path.unlink()

    def _mend(self, shard: str, sentence: str) -> None:
        path = self.folder / shard
        size = path.stat().st_size if path.is_file() else 0
        own = [row for row in self.rows if row["shard"] == shard]
        ends = [int(row["offset"]) + int(row["bytes"]) for row in own]
        end = max((e for e in ends if e <= size), default=0)
        self.rows = [row for row in self.rows if row["shard"] != shard or int(row["offset"]) < end]
        if end:
            with open(path, "r+b") as file:
                file.truncate(end)
                file.seek(end)
                file.write(END)
        else:
            path.unlink(missing_ok=True)
        self.notes.append(f"{sentence}; {sum(e > end for e in ends)} of its {len(own)} clips are prepared again.")

    def waiting(self, recording: Recording) -> int:
        """Bytes of a recording's clip that waits for its shard; 0 if there is none."""
        with suppress(OSError):
            return (self.parts / recording.part).stat().st_size
        return 0

    def drop(self, recording: Recording, kind: str, reason: str) -> None:
        """Note that a recording gives nothing; it is not tried again."""
        values = (recording.path, recording.person, recording.clip, recording.split, kind, " ".join(reason.split()))
        row = dict(zip(REPORT_COLUMNS, values))
        self.dropped[recording.path] = row
        with _writable(self.folder), open(self.work / "dropped.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def forget_dropped(self) -> None:
        """Let what was dropped be tried again."""
        self.dropped.clear()
        self._rewrite_dropped()

    def add_shard(self, split: str, parts: Iterable[Path]) -> None:
        """Make one shard of clips that wait. Raises `BadInput` if it cannot be written; then they wait on."""
        parts = list(parts)
        shard, rows, offset = f"{split}-{self._next_number(split):06d}.tar", [], 0
        with written_whole(self.folder / shard) as whole, open(whole, "wb") as file:
            for path in parts:
                data = path.read_bytes()
                file.write(data)
                rows.append(_row(_about(path), shard, offset, len(data)))
                offset += len(data)
            file.write(END)
        self.rows += rows
        self._write_index()
        for path in parts:
            path.unlink()

    def finish(self) -> None:
        """Index and report under their names; what was only needed to go on is removed."""
        if self.rows:
            in_order = sorted(self.rows, key=lambda row: (row["shard"], int(row["offset"])))
            write_shard_index(self.folder / INDEX, in_order)
        with written_whole(self.folder / REPORT) as part, open(part, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, REPORT_COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(self.dropped[key] for key in sorted(self.dropped))
        shutil.rmtree(self.work)

    def _write_index(self) -> None:
        write_shard_index(self.work / INDEX, self.rows)

    def _rewrite_dropped(self) -> None:
        with written_whole(self.work / "dropped.jsonl") as part:
            part.write_text("".join(json.dumps(row) + "\n" for row in self.dropped.values()), encoding="utf-8")

    def _next_number(self, split: str) -> int:
        numbers = [int(SHARD.fullmatch(row["shard"])[1]) for row in self.rows if row["split"] == split]
        return max(numbers, default=-1) + 1


@contextmanager
def _writable(folder: Path):
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror}): make room or change its permissions; the same command goes on."
        ) from error


@contextmanager
def _alone(lock: Path):
    """Raises `BadInput` where another process holds the lock; where there are no such locks, nobody does."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            folder = lock.parents[1]
            raise BadInput(f"Another lpd prepare is filling {folder}: wait for it, or choose another folder.") from error
        except OSError:  # a file system without locks
            pass
        yield


def _row(about: ClipAbout, shard: str, offset: int, size: int) -> dict:
    return {
        "split": about.split, "person": about.person, "clip": about.clip, "frames": len(about.numbers),
        "pad_fraction": f"{about.pad_fraction:.3f}", "source": about.source, "shard": shard, "offset": offset, "bytes": size,
    }  # fmt: skip


def _about(path: Path) -> ClipAbout:
    with open(path, "rb") as file:
        return read_about(file, str(path))[0]


def _whole_part(path: Path) -> ClipAbout | None:
    """What a waiting clip says of itself, if all of it is there."""
    try:
        with open(path, "rb") as file:
            about, places = read_about(file, str(path))
    except BadInput:
        return None
    return about if path.stat().st_size == piece_size(places) else None
