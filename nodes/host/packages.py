"""Python packages that the host's interpreter lacks, told before anything runs."""

from __future__ import annotations

import importlib.util
from functools import cache

_NEEDED = {"cv2": "opencv-python-headless", "av": "av", "kornia": "kornia", "safetensors": "safetensors", "yaml": "PyYAML"}


@cache
def lacking() -> str | None:
    """What is missing and how to get it, one sentence, or None. Looked up once: a host notices new packages at its start."""
    missing = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return None
    names = " ".join(missing)
    return f"LPD needs {names}: run 'python -m pip install {names}' with the host's own Python and start the host again"
