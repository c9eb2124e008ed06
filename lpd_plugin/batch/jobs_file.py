"""Lists of jobs as people write them: YAML, CSV, or a preset with globs on the command line."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path
from typing import Any

import yaml

from ..errors import BadInput
from .remote_files import is_remote

KEYS = ("preset", "workflow", "set", "each", "output", "priority", "seed", "overwrite")
_WILD = set("*?[")


@dataclass(frozen=True)
class Entry:
    """What one job is to be, before its preset is looked at. where: for messages; base, folder: where relative paths of what
    is read and of what is written start; output: a pattern."""

    where: str
    base: Path
    folder: Path
    preset: str = ""
    workflow: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    priority: int = 0
    seed: int = 0
    overwrite: bool = False


def read_jobs(path: str | os.PathLike) -> list[Entry]:
    """The jobs of a YAML or CSV file, globs expanded. Raises `BadInput` with file, line or job for what makes no sense."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise BadInput(f"There is no list of jobs at {path}; check the path.")
    path = path.absolute()
    try:
        entries = _from_csv(path) if path.suffix.lower() == ".csv" else _from_yaml(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"Cannot read the jobs in {path}: {error}.") from error
    if not entries:
        raise BadInput(f"{path} lists no jobs; add some.")
    return entries


def jobs_of(preset: str, values: Mapping[str, Any], each: Mapping[str, Any], output: str, seed: int, overwrite: bool) -> list[Entry]:
    """The jobs of a preset with some parameters running through many values; paths start from the working folder."""
    entry = Entry("the command line", Path.cwd(), Path.cwd(), preset, "", dict(values), output, 0, seed, overwrite)
    return list(_each(entry, each))


def home_of(entries: Sequence[Entry]) -> Path:
    """The folder that all outputs lie under as far as their patterns say: where a batch keeps its state and its report."""
    folders = [os.path.join(entry.folder, os.path.dirname(entry.output.partition("{")[0])) for entry in entries if not is_remote(entry.output)]
    try:
        return Path(os.path.normpath(os.path.commonpath(folders)))
    except ValueError:  # on different drives, or all elsewhere
        return entries[0].folder


def _from_yaml(path: Path) -> list[Entry]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if isinstance(content, list):
        content = {"jobs": content}
    if not isinstance(content, dict) or not isinstance(content.get("jobs"), list):
        raise BadInput(f"{path}: expected 'jobs' with a list, and 'folder' and 'defaults' beside it where wanted.")
    if unknown := sorted(set(map(str, content)) - {"jobs", "defaults", "folder"}):
        raise BadInput(f"{path}: unknown key '{unknown[0]}'; a list of jobs has jobs, defaults, folder.")
    folder = path.parent / os.path.expanduser(str(content.get("folder") or ""))
    start = replace(_entry(content.get("defaults") or {}, Entry(f"{path}, defaults", path.parent, folder), each=False)[0])
    entries = []
    for number, one in enumerate(content["jobs"], 1):
        entry, each = _entry(one, replace(start, where=f"{path.name}, job {number}"), each=True)
        entries += _each(entry, each)
    return entries


def _entry(content: Any, start: Entry, each: bool) -> tuple[Entry, Mapping[str, Any]]:
    """What an entry says on top of another, and what runs through many values."""
    if not isinstance(content, dict):
        raise BadInput(f"{start.where}: expected keys and values ({', '.join(KEYS)}), got {content!r}.")
    for key in content:
        if key not in KEYS or (key == "each" and not each):
            raise BadInput(f"{start.where}: unknown key '{key}'; a job has {', '.join(KEYS)}.")
    for key in ("set", "each"):
        if not isinstance(content.get(key) or {}, dict):
            raise BadInput(f"{start.where}: '{key}' has to hold parameters and values.")
    given = {key: str(content[key]) for key in ("preset", "workflow", "output") if key in content}
    for key in ("priority", "seed"):
        if key in content:
            given[key] = _whole(content[key], f"{start.where}: '{key}'")
    if "overwrite" in content:
        given["overwrite"] = bool(content["overwrite"])
    if "workflow" in given and "preset" not in given:
        given["preset"] = ""
    elif "preset" in given:
        given.setdefault("workflow", "")
    return replace(start, **given, set={**start.set, **(content.get("set") or {})}), content.get("each") or {}


def _from_csv(path: Path) -> list[Entry]:
    """Columns preset, workflow, output, priority, seed; every other one is a parameter. An empty cell says nothing."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    entries = []
    for number, row in enumerate(rows, 2):
        where = f"{path.name}, line {number}"
        if None in row:
            raise BadInput(f"{where}: there are more cells than columns; check the commas.")
        cells = {key.strip(): value.strip() for key, value in row.items() if value and value.strip()}
        own = {key: cells.pop(key) for key in KEYS if key in cells and key not in ("set", "each", "overwrite")}
        entries.append(_entry({**own, "set": cells}, Entry(where, path.parent, path.parent), each=False)[0])
    return entries


def _whole(value: Any, where: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadInput(f"{where} is {value!r}; it has to be a whole number.") from None


def _each(entry: Entry, each: Mapping[str, Any]) -> Iterator[Entry]:
    """Every combination of the values that parameters run through."""
    runs = [[(name, value) for value in _values(name, given, entry)] for name, given in each.items()]
    for combination in itertools.product(*runs):
        yield replace(entry, set={**entry.set, **dict(combination)})


def _values(name: str, given: Any, entry: Entry) -> Sequence[Any]:
    values: list[Any] = []
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str) and set(one) & _WILD and not is_remote(one):
            found = sorted(glob(os.path.join(entry.base, os.path.expanduser(one)), recursive=True))
            if not found:
                raise BadInput(f"{entry.where}: nothing matches {one}, which '{name}' should run through; check folder and name.")
            values += found
        else:
            values.append(one)
    return values
