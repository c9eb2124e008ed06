"""Encoders must not take the machine: SVT-AV1 makes the whole process a real-time one where it may (as root, in a container)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def ordinary_priority() -> Iterator[None]:
    """What becomes a real-time thread of this process within the block is an ordinary one after it; those that were before stay.

    A real-time encoder would starve everything beside it, the generation that it waits for included, and threads that are begun
    later would inherit its priority. Does nothing where the system has no such thing (Windows, macOS).
    """
    before = _real_time()
    try:
        yield
    finally:
        for thread in _real_time() - before:
            with contextlib.suppress(OSError):  # ended since
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time() -> set[int]:
    if not hasattr(os, "sched_getscheduler") or not THREADS.is_dir():
        return set()
    found = set()
    for thread in THREADS.iterdir():
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(thread.name))
    return found
