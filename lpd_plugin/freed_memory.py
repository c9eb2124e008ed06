"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back_freed() -> None:
    """After work that took much memory for a while: glibc would keep what was freed, in pieces too small for the next large
    thing, which then comes on top. Does nothing with another C library. Takes a few milliseconds."""
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
