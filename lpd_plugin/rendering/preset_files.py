"""Where presets lie, and what a preset file says once the preset that it extends is under it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ..errors import BadInput

SUFFIXES = (".yaml", ".yml")
KEYS = ("name", "description", "extends", "set", "parameters", "graph")
FOLDERS = "LPD_PRESETS"  # the environment variable with further folders


def preset_folder() -> Path:
    """Where our own presets lie: inside an installed distribution, or beside the package in a checkout."""
    inside = Path(__file__).resolve().parents[1] / "presets"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "presets"


def user_folder() -> Path:
    """Where a user's own presets lie: `lpd/presets` in the configuration folder of the XDG specification."""
    base = os.environ.get("XDG_CONFIG_HOME", "")  # by the specification, a relative path is to be ignored
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "lpd" / "presets"


def folders(more: Iterable[str | os.PathLike] = ()) -> list[Path]:
    """All folders of presets, the ones that win first: those given, those of $LPD_PRESETS, the user's, ours.

    Raises `BadInput` for a given one that is no folder.
    """
    given = [Path(one).expanduser() for one in more]
    for folder in given:
        if not folder.is_dir():
            raise BadInput(f"There is no folder of presets at {folder}; check the path.")
    listed = [Path(one).expanduser() for one in os.environ.get(FOLDERS, "").split(os.pathsep) if one]
    return [*given, *listed, user_folder(), preset_folder()]


def preset_files(more: Iterable[str | os.PathLike] = ()) -> dict[str, list[Path]]:
    """Every preset's files by name; of several of one name the first wins, and may extend the next."""
    found: dict[str, list[Path]] = {}
    for folder in folders(more):
        for path in sorted(folder.glob("*")):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                found.setdefault(path.stem, []).append(path)
    return dict(sorted(found.items()))


def find_preset(name: str | os.PathLike, known: Mapping[str, list[Path]], beside: Path | None = None) -> Path:
    """The file behind a name or a path; `beside`: the file that says so, which cannot mean itself."""
    text = os.fspath(name)
    candidates = [path for path in known.get(text, ()) if beside is None or not _same(path, beside)]
    if candidates:
        return candidates[0]
    path = Path(text).expanduser()
    if beside is not None and not path.is_absolute():
        path = beside.parent / path
    if path.suffix in SUFFIXES and path.is_file():
        return path
    close = get_close_matches(text, known, 1)
    hint = f"did you mean '{close[0]}'?" if close and close[0] != text else f"there are: {', '.join(known)}."
    where = f"{beside}: it extends '{text}', but there" if beside is not None else "There"
    raise BadInput(f"{where} is no preset '{text}'; {hint}")


def read_preset(path: Path, known: Mapping[str, list[Path]], extending: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a preset's file says, on top of what it extends. Raises `BadInput` for an unreadable or circular one."""
    if any(_same(path, one) for one in extending):
        chain = " extends ".join(one.name for one in (*extending, path))
        raise BadInput(f"{chain}: presets extend each other in a circle; remove one 'extends'.")
    content = _yaml(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path} is not a preset: it needs name, description and graph.")
    unknown = sorted(str(key) for key in set(content) - set(KEYS))
    if unknown:
        raise BadInput(f"{path}: unknown key '{unknown[0]}'; a preset has {', '.join(KEYS)}.")
    for key in ("set", "parameters", "graph"):
        if not isinstance(content.get(key) or {}, dict):
            raise BadInput(f"{path}: '{key}' has to hold names and values.")
    base = content.pop("extends", None)
    if base is None:
        if content.get("set"):
            raise BadInput(f"{path}: 'set' changes defaults of the preset that it extends; name that with 'extends'.")
        if not {"name", "description", "graph"} <= set(content):
            raise BadInput(f"{path} is not a preset: it needs name, description and graph, or one that it extends.")
        return content
    under = read_preset(find_preset(str(base), known, path), known, (*extending, path))
    return _laid_over(under, {"name": path.stem, **content}, path)


def _laid_over(under: dict[str, Any], own: dict[str, Any], path: Path) -> dict[str, Any]:
    merged = {**under, **{key: own[key] for key in ("name", "description") if key in own}}
    merged["parameters"] = _merged(under.get("parameters") or {}, own.get("parameters") or {})
    merged["graph"] = _merged(under.get("graph") or {}, own.get("graph") or {})
    for name, value in (own.get("set") or {}).items():
        if name not in merged["parameters"]:
            close = get_close_matches(str(name), merged["parameters"], 1)
            hint = f"; did you mean '{close[0]}'?" if close else "."
            raise BadInput(f"{path}: 'set' names '{name}', which is no parameter of '{under['name']}'{hint}")
        merged["parameters"][name] = {**merged["parameters"][name], "default": value}
    return merged


def _merged(under: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Names of both, mappings inside each other; null takes away."""
    result = dict(under)
    for key, value in own.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"Cannot read the preset {path}: {' '.join(str(error).split())}.") from error


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
