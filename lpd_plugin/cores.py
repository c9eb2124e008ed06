"""How many cores torch uses in which thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_changing = threading.Lock()
_here = threading.local()  # depth: how many blocks this thread is in; usual: its number of cores outside of them


def on_one_core() -> None:
    """Have torch compute on one core in the calling thread, and in others as before.

    torch's own setting holds for the thread that changes it and for all that begin later; so a passing thread sets it back for
    those.
    """
    with _changing:
        usual = torch.get_num_threads()  # asked once, torch does not come back to the usual number in this thread
        torch.set_num_threads(1)
        _in_a_new_thread(torch.set_num_threads, usual)


@contextlib.contextmanager
def one_core_here() -> Iterator[int]:
    """Until the block ends, torch computes on one core in this thread, because other threads have the others; gives the number
    of cores that they may take, 1 where an outer block has given them away already.

    A layer that is shared between cores waits for the slowest of them: where these work on something else, for long.
    Blocks of one thread may overlap, as those of generators do.
    """
    depth = getattr(_here, "depth", 0)
    free = torch.get_num_threads() if depth == 0 else 1
    if depth == 0:
        _here.usual = free
        on_one_core()
    _here.depth = depth + 1
    try:
        yield free
    finally:
        _here.depth -= 1
        if _here.depth == 0:
            torch.set_num_threads(_here.usual)


def _in_a_new_thread(call, *values):
    result = []
    thread = threading.Thread(target=lambda: result.append(call(*values)))
    thread.start()
    thread.join()
    return result[0]
