"""Many items through several processes: one that dies takes one item with it, and stopping does not wait for them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from ..allocator import keep_freed
from ..errors import Cancelled, LpdError
from ..learning.stopping import StopRequest
from ..progress import Progress

Item, Outcome = TypeVar("Item"), TypeVar("Outcome")
LOOK_AGAIN = 0.2  # seconds until a request to stop is noticed


class WorkerDied(Exception):
    """The process that worked on an item ended: killed, out of memory, or crashed inside a library."""


def worked(
    job: Callable[[Item, Progress], Outcome], items: Iterable[Item], processes: int, stop: StopRequest
) -> Iterator[tuple[Item, Outcome | WorkerDied]]:
    """What `job` makes of each item, in the order in which they are done.

    With one process the work is done in this one. With several, `job` and items travel to new ones (spawned, one thread
    each); where one dies, the item's outcome is `WorkerDied` and another takes its place. Closing the iterator ends them.
    Raises `Cancelled` soon after `stop` asks, and what the job raises of `LpdError`, in either way.
    """
    if processes > 1:
        yield from _Pool(job, processes).worked(items, stop)
        return
    watch = _Watch(stop)
    for item in items:
        watch.check_cancelled()
        yield item, job(item, watch)


class _Watch(Progress):
    """Says nothing, and cancels when asked to stop."""

    def __init__(self, stop: StopRequest):
        self.stop = stop

    def advanced(self, task) -> None: ...

    def check_cancelled(self) -> None:
        if self.stop.asked:
            raise Cancelled()


class _Pool:
    def __init__(self, job: Callable, processes: int):
        self.job, self.processes = job, processes
        self.context = multiprocessing.get_context("spawn")
        self.working: dict[Connection, tuple[multiprocessing.Process, object]] = {}
        self.idle: list[tuple[Connection, multiprocessing.Process]] = []

    def worked(self, items: Iterable, stop: StopRequest) -> Iterator[tuple]:
        items = iter(items)
        try:
            self._fill(items)
            while self.working:
                if stop.asked:
                    raise Cancelled()
                for connection in wait(list(self.working), LOOK_AGAIN):
                    process, item = self.working.pop(connection)
                    outcome = self._outcome(connection, process)
                    self._fill(items)
                    yield item, outcome
        finally:
            self._end()

    def _fill(self, items: Iterator) -> None:
        while len(self.working) < self.processes:
            try:
                item = next(items)
            except StopIteration:
                return
            connection, process = self.idle.pop() if self.idle else self._started()
            self.working[connection] = (process, item)
            try:
                connection.send(item)
            except OSError:  # died while idle: reading from it says so
                pass

    def _started(self) -> tuple[Connection, multiprocessing.Process]:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs, self.job), daemon=True)
        process.start()
        theirs.close()
        return ours, process

    def _outcome(self, connection: Connection, process) -> object:
        try:
            good, outcome = connection.recv()
        except (EOFError, OSError):
            process.join(5)
            connection.close()
            return WorkerDied(_how(process.exitcode))
        self.idle.append((connection, process))
        if not good:
            raise outcome
        return outcome

    def _end(self) -> None:
        everyone = [(c, p) for c, (p, _) in self.working.items()] + self.idle
        for _, process in everyone:
            process.terminate()
        for connection, process in everyone:
            process.join()
            connection.close()


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"


def _serve(connection: Connection, job: Callable) -> None:
    """A worker's life: items in, outcomes out, until nobody asks any more."""
    import cv2
    import torch

    keep_freed()
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        while True:
            item = connection.recv()
            try:
                answer = (True, job(item, Progress()))
            except LpdError as error:
                answer = (False, error)
            connection.send(answer)
    except (EOFError, OSError):
        return


def _end_with_the_first() -> None:
    """Nobody waits for what a worker makes once the first process was killed; without this it would finish the item at hand."""
    multiprocessing.parent_process().join()
    os._exit(1)
