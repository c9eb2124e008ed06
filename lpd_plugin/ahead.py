"""Work done before its results are asked for, in threads, in order, never far ahead.

torch, OpenCV and FFmpeg let other threads run while they compute; so a render's stages work side by side where each is pulled
through one of these, instead of waiting for one another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def worked_ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int, prepare: Callable[[], None] | None = None) -> Iterator[Result]:
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
