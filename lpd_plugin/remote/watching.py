"""What a host says of a run under way: progress shown as ours, its errors raised as ours, Ctrl-C passed on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from ..errors import BadInput, Cancelled, WorkFailed
from ..graph.workflow import Workflow
from ..progress import Progress, Task
from .client import HostAnswered, HostClient

_PATIENCE = 5.0  # seconds without news before the host is asked
_BAD_INPUT = {"lpd_plugin.errors.BadInput", "lpd_plugin.graph.validation.InvalidWorkflow"}


class Watch:
    """One run, `number` in the host's books."""

    def __init__(self, client: HostClient, workflow: Workflow, progress: Progress, number: str):
        self.client, self.workflow, self.progress, self.number = client, workflow, progress, number
        self._node: str | None = None
        self._task: Task | None = None

    def until_done(self, messages) -> Mapping[str, Any]:
        """Follow the host's messages to the end: what it shows of the nodes, by id. See `run_on_host` for what is raised."""
        try:
            return self._followed(messages)
        except (KeyboardInterrupt, Cancelled):
            self._stop()
            raise Cancelled from None
        finally:
            self._finish_task()

    def _followed(self, messages) -> Mapping[str, Any]:
        from websockets.exceptions import ConnectionClosed

        heard = time.monotonic()
        while True:
            self.progress.check_cancelled()
            try:
                message = messages.recv(timeout=1)
            except TimeoutError:
                message = None
            except ConnectionClosed:  # the run goes on without us
                message = None
                time.sleep(1)
            if isinstance(message, str):
                heard = time.monotonic()
                content = json.loads(message)
                data = content.get("data") or {}
                if data.get("prompt_id", self.number) == self.number and self._noted(content.get("type"), data):
                    return self._booked()
            elif time.monotonic() - heard > _PATIENCE:
                heard = time.monotonic()
                if (outputs := self._outcome()) is not None:
                    return outputs

    def _noted(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Take in one message; True where it says that the run is over."""
        if kind == "progress" and data.get("node") is not None:
            self._advance(str(data["node"]), int(data.get("value") or 0), int(data.get("max") or 0))
        elif kind == "execution_error":
            raise self._error(data)
        elif kind == "execution_interrupted":
            raise WorkFailed("the work was stopped at the host; run it again")
        return kind == "execution_success" or (kind == "executing" and data.get("node", "") is None)

    def _advance(self, node_id: str, value: int, total: int) -> None:
        if self._task is None or self._node != node_id or self._task.total != total or value < self._task.done:
            self._finish_task()
            label = self.workflow.label(node_id) if node_id in self.workflow.nodes else f"node {node_id}"
            self._node, self._task = node_id, Task(self.progress, label, total or None)
            self.progress.started(self._task)
        self._task.done = value
        self.progress.advanced(self._task)

    def _finish_task(self) -> None:
        if self._task is not None:
            self.progress.finished(self._task)
            self._task = None

    def _booked(self) -> Mapping[str, Any]:
        """The outcome of a run that is over: the host says so a moment before it writes it down."""
        while (outputs := self._outcome()) is None:
            time.sleep(0.1)
        return outputs

    def _outcome(self) -> Mapping[str, Any] | None:
        """What the host keeps of the run, or None while it waits or works. Raises what the run ended with."""
        entry = self._history()
        if entry is None:
            if self._is_queued():
                return None
            entry = self._history()  # it may have ended between the two questions
        if entry is None:
            raise WorkFailed("the host knows nothing of this run any more; it was restarted or its queue was cleared")
        for kind, data in (entry.get("status") or {}).get("messages") or ():
            if kind == "execution_error":
                raise self._error(data)
            if kind == "execution_interrupted":
                raise WorkFailed("the work was stopped at the host; run it again")
        return entry.get("outputs") or {}

    def _history(self) -> Mapping[str, Any] | None:
        return self.client.get(f"/history/{self.number}").get(self.number)

    def _is_queued(self) -> bool:
        queue = self.client.get("/queue")
        return any(self.number in item for part in queue.values() for item in part)

    def _error(self, data: Mapping[str, Any]) -> Exception:
        """The host's report of a failed node as the error that a headless run would have raised."""
        node_id, kind = str(data.get("node_id")), str(data.get("exception_type") or "")
        label = self.workflow.label(node_id) if node_id in self.workflow.nodes else f"node {node_id} ({data.get('node_type')})"
        said = str(data.get("exception_message") or "").strip()
        ours = kind.startswith("lpd_plugin.")
        family = BadInput if kind in _BAD_INPUT else WorkFailed
        return family(f"{label}: {said}" if ours else f"{label}: {kind.rpartition('.')[2]}: {said}")

    def _stop(self) -> None:
        """Take the run out of the host's queue, or interrupt it; other people's work goes on."""
        with contextlib.suppress(WorkFailed, HostAnswered):
            self.client.post("/queue", {"delete": [self.number]})
            self.client.post("/interrupt", {"prompt_id": self.number})
