"""Names of outputs from patterns: {footage.stem}_{driver.stem}.mp4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..errors import BadInput

_FIELD = re.compile(r"\{(\w+)(?:\.(\w+))?(?::(\d+))?\}")
_PARTS = {"stem": lambda p: p.stem, "name": lambda p: p.name, "suffix": lambda p: p.suffix, "folder": lambda p: p.parent.name}
_UNFIT = re.compile(r'[\x00-\x1f<>:"/\\|?*]')  # what one or another file system refuses inside a name


def filled(pattern: str, values: Mapping[str, Any]) -> str:
    """A pattern with values in its fields: {name}, {name.stem} (or .name, .suffix, .folder) of one that is a path, {number:4} with
    zeros before. A whole value stands as one name, whatever is in it. Raises `BadInput` for a field that means nothing."""

    def value(match: re.Match) -> str:
        name, part, digits = match.groups()
        if name not in values:
            raise BadInput(f"the pattern {pattern} has the field {match[0]}; there are: {', '.join(values)}.")
        if part is not None and part not in _PARTS:
            raise BadInput(f"the pattern {pattern} has the field {match[0]}; after the point goes one of {', '.join(_PARTS)}.")
        text = str(values[name])
        if part is not None:
            text = _PARTS[part](PurePath(text))
        return _UNFIT.sub("_", text.zfill(int(digits)) if digits else text)

    result = _FIELD.sub(value, pattern)
    if "{" in result or "}" in result:
        raise BadInput(f"the pattern {pattern} has a bracket that belongs to no field; write fields as {{name}} or {{name.stem}}.")
    return result
