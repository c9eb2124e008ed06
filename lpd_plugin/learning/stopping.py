"""Ending long work between two steps when the machine or the user asks for it."""

from __future__ import annotations

import signal
import threading


class StopRequest:
    """`with StopRequest() as stop`: SIGTERM and Ctrl-C set `stop.asked` instead of ending the process.

    A second one ends it as usual. Outside the main thread, where signals cannot be taken, it never asks.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.asked = False
        self._before: dict = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._before = {kind: signal.signal(kind, self._ask) for kind in self.SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        self._give_back()

    def _ask(self, *_) -> None:
        self.asked = True
        self._give_back()

    def _give_back(self) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)
        self._before = {}
