"""Work done before its results are asked for, in threads, in order, never far ahead.

torch, OpenCV and FFmpeg let other threads run while they compute; so a render's stages work side by side where each is pulled
through one of these, instead of waiting for one another.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

from .cores import on_one_core, one_core_here

Item, Result = TypeVar("Item"), TypeVar("Result")


@contextlib.contextmanager
def networks_ahead(device: torch.device) -> Iterator[Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]]:
    """A block in which networks on a device work in threads of their own, each on its own items: gives a function that is called
    as `map`, and whose results are worked on ahead.

    On a CPU there are as many threads as torch may use, each on one core, which leaves none waiting for another, and results are
    the same however many there are. Before another device there is one, which keeps it busy while the caller uses its results.
    """
    if device.type != "cpu":
        yield partial(worked_ahead, threads=1)
        return
    with one_core_here() as free:
        yield partial(worked_ahead, threads=free if free > 1 else 0, prepare=on_one_core)


def worked_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, prepare: Callable[[], None] | None = None
) -> Iterator[Result]:
    """`work` of every item, in the items' order, by `threads` threads, which start no more than that many items before they are
    asked for. 0 threads: done when asked for.

    prepare: run once in every thread before it works. An error of `work` is raised where its result is asked for. Closing the
    iterator, or dropping it, waits for the items at work and starts no others.
    """
    if not threads:
        for item in items:
            yield work(item)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="lpd-ahead", initializer=prepare)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
