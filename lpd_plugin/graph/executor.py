"""Runs a workflow headless: what the outputs need, each thing once, sources first."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ..errors import BadInput, Cancelled, LpdError, WorkFailed
from ..progress import Progress, Task
from .cache import HEAVY, MISSING, DiskCache, MemoryCache, has_codec
from .keys import node_keys
from .node import Context, Node
from .validation import validate, with_defaults
from .workflow import Link, Workflow


@dataclass
class RunResult:
    """What a run gave."""

    outputs: dict[str, tuple]  # of the nodes asked for, by id
    seconds: dict[str, float]  # by id, of the nodes that ran; a lazy value's work counts where it is pulled
    cached: list[str] = field(default_factory=list)  # ids whose results were there already
    saved: list[Path] = field(default_factory=list)  # files written, in order


class Executor:
    """Runs workflows and keeps what the next run may use again; `close` it (or use `with`) when done.

    classes: the nodes by id, by default all of this plugin. A context without a temporary folder gets
    one of the executor's own, removed by `close`.
    """

    def __init__(self, classes: Mapping[str, type[Node]] | None = None, memory_limit: int = 64):
        if classes is None:
            from .registry import node_classes

            classes = node_classes()
        self.classes = classes
        self._memory = MemoryCache(memory_limit)
        self._temp: tempfile.TemporaryDirectory | None = None

    def run(self, workflow: Workflow, context: Context | None = None, targets: Iterable[str] = ()) -> RunResult:
        """Validate and run a workflow: its output nodes, or the nodes `targets` names by id.

        Raises `InvalidWorkflow` before anything runs, else what a node raises with the node's name in
        front: `BadInput`, `WorkFailed` (also for errors nobody foresaw), `Cancelled` also on Ctrl-C.
        """
        targets = [str(one) for one in targets]
        validate(workflow, self.classes, targets)
        workflow = with_defaults(workflow, self.classes)
        targets = targets or [one for one, call in workflow.nodes.items() if self.classes[call.class_type].output_node]
        context = replace(context or Context(), graph=workflow.as_dict(), saved=[])
        if context.temp_folder is None:
            self._temp = self._temp or tempfile.TemporaryDirectory(prefix="lpd-")
            context = replace(context, temp_folder=Path(self._temp.name))
        run = _Run(self.classes, self._memory, workflow, context, targets)
        try:
            return run.carry_out()
        except BaseException as error:
            self._memory.forget(run.keys.values())
            close_all(run.made)
            if isinstance(error, KeyboardInterrupt):
                raise Cancelled() from None
            raise

    def close(self) -> None:
        """Forget all results and remove temporary files."""
        close_all(self._memory.clear())
        if self._temp is not None:
            self._temp.cleanup()
            self._temp = None

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Run:
    """One run of one workflow."""

    def __init__(
        self,
        classes: Mapping[str, type[Node]],
        memory: MemoryCache,
        workflow: Workflow,
        context: Context,
        targets: list[str],
    ):
        self.classes, self.memory = classes, memory
        self.workflow, self.context, self.targets = workflow, context, targets
        self.disk = DiskCache(context.cache_folder) if context.cache_folder is not None else None
        self.keys: dict[str, str] = {}
        self.live: dict[str, list[Any]] = {}  # outputs by key, while a later node needs them
        self.holders: Counter[str] = Counter()  # how many still need them
        self.made: list[Any] = []  # what this run computed, to be closed if it fails
        self.result = RunResult({}, {}, saved=context.saved)

    def node(self, node_id: str) -> type[Node]:
        return self.classes[self.workflow.nodes[node_id].class_type]

    def carry_out(self) -> RunResult:
        order = self._needed_in_order()
        self.keys = node_keys(self.workflow, order, self.classes, self.context.seed)
        to_run = self._plan(order)
        with self.context.progress.task("Graph", len(to_run)) as task:
            for node_id in to_run:
                self.context.progress.check_cancelled()
                self._run_node(node_id)
                task.advance()
        self.result.outputs = {one: tuple(self.live[self.keys[one]]) for one in self.targets}
        return self.result

    def _needed_in_order(self) -> list[str]:
        """The targets and all that feeds them, sources first."""
        graph: dict[str, list[str]] = {}
        waiting = list(self.targets)
        while waiting:
            node_id = waiting.pop()
            if node_id not in graph:
                graph[node_id] = [link.node_id for link in self.workflow.nodes[node_id].links.values()]
                waiting += graph[node_id]
        return list(TopologicalSorter(graph).static_order())

    def _plan(self, order: list[str]) -> list[str]:
        """The nodes that have to run; what the caches hold is taken, and what only feeds that is left out."""
        wanted: dict[str, set[int]] = {one: set(range(len(self.node(one).outputs))) for one in self.targets}
        to_run = []
        for node_id in reversed(order):
            if node_id not in wanted:
                continue
            key = self.keys[node_id]
            if node_id in self.targets:
                self.holders[key] += 1
            if not self.node(node_id).output_node and self._take_cached(node_id, wanted[node_id]):
                self.result.cached.append(node_id)
                continue
            to_run.append(node_id)
            self.holders[key] += 1  # until its turn, so that a twin's results wait for it
            for link in self.workflow.nodes[node_id].links.values():
                wanted.setdefault(link.node_id, set()).add(link.slot)
                self.holders[self.keys[link.node_id]] += 1
        return to_run[::-1]

    def _take_cached(self, node_id: str, slots: set[int]) -> bool:
        """Whether memory or disk holds these outputs of a node; then they are live."""
        key, outputs = self.keys[node_id], self.node(node_id).outputs
        values = list(self.live.get(key) or self.memory.get(key) or [MISSING] * len(outputs))
        lacking = [slot for slot in slots if values[slot] is MISSING]
        if lacking and (self.disk is None or not all(has_codec(outputs[slot].type) for slot in lacking)):
            return False
        for slot in lacking:
            values[slot] = self.disk.get(key, slot, outputs[slot].type)
            if values[slot] is MISSING:
                return False
        self.live[key] = values
        return True

    def _run_node(self, node_id: str) -> None:
        key, node = self.keys[node_id], self.node(node_id)
        if key in self.live and MISSING not in self.live[key] and not node.output_node:  # a twin ran before
            self.result.cached.append(node_id)
        else:
            started = time.perf_counter()
            with _naming(self.workflow.label(node_id)):
                progress = NodeProgress(self.context.progress, node.name or node.id)
                context = replace(self.context, node_id=node_id, progress=progress)
                values = _as_list(node, node().run(context, **self._inputs(node_id)))
            self.result.seconds[node_id] = time.perf_counter() - started
            self._keep(key, node, values)
        self._release(key)
        for link in self.workflow.nodes[node_id].links.values():
            self._release(self.keys[link.node_id])

    def _inputs(self, node_id: str) -> dict[str, Any]:
        """What `run` gets: every input by name."""
        given, values = self.workflow.nodes[node_id].inputs, {}
        for one in self.node(node_id).inputs:
            value = given.get(one.name)
            if isinstance(value, Link):
                value = self.live[self.keys[value.node_id]][value.slot]
                if one.is_widget and not one.allows(value):
                    raise BadInput(f'input "{one.name}": expected {one.expectation()}, the link brought {value!r}')
            values[one.name] = None if value is None else one.converted(value)
        return values

    def _keep(self, key: str, node: type[Node], values: list[Any]) -> None:
        self.live[key] = values
        kinds = [output.type for output in node.outputs]
        self.made += [value for value, kind in zip(values, kinds, strict=True) if kind not in HEAVY]
        if node.output_node:
            return
        self.memory.put(key, values, kinds)
        for slot, kind in enumerate(kinds):
            if self.disk is not None and has_codec(kind):
                try:
                    self.disk.put(key, slot, kind, values[slot])
                except Exception as error:  # a cache that does not work is no reason to lose the work
                    self.context.note(f"results are not kept in {self.disk.folder}: {error}")
                    self.disk = None

    def _release(self, key: str) -> None:
        self.holders[key] -= 1
        if self.holders[key] == 0:
            self.live.pop(key, None)


class NodeProgress(Progress):
    """What a node reports, with its name in front."""

    def __init__(self, parent: Progress, name: str):
        self.parent, self.name = parent, name

    def started(self, task: Task) -> None:
        task.label = f"{self.name}: {task.label}"
        self.parent.started(task)

    def advanced(self, task: Task) -> None:
        self.parent.advanced(task)

    def finished(self, task: Task) -> None:
        self.parent.finished(task)

    def note(self, message: str) -> None:
        self.parent.note(f"{self.name}: {message}")

    def preview(self, image: Any) -> None:
        self.parent.preview(image)

    def check_cancelled(self) -> None:
        self.parent.check_cancelled()


@contextmanager
def _naming(label: str) -> Iterator[None]:
    """Errors leave with the node's name in front; those nobody foresaw as `WorkFailed`, their cause kept."""
    try:
        yield
    except Cancelled:
        raise
    except LpdError as error:
        family = BadInput if isinstance(error, BadInput) else WorkFailed
        raise family(f"{label}: {error}") from error
    except MemoryError as error:
        raise WorkFailed(f"{label}: out of memory; use smaller pictures, or fewer at a time") from error
    except Exception as error:
        raise WorkFailed(f"{label}: {type(error).__name__}: {error}") from error


def close_all(values: Iterable[Any]) -> None:
    """Close every value that can be closed, whatever happens to the others."""
    for value in values:
        close = getattr(value, "close", None)
        if callable(close):
            try:
                close()
            except Exception:  # the error that led here is the one to be told
                pass


def _as_list(node: type[Node], result: Any) -> list[Any]:
    """What `run` returned, in the order of the outputs."""
    names = [output.name for output in node.outputs]
    if result is None:
        result = ()
    if isinstance(result, Mapping):
        if set(result) != set(names):
            raise TypeError(f"{node.__name__}.run returned {sorted(result)}, declared are {sorted(names)}")
        return [result[name] for name in names]
    if not isinstance(result, tuple) or len(result) != len(names):
        raise TypeError(f"{node.__name__}.run returned {type(result).__name__}, declared are {len(names)} outputs")
    return list(result)
