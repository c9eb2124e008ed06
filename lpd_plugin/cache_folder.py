"""Where what can be worked out again is kept."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_folder() -> Path:
    """$LPD_CACHE, else the user's cache folder as the XDG base directory specification has it; not created."""
    if chosen := os.environ.get("LPD_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")  # by the specification, a relative path is to be ignored
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "lpd"
