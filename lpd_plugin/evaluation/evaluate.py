"""The whole evaluation: what there is to do, doing what is not done, and the results of all of it."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..errors import BadInput, Cancelled, WorkFailed
from ..learning.stopping import StopRequest
from ..preparation.workers import WorkerDied, worked
from ..progress import Progress
from ..weights.files import weights_info
from ..whole_files import written_whole
from .choice import chosen_persons, drivers_of
from .judges.registry import JudgeFile, close_judges, open_judges
from .people import People, people_here
from .protocols.descriptors import DESCRIPTORS, JUDGE, Source, weights_source
from .protocols.reenactment import CROSS, SELF
from .report.page import write_report
from .report.table import tables
from .settings import FORMAT, Settings
from .store import UNITS, Key, UnitStore
from .subjects import ADAPTED, COPY, Subject
from .summary import summarised
from .trained import require_not_trained
from .work import DoWork, Work, forget_people

RESULTS, TABLE, REPORT = "results.json", "table.md", "report.html"


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated: heads (docs/data.md) of a split, subjects, the judges by role, how much, how many persons, and pose
    descriptors to compare with those of the subjects' weights and the landmarker's."""

    heads: str
    subjects: tuple[Subject, ...]
    judges: dict[str, JudgeFile] = field(default_factory=dict)
    settings: Settings = Settings()
    split: str = "val"
    persons: int | None = None
    descriptors: tuple[Source, ...] = ()
    trained: bool = False  # whether persons that were trained on may be looked at


def evaluate(
    evaluation: Evaluation, folder: str | Path, processes: int = 1, device: str = "cpu", progress: Progress | None = None
) -> dict:
    """Do what is not done yet, then write results.json, table.md and report.html; returns what stands in results.json.

    The same inputs give the same numbers on one machine, however often it was stopped and with any number of processes
    (each works in one thread). Raises `BadInput` for inputs that cannot be used, and for persons that were trained on
    unless that is asked for; `Cancelled` after Ctrl-C, SIGTERM or the host's cancelling, from where the same call goes
    on; `WorkFailed` where a process died.
    """
    progress, folder = progress or Progress(), _checked_folder(folder)
    forget_people()  # of an earlier call
    people = people_here(evaluation.heads, evaluation.split)
    persons = chosen_persons(people.names, evaluation.persons)
    notes = require_not_trained(evaluation.split, persons, evaluation.subjects, evaluation.trained)
    for note in notes:
        progress.note(note)
    open_judges(evaluation.judges)  # what cannot be opened is said now, not in an hour
    plan = Plan(evaluation, people, persons)
    store, threads = UnitStore(folder), torch.get_num_threads()
    judges = tuple(sorted(evaluation.judges.items()))
    job = DoWork(evaluation.heads, evaluation.split, folder, judges, evaluation.settings, device)
    torch.set_num_threads(1)
    try:
        _work_off(job, plan.remaining(store), processes, progress)
    finally:
        torch.set_num_threads(threads)
        close_judges()
        forget_people()
    results = summarised(plan.about(notes), plan.keys, store)
    for name, text in ((RESULTS, json.dumps(results, indent=1, allow_nan=False) + "\n"), (TABLE, tables(results))):
        with written_whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    write_report(folder / REPORT, results, store)
    return results


