"""Several trainings one after the other: everything that published weights are made by, as one file and one command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..errors import BadInput, Cancelled, WorkFailed
from ..whole_files import written_whole
from .stopping import StopRequest

DONE = "plan.json"  # in the folder of runs: which commands have ended well
STOPPED = 130  # exit code of a training that was asked to stop


@dataclass(frozen=True)
class Stage:
    """One `lpd` command of a plan."""

    name: str
    arguments: tuple[str, ...]


def load_plan(path: str | Path, values: Mapping[str, str]) -> list[Stage]:
    """The stages of a plan, {words} in braces filled in from `values`.

    A plan is YAML: `stages`, a list of `name` and `run`, the arguments of an `lpd` command as a list or as one line.
    Raises `BadInput` for a file that is none, a name that comes twice, and a word that has no value.
    """
    path = Path(path)
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"Cannot read training plan {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML: {error}.") from error
    rows = plan.get("stages") if isinstance(plan, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and set(r) == {"name", "run"} for r in rows):
        raise BadInput(f"{path} is no training plan: it must hold 'stages', a list of entries with 'name' and 'run'.")
    stages = [Stage(str(row["name"]), _filled(row["run"], values, f"{path}, stage {row['name']}")) for row in rows]
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{path}: two stages are called '{name}'; give each a name of its own.")
    return stages


def _filled(run: str | list, values: Mapping[str, str], where: str) -> tuple[str, ...]:
    words = run.split() if isinstance(run, str) else [str(word) for word in run]

    def value(match: re.Match) -> str:
        name = match.group(1)
        if name not in values:
            raise BadInput(f"{where}: {{{name}}} has no value; give --set {name}=VALUE.")
        return str(values[name])

    return tuple(re.sub(r"\{(\w+)\}", value, word) for word in words)


def carry_out(stages: Sequence[Stage], runs: Path, say: Callable[[str], None]) -> None:
    """Run the stages in their order, each in a process of its own; those that ended well before are passed over.

    A stage whose command has changed since is run again (its training goes on in its folder), and so is all after it.
    Raises `Cancelled` where SIGTERM or Ctrl-C ended a training after its checkpoint, `WorkFailed` where a stage failed; the
    same call goes on from there.
    """
    runs.mkdir(parents=True, exist_ok=True)
    done, again = _done(runs), False
    for number, stage in enumerate(stages, 1):
        if not again and done.get(stage.name) == list(stage.arguments):
            say(f"{number}/{len(stages)} {stage.name}: done before")
            continue
        again = True
        say(f"{number}/{len(stages)} {stage.name}: lpd {' '.join(stage.arguments)}")
        _run(stage)
        done[stage.name] = list(stage.arguments)
        with written_whole(runs / DONE) as path:
            path.write_text(json.dumps(done, indent=1), encoding="utf-8")


def _run(stage: Stage) -> None:
    with StopRequest() as stop, subprocess.Popen([sys.executable, "-m", "lpd_plugin", *stage.arguments]) as process:
        asked = False
        while True:
            try:
                code = process.wait(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if stop.asked and not asked:  # it ends after its step and writes its checkpoint
                    process.terminate()
                    asked = True
    if stop.asked or code == STOPPED:
        raise Cancelled(f"stopped in stage '{stage.name}'; the same command goes on from there")
    if code:
        raise WorkFailed(f"Stage '{stage.name}' ended with exit code {code}; see what it said above. The same command goes on there.")


def _done(runs: Path) -> dict[str, list[str]]:
    path = runs / DONE
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); delete it, and finished stages are looked at again.") from error
