"""What glibc's memory allocator does with memory that was freed. With another C library, nothing here does anything."""

from __future__ import annotations

import ctypes
import os
import sys

# Of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_LARGEST_KEPT = 1 << 30  # bytes: a single piece of memory beyond that goes back when it is freed
_ASKED_FOR_AT_ONCE = 64 << 20


def keep_freed() -> None:
    """For a process of our own, before it has threads: memory that was freed stays with the process and is used again.

    Networks take and free tens of megabytes with every layer. By default each of these pieces comes from the system and goes
    back to it, page by page, which takes as long as the layer's own sums: heads are drawn in two thirds of the time without.
    All threads share one heap, since another thread's would be given back like that again. `give_back_freed` still works.
    """
    library = _glibc()
    if library is None or any(name.startswith("MALLOC_") for name in os.environ):  # somebody knows better
        return
    for option, value in (
        (_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST_KEPT), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, _ASKED_FOR_AT_ONCE),
    ):  # fmt: skip
        library.mallopt(option, value)


def give_back_freed() -> None:
    """After work that took much memory for a while: glibc would keep what was freed, in pieces too small for the next large
    thing, which then comes on top. Takes a few milliseconds."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "gnu_get_libc_version") else None