class Plan:
    """Every unit of an evaluation with its fingerprint."""

    def __init__(self, evaluation: Evaluation, people: People, persons: list[str]):
        self.evaluation, self.people, self.persons = evaluation, people, persons
        self.digests: dict[str, str] = {}
        self.judges = {role: one.digest for role, one in sorted(evaluation.judges.items())}
        self.sources = self._sources()
        self.works = [work for person in persons for work in self._works(person)]
        # What takes longest first: no process is left alone with it at the end.
        self.works.sort(key=lambda work: not (isinstance(work.subject, Subject) and work.subject.kind == ADAPTED))

    @property
    def keys(self) -> dict[str, list[Key]]:
        """Units by protocol, persons in order."""
        keys: dict[str, list[Key]] = {}
        for work in self.works:
            for protocol, _ in work.todo:
                keys.setdefault(protocol, []).append(_key(work, protocol))
        return keys

    def remaining(self, store: UnitStore) -> list[Work]:
        """What is not finished."""
        works = []
        for work in self.works:
            todo = tuple(one for one in work.todo if not store.finished(_key(work, one[0]), one[1]))
            if todo:
                works.append(Work(work.person, work.subject, todo))
        return works

    def about(self, notes: list[str]) -> dict:
        """What was evaluated, as it stands in the results: nothing of this machine."""
        evaluation = self.evaluation
        subjects = [
            {"name": s.name, "kind": s.kind, "weights": Path(s.weights).name, "digest": weights_info(s.weights).digest}
            for s in evaluation.subjects
        ]
        judges = {role: {"name": one.plug_in, "digest": one.digest} for role, one in sorted(evaluation.judges.items())}
        return {
            "format": FORMAT, "split": evaluation.split, "persons": self.persons, "settings": vars(evaluation.settings),
            "subjects": subjects, "judges": judges, "notes": notes,
        }  # fmt: skip

    def _works(self, person: str) -> list[Work]:
        evaluation, settings = self.evaluation, self.evaluation.settings
        own = [FORMAT, self._digest(person), self.judges, settings.pictures, settings.tested]
        names = self.people.names
        drivers = drivers_of(person, names, settings.drivers)
        others = [[d, self._digest(d)] for d in drivers]
        works = []
        for subject in evaluation.subjects:
            todo = [(SELF, _fingerprint(*own, settings.run, SELF, subject.digest()))]
            if drivers:
                shape = [settings.frames, settings.run, names.index(person), others]
                todo.append((CROSS, _fingerprint(*own, *shape, CROSS, subject.digest())))
            works.append(Work(person, subject, tuple(todo)))
        for source in self.sources:
            fingerprint = _fingerprint(FORMAT, self._digest(person), settings.described, source.kind, source.digest)
            works.append(Work(person, source, ((DESCRIPTORS, fingerprint),)))
        return works

    def _sources(self) -> list[Source]:
        """What says poses: the landmarker, without whom there are no pose classes; the weights; and what was asked for."""
        if "landmarker" not in self.judges:
            return []
        weights = [weights_source(s.name, s.weights) for s in self.evaluation.subjects if s.kind not in (COPY, ADAPTED)]
        sources = [Source(JUDGE, JUDGE, "", self.judges["landmarker"]), *weights, *self.evaluation.descriptors]
        for source in sources:
            if sum(other.name == source.name for other in sources) > 1:
                raise BadInput(f"Two things to compare are called '{source.name}': rename one, or leave it out.")
        return sources

    def _digest(self, person: str) -> str:
        if person not in self.digests:
            self.digests[person] = self.people.digest(person)
        return self.digests[person]


def _key(work: Work, protocol: str) -> Key:
    return Key(protocol, work.subject.name, work.person)


def _fingerprint(*parts) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _work_off(job: DoWork, works: list[Work], processes: int, progress: Progress) -> None:
    with StopRequest() as stop, progress.task("evaluating", len(works)) as task:
        try:
            with closing(worked(job, works, max(1, min(processes, len(works))), stop)) as outcomes:
                for work, outcome in outcomes:
                    if isinstance(outcome, WorkerDied):
                        raise WorkFailed(f"The process that evaluated {work.person} ended ({outcome}); the same command goes on.")
                    task.advance()
        except Cancelled as error:
            raise Cancelled(f"stopped after {task.done} of {task.total}; the same command goes on from there") from error


def _checked_folder(folder: str | Path) -> Path:
    """The folder to write to, made where it is missing. Raises `BadInput` for a file, or one that holds other things."""
    folder = Path(os.path.abspath(os.path.expanduser(folder)))
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file: give a folder for the report.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / UNITS).is_dir():
        raise BadInput(f"{folder} holds other things: give an empty folder, or that of an earlier evaluation.")
    try:
        (folder / UNITS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made ({error.strerror}): choose another.") from error
    return folder
