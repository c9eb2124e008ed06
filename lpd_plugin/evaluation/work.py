"""One piece of the work: what one subject makes of one person, in all protocols that are not finished."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..progress import Progress
from .choice import Moments, driving_moments, driving_run, drivers_of, given_pictures, own_moments
from .judges.registry import JudgeFile, open_judges
from .people import Person, people_here
from .protocols.descriptors import DESCRIPTORS, Source, described
from .protocols.reenactment import SELF, reenacted
from .settings import Settings
from .store import Key, UnitStore
from .subjects import Subject


@dataclass(frozen=True)
class Work:
    """subject: one that performs, or a source of descriptors; todo: protocols with their fingerprints."""

    person: str
    subject: Subject | Source
    todo: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DoWork:
    """The job as it travels to other processes; results are left in `folder`."""

    heads: str
    split: str
    folder: Path
    judges: tuple[tuple[str, JudgeFile], ...]
    settings: Settings
    device: str = "cpu"

    def __call__(self, work: Work, progress: Progress) -> None:
        judges, store = open_judges(dict(self.judges)), UnitStore(self.folder)
        person = _person(self.heads, self.split, work.person)
        if isinstance(work.subject, Source):
            unit = described(person, work.subject, self.settings.described, judges, self.device)
            store.write(Key(DESCRIPTORS, work.subject.name, work.person), work.todo[0][1], unit)
            return
        given, _ = given_pictures(person, self.settings.pictures)
        performer = work.subject.performer(given, self.device, progress)
        moments = {protocol: self.moments(protocol, person) for protocol, _ in work.todo}
        everything = [one for many in moments.values() for one in many]
        heads = performer.heads(np.concatenate([performer.read(one.frames, one.around) for one in everything]))
        truth = own_moments(person, self.settings.tested, self.settings.run)[0]
        for protocol, fingerprint in work.todo:
            unit = reenacted(protocol, moments[protocol], performer, heads, given, truth, judges)
            store.write(Key(protocol, work.subject.name, work.person), fingerprint, unit)
            progress.check_cancelled()

    def moments(self, protocol: str, person: Person) -> list[Moments]:
        """What drives a person in a protocol."""
        settings = self.settings
        if protocol == SELF:
            return own_moments(person, settings.tested, settings.run)
        names = people_here(self.heads, self.split).names
        turn, drivers = names.index(person.name), drivers_of(person.name, names, settings.drivers)
        shape = (self.heads, self.split, settings.frames, settings.run, turn)
        return [one for k, driver in enumerate(drivers) for one in _driving(driver, k == 0, *shape)]


@functools.lru_cache(maxsize=2)
def _person(heads: str, split: str, name: str) -> Person:
    return people_here(heads, split).read(name)


@functools.lru_cache(maxsize=32)
def _driving(name: str, run: bool, heads: str, split: str, frames: int, length: int, turn: int) -> tuple[Moments, ...]:
    driver = people_here(heads, split).read(name)
    return (*driving_moments(driver, frames, turn), *((driving_run(driver, length, turn),) if run else ()))


def forget_people() -> None:
    """Let go of everybody who was read in this process; their files may change."""
    for remembered in (people_here, _person, _driving):
        remembered.cache_clear()
