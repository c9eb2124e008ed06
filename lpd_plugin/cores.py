"""How many cores torch and OpenCV use in which thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import cv2
import torch

_changing = threading.Lock()
_here = threading.local()  # depth: how many blocks this thread is in; usual: its number of cores outside of them
_blocks = {"open": 0, "opencv": 1}  # of all threads, and OpenCV's cores outside of them, which are the whole process's


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
    """Until the block ends, torch computes on one core in this thread, because other threads have the others, and so does OpenCV
    in all of them; gives the number of cores that they may take, 1 where an outer block has given them away already.

    What is shared between cores waits for the slowest of them: where these work on something else, for long.
    Blocks of one thread may overlap, as those of generators do.
    """
    depth = getattr(_here, "depth", 0)
    free = torch.get_num_threads() if depth == 0 else 1
    if depth == 0:
        _here.usual = free
        on_one_core()
    _here.depth = depth + 1
    _count(1)
    try:
        yield free
    finally:
        _count(-1)
        _here.depth -= 1
        if _here.depth == 0:
            torch.set_num_threads(_here.usual)


def _count(change: int) -> None:
    with _changing:
        if not _blocks["open"]:
            _blocks["opencv"] = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _blocks["open"] += change
        if not _blocks["open"]:
            cv2.setNumThreads(_blocks["opencv"])


def _in_a_new_thread(call, *values):
    result = []
    thread = threading.Thread(target=lambda: result.append(call(*values)))
    thread.start()
    thread.join()
    return result[0]
