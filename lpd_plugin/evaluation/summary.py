"""From units to the numbers that stand in the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from .judges.base import MOVEMENTS
from .measures.following import per_clip, pooled
from .measures.retrieval import COUNTS, pose_classes, retrieval
from .protocols.descriptors import DESCRIPTORS, JUDGE
from .protocols.reenactment import CROSS, SELF
from .protocols.unit import Unit
from .store import Key, UnitStore

Units = dict[str, Unit]  # by person


@dataclass(frozen=True)
class Measure:
    """value: from units by person to a number, None where nothing could be measured. better: "lower", "higher" or "nearer 1";
    needs: judges without whom it is missing; places: decimals in a table."""

    name: str
    value: Callable[[Units], float | None]
    better: str
    needs: tuple[str, ...] = ()
    protocols: tuple[str, ...] = (SELF, CROSS)
    places: int = 3

    def of(self, units: Units, judges: Iterable[str]) -> dict:
        """Value over all persons and each person's own, or why it is missing."""
        lacking = [role for role in self.needs if role not in judges]
        if lacking:
            return {"value": None, "missing": f"no {' and no '.join(lacking)} was given"}
        value = self.value(units)
        if value is None:
            return {"value": None, "missing": "nothing to measure: no face was seen, or nothing moved"}
        return {"value": value, "persons": {person: self.value({person: unit}) for person, unit in units.items()}}


def summarised(about: dict, keys: dict[str, list[Key]], store: UnitStore) -> dict:
    """What stands in results.json: what was evaluated, every measure by protocol and subject, and the retrieval."""
    results = {**about, "better": {m.name: m.better for m in MEASURES}, "protocols": {}, "adaptation steps": {}}
    for protocol in (SELF, CROSS):
        by_subject: dict[str, Units] = {}
        for key in keys.get(protocol, []):
            by_subject.setdefault(key.subject, {})[key.person] = store.read(key)
        measures = [m for m in MEASURES if protocol in m.protocols]
        results["protocols"][protocol] = {
            subject["name"]: {m.name: m.of(by_subject[subject["name"]], about["judges"]) for m in measures}
            for subject in about["subjects"] if subject["name"] in by_subject
        }  # fmt: skip
        for name, units in by_subject.items():
            steps = {person: unit.about["adaptation steps"] for person, unit in units.items() if "adaptation steps" in unit.about}
            results["adaptation steps"].update({name: steps} if steps else {})
    results["descriptors"] = _compared(keys.get(DESCRIPTORS, []), store)
    return results


def _compared(keys: list[Key], store: UnitStore) -> dict:
    """Retrieval by each descriptor, over frames in which the landmarker saw a face."""
    if not keys:
        return {"missing": "no landmarker was given"}
    arrays: dict[str, dict[str, list[np.ndarray]]] = {}
    for key in keys:
        for name, array in store.read(key).arrays.items():
            arrays.setdefault(key.subject, {}).setdefault(name, []).append(array)
    judged = [key.person for key in keys if key.subject == JUDGE]
    moves = arrays[JUDGE].pop("movements")
    persons = np.repeat(judged, [len(one) for one in moves])
    moves = np.concatenate(moves)
    seen = ~np.isnan(moves[:, 0])
    yaw, pitch, jaw, smile = (moves[seen, MOVEMENTS.index(name)] for name in ("yaw", "pitch", "jaw", "smile"))
    classes, rows, chance = pose_classes(yaw, pitch, jaw, smile), [], None
    for source, by_name in arrays.items():
        for name, many in by_name.items():
            found = retrieval(np.concatenate(many)[seen], classes, persons[seen])
            if found is not None:
                chance = chance or {"chance": found.chance, "possible": _by_count(found.possible), "frames": found.queries}
                rows.append({"source": source, "descriptor": name, "accuracy": _by_count(found.accuracy)})
    if not rows:
        return {"missing": "there is one person only"}
    return {"rows": rows, "classes": len(np.unique(classes)), **chance}


def _by_count(shares: dict[int, float]) -> dict[str, float]:
    return {str(count): shares[count] for count in COUNTS}


def _mean(value: Callable[[dict], float | None]) -> Callable[[Units], float | None]:
    """Of frames' values: the mean over each person's, then over persons, so that each counts alike."""

    def of(units: Units) -> float | None:
        each = [[v for frame in unit.frames if (v := value(frame)) is not None] for unit in units.values()]
        means = [float(np.mean(values)) for values in each if values]
        return float(np.mean(means)) if means else None

    return of


def _followed(index: int, how: Callable[..., list]) -> Callable[[Units], float | None]:
    def of(units: Units) -> float | None:
        rows = [
            (frame["wanted"], frame["seen"], f"{person}/{frame['driver']}/{frame['clip']}")
            for person, unit in units.items() for frame in unit.frames if frame["wanted"] and frame["seen"]
        ]  # fmt: skip
        if not rows:
            return None
        wanted, seen, clips = (np.array(column) for column in zip(*rows))
        arguments = (wanted[:, [index]], seen[:, [index]]) + ((clips,) if how is per_clip else ())
        return how(*arguments)[0]

    return of


def _flicker(name: str) -> Callable[[Units], float | None]:
    """All runs' flicker over their drivers' own."""

    def of(units: Units) -> float | None:
        pairs = [(run[name]["made"], run[name]["driver"]) for unit in units.values() for run in unit.runs]
        pairs = [(made, own) for made, own in pairs if made is not None and own]
        return sum(made for made, _ in pairs) / sum(own for _, own in pairs) if pairs else None

    return of


def _points(name: str) -> Measure:
    error = _mean(lambda frame: frame["landmarks"] and frame["landmarks"][name])
    kind, count = name.split()
    aligned = ", aligned" if kind == "aligned" else ""
    return Measure(f"pose error, {count} points{aligned}", error, "lower", ("landmarker",), (SELF,), 4)


def _movement(index: int, name: str, how: Callable) -> Measure:
    kind = "per clip" if how is per_clip else "pooled"
    return Measure(f"{name} followed, {kind}", _followed(index, how), "higher", ("landmarker",))


MEASURES = (
    Measure("face found", _mean(lambda f: float(f["found"])), "higher", ("landmarker",)),
    Measure(
        "identity error", _mean(lambda f: None if f["cosine"] is None else 1 - f["cosine"]), "lower", ("landmarker", "recogniser")
    ),
    *(_points(name) for name in ("plain 68", "aligned 68", "plain 478", "aligned 478")),
    *(_movement(k, name, how) for how in (pooled, per_clip) for k, name in enumerate(MOVEMENTS)),
    Measure("mask IoU", _mean(lambda f: f["iou"]), "higher", (), (SELF,)),
    Measure("matte network, IoU", _mean(lambda f: f.get("matte iou")), "higher", (), (SELF,)),
    Measure("mask edge error, px", _mean(lambda f: f["edge"]), "lower", (), (SELF,), 2),
    Measure("SSIM", _mean(lambda f: f["ssim"]), "higher", (), (SELF,)),
    Measure("PSNR, dB", _mean(lambda f: f["psnr"]), "higher", (), (SELF,), 2),
    Measure("MS-SSIM", _mean(lambda f: f["ms-ssim"]), "higher", (), (SELF,)),
    Measure("mask flicker over the driver's", _flicker("mask flicker"), "nearer 1", (), (SELF, CROSS), 2),
    Measure("face flicker over the driver's", _flicker("face flicker"), "nearer 1", ("landmarker",), (SELF, CROSS), 2),
)
PLACES = {measure.name: measure.places for measure in MEASURES}
