"""Which engine computes a part of drawing heads on this machine: measured once, remembered, the same from then on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from .. import __version__
from ..cache_folder import default_cache_folder
from ..errors import BadInput
from ..whole_files import written_first
from .engines import ENGINES, Computation, Part

VARIABLE = "LPD_ENGINE"
OWN = "torch"
FASTER = 0.9  # of torch's time, at most: for less, nobody's numbers should change
ROUNDS, SECONDS = 5, 0.6  # of measuring a part; whichever ends first, after a round

Note = Callable[[str], None]


def asked_for() -> str | None:
    """The engine that $LPD_ENGINE asks for, None where it is not set. Raises `BadInput` for one that there is not, or whose
    packages are not installed."""
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    if name not in ENGINES:
        raise BadInput(f"The variable {VARIABLE} asks for the engine '{name}', which there is not: choose one of {', '.join(ENGINES)}.")
    if missing := ENGINES[name].missing:
        raise BadInput(
            f"The variable {VARIABLE} asks for the engine '{name}', which needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}, or unset it."
        )
    return name


@torch.inference_mode()
def computed_by(part: Part, note: Note) -> Computation | None:
    """What computes a part instead of its network's own method; None where torch should, as always for networks that are learning,
    and on other devices than CPUs unless an engine that works there is asked for: compiling takes a minute or two.

    An engine that fails or computes anything else is not used, and `note` is told why. Raises `BadInput` like `asked_for`.
    """
    name = asked_for()
    values = list(part.network.parameters())
    device = values[0].device.type
    if name == OWN or part.network.training or any(value.requires_grad for value in values):
        return None
    if any(value.device.type != device or value.dtype != torch.float32 for value in values):
        return None
    if name is None:
        return _with_care(_fastest(part, note), part.by_torch) if device == "cpu" else None
    if device not in ENGINES[name].devices:
        return None
    return _with_care(_trusted(part, name, note), part.by_torch, ENGINES[name].half)


def _fastest(part: Part, note: Note) -> Computation | None:
    others = [engine for engine in ENGINES.values() if engine.name != OWN and "cpu" in engine.devices and not engine.missing]
    if not others:
        return None
    try:
        key = _key(part, {engine.name: engine.version for engine in others})
    except Exception as error:  # a package that is there and cannot be imported
        note(_failed(others[0].name if len(others) == 1 else "an engine", error))
        return None
    kept = _remembered(key)
    if kept is not None:
        return None if kept == OWN else _trusted(part, kept, note)
    candidates = {engine.name: _trusted(part, engine.name, note) for engine in others}
    if None in candidates.values():  # said already; what fails for these weights may work for others: nothing to remember
        return None
    taken = seconds({OWN: part.by_torch, **candidates}, part.sample)
    best = min(candidates, key=taken.get)
    chosen = _remember(key, best if taken[best] <= FASTER * taken[OWN] else OWN, taken, note)
    return candidates.get(chosen)


def _trusted(part: Part, name: str, note: Note) -> Computation | None:
    """An engine's computation if it can be made and agrees with torch on the part's sample."""
    try:
        computation = ENGINES[name].computation(part, torch.get_num_threads())
        results = zip(computation(*part.sample), part.by_torch(*part.sample), part.tolerances, strict=True)
        close = [torch.allclose(one, other, rtol=0, atol=most) for one, other, most in results]
    except Exception as error:  # every package, in every version that a host may have, has classes of its own
        note(_failed(name, error))
        return None
    if not all(close):
        note(f"the engine '{name}' computes something else than torch for the {part.name}: torch draws")
        return None
    return computation


def _failed(name: str, error: Exception) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"the engine '{name}' does not work here ({said}): torch draws"


def _with_care(computation: Computation | None, by_torch: Computation, half: bool = False) -> Computation | None:
    """An engine's computation, and torch's where gradients are asked for, or half precision that it does not compute in."""
    if computation is None:
        return None

    def either(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        in_half = torch.is_autocast_enabled(inputs[0].device.type) or any(one.dtype != torch.float32 for one in inputs)
        return by_torch(*inputs) if torch.is_grad_enabled() or (in_half and not half) else computation(*inputs)

    return either


def seconds(computations: dict[str, Computation], sample: tuple[torch.Tensor, ...]) -> dict[str, float]:
    """Seconds that one call of each takes. They take turns, and the least counts: what else the machine does only adds."""
    # The thread's own time does not count others' work. On Windows its steps are as long as a call.
    alone = torch.get_num_threads() == 1 and sys.platform != "win32"
    clock = time.thread_time if alone else time.perf_counter
    least = dict.fromkeys(computations, float("inf"))
    begun = clock()
    for _ in range(ROUNDS):
        for name, computation in computations.items():
            start = clock()
            computation(*sample)
            least[name] = min(least[name], clock() - start)
        if clock() - begun > SECONDS:
            break
    return least


def _key(part: Part, versions: dict[str, str]) -> dict:
    """All that a choice holds for."""
    versions = {OWN: torch.__version__, **versions}
    return {**_machine(), "threads": torch.get_num_threads(), "engines": versions, "network": part.shape}


@functools.cache
def _machine() -> dict[str, str]:
    name = platform.processor() or platform.machine()
    try:
        named = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        name = named[0].partition(":")[2].strip() if named else name
    except OSError:  # no Linux
        pass
    return {"cpu": f"{name}, {torch.backends.cpu.get_cpu_capability()}", "lpd": __version__}


def _folder() -> Path:
    return default_cache_folder() / "engines"


def _file(key: dict) -> Path:
    return _folder() / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}.json"


def _remembered(key: dict) -> str | None:
    """The engine chosen earlier; a file that cannot be read is forgotten."""
    path = _file(key)
    try:
        engine = json.loads(path.read_bytes())["engine"]
        if engine in key["engines"]:
            return engine
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        pass
    with contextlib.suppress(OSError):
        path.unlink()
    return None


def _remember(key: dict, engine: str, taken: dict[str, float], note: Note) -> str:
    """Keep a choice for later processes; gives what they will find, which may be another process's. torch where it cannot be
    kept: else a render that goes on another day might go on with another engine."""
    record = {"engine": engine, "milliseconds": {name: round(1000 * value, 2) for name, value in taken.items()}, "for": key}
    try:
        return json.loads(written_first(_file(key), json.dumps(record, indent=1).encode()))["engine"]
    except OSError as error:
        note(
            f"which engine is faster here cannot be remembered in {_folder()} ({error.strerror}), so torch draws: "
            f"set LPD_CACHE to a folder that can be written to, or {VARIABLE}"
        )
        return OWN


def remembered() -> Iterator[tuple[str, int, str, dict[str, float]]]:
    """What was chosen on this machine: the network's size in words, the threads, the engine, and the milliseconds by engine."""
    for path in sorted(_folder().glob("*.json")):
        try:
            record = json.loads(path.read_bytes())
            key = record["for"]
            engines = [(ENGINES[name], version) for name, version in key["engines"].items()]
            current = all(not engine.missing and engine.version == version for engine, version in engines)
            if current and _machine().items() <= key.items():
                yield key["network"], key["threads"], record["engine"], record["milliseconds"]
        except (OSError, ValueError, TypeError, KeyError, ImportError):
            continue
