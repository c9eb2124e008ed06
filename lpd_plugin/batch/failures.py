"""What went wrong with a piece of work: worth another try, or not, and in which words."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

from ..errors import LpdError
from ..whole_files import disk_is_full

# What another try may not meet again: the network, another program's file, memory that others have taken.
_PASSING = {
    errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED,
    errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPIPE,
}  # fmt: skip


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed when it is tried again: by the error or by any that it came from."""
    for one in _causes(error):
        if isinstance(one, (MemoryError, ConnectionError, TimeoutError)) or type(one).__name__ == "OutOfMemoryError":
            return True
        if isinstance(one, sqlite3.OperationalError) and "locked" in str(one):
            return True
        if disk_is_full(one) or getattr(one, "errno", None) in _PASSING:
            return True
    return False


def said(error: BaseException) -> str:
    """The reason as a report gives it: an error's own sentence; what nobody foresaw with its kind."""
    if isinstance(error, LpdError):
        return " ".join(str(error).split())
    if disk_is_full(error):
        place = getattr(error, "filename", None)
        return f"the disk is full{f' ({place})' if place else ''}: make room and run the batch again."
    if isinstance(error, MemoryError):
        return "the memory was not enough: run fewer jobs at once."
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
