"""A Ray cluster: one actor for each worker, work handed out by this process, which alone opens the batch's database.

Every machine has to see the batch's folder and the outputs' under the same path (a network disk); inputs may also lie where
fsspec finds them. When this process ends, so do its actors; the same command goes on.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import BadInput, Cancelled, LpdError, WorkFailed
from ..leases import Heart, leave, register
from ..performer import Settings
from ..records import LeaseLost
from ..state import State
from ..store import now
from ..worker import Patience, Worker, WorkerDied

LOOK = 0.2  # seconds between two looks at the workers
POLL = 1.0  # seconds between two questions to an actor how far it is
REACH = 15.0  # seconds for the cluster to answer at all
START = 600.0  # seconds in which the cluster has to give at least one worker a place


class RayEngine:
    """`count` workers on the cluster at `address` ("auto": the one that this machine belongs to). device "cpu" takes a
    processor each, "cuda" a GPU, which Ray chooses. Raises BadInput where Ray or the cluster is missing."""

    def __init__(self, address: str = "auto", count: int = 1, device: str = "cpu", patience: Patience = Patience()):
        self._address, self._count, self._device, self._patience = address, count, device, patience

    def run(self, state: State, settings: Settings, watch: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """As `LocalEngine.run`."""
        ray = _connected(self._address)
        halt = threading.Event()
        slots = [_Slot(ray, state.path, settings, self._device, self._patience, halt) for _ in range(self._count)]
        try:
            for slot in slots:
                slot.start()
            placed = now()
            while any(slot.is_alive() for slot in slots):
                if stopped():
                    raise Cancelled()
                placed = now() if any(slot.actor.placed for slot in slots) else placed
                if now() - placed > START:
                    raise WorkFailed(f"the cluster gave no worker a place for {START:.0f} s: it has too few processors or GPUs free")
                if (error := next((slot.error for slot in slots if slot.error is not None), None)) is not None:
                    raise error
                watch()
                time.sleep(LOOK)
            if (error := next((slot.error for slot in slots if slot.error is not None), None)) is not None:
                raise error
        finally:
            halt.set()
            for slot in slots:
                slot.actor.end()
                slot.join(60)
            ray.shutdown()


class _Slot(threading.Thread):
    """One worker of this process, whose work is done by an actor."""

    def __init__(self, ray, path: Path, settings: Settings, device: str, patience: Patience, halt: threading.Event):
        super().__init__(name="lpd-batch-ray", daemon=True)
        self._path, self._settings, self._patience, self._halt = path, settings, patience, halt
        self.actor = _Remote(ray, settings, device, halt)
        self.error: LpdError | None = None

    def run(self) -> None:
        try:
            state = State(self._path)
            while not self._halt.is_set():
                if self._lived(state):
                    return
        except LpdError as error:
            self.error = error

    def _lived(self, state: State) -> bool:
        """One worker's life; whether it ended because nothing is left to do."""
        name = register(state)
        self.actor.worker = name
        heart = Heart(self._path.parent, name, lambda: self.actor.at)
        heart.start()
        try:
            Worker(state, name, self.actor, self._patience, lambda: self._halt.is_set() or heart.lost.is_set()).run()
        except LeaseLost:
            return False
        finally:
            heart.stop()
            leave(state, name)
        return state.settled()


class _Remote:
    """A performer (see `Performer`) on another machine: started when it is first needed, and again after its death."""

    def __init__(self, ray, settings: Settings, device: str, halt: threading.Event):
        self._ray, self._settings, self._device, self._halt = ray, settings, device, halt
        self._actor = self._ready = None
        self.placed = False
        self.worker = ""
        self.at: tuple[str, int, int | None] = ("", 0, None)

    def ready(self) -> bool:
        """Whether there is an actor that can work; until the cluster has a place for it no work should be taken."""
        try:
            if self._actor is None:
                kind = _actor_class(self._ray, self._device, self._settings.threads)
                self._actor = kind.remote(asdict(self._settings), self._device)
                self._ready = self._actor.ready.remote()
            if not self.placed and self._ray.wait([self._ready], timeout=0.1)[0]:
                self.placed = self._ray.get(self._ready)
        except self._ray.exceptions.RayError:
            self.end()
        return self.placed

    def share(self, spec: str, node: str) -> None:
        self._do("share", spec, node)

    def open(self, spec: str) -> list[tuple[int, int, int]]:
        return [tuple(one) for one in self._do("open", spec)]

    def render(self, spec: str, number: int) -> bool:
        return self._do("render", spec, number)

    def finish(self, spec: str) -> dict[str, Any]:
        return self._do("finish", spec)

    def forget(self, job: str) -> None:
        self._do("forget", job)

    def close(self) -> None:
        if self.placed:
            self._do("close")

    def end(self) -> None:
        actor, self._actor, self.placed = self._actor, None, False
        if actor is not None:
            try:
                self._ray.kill(actor)
            except Exception:  # it may be dead, or its cluster
                pass

    def _do(self, method: str, *arguments: Any) -> Any:
        """Call the actor and ask it now and then how far it is. Raises what the work raises, `WorkerDied` where it is no more."""
        ray, errors = self._ray, self._ray.exceptions
        try:
            call = self._actor.do.remote(method, self.worker, *arguments)
            while not ray.wait([call], timeout=POLL)[0]:
                if self._halt.is_set():
                    raise Cancelled()
                self.at = ray.get(self._actor.at.remote())
            self.at = ("", 0, None)
            return ray.get(call)
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except errors.RayError as error:
            self.end()
            if self._halt.is_set():
                raise Cancelled() from None
            raise WorkerDied(f"the process that worked on it is no more ({type(error).__name__}), again and again") from None


class _Hands:
    """What runs on the other machine."""

    def __init__(self, settings: dict, device: str):
        from ...allocator import keep_freed
        from ..performer import Performer, Status

        keep_freed()
        self._status = Status()
        self._performer = Performer(Settings(**settings), "", device, self._status)

    def ready(self) -> bool:
        return True

    def do(self, method: str, worker: str, *arguments: Any) -> Any:
        self._performer.worker = worker
        return getattr(self._performer, method)(*arguments)

    def at(self) -> tuple[str, int, int | None]:
        return self._status.label, self._status.done, self._status.total


def _actor_class(ray, device: str, threads: int):
    places = {"num_gpus": 1, "num_cpus": 1} if device.startswith("cuda") else {"num_cpus": 1}
    environment = {"env_vars": {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}}
    # `at` is asked while `do` works, in another thread of the actor.
    return ray.remote(**places, max_restarts=0, max_concurrency=2, runtime_env=environment)(_Hands)


def _connected(address: str):
    try:
        import ray
    except ImportError:
        raise BadInput("The engine ray needs Ray: pip install 'lpd[ray]' on every machine of the cluster.") from None
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():  # Ray itself looks for many minutes for a cluster that is not there
            socket.create_connection((host, int(port)), REACH).close()
        ray.init(address=address, log_to_driver=False, namespace="lpd-batch", ignore_reinit_error=True, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"There is no Ray cluster at '{address}' ({str(error).splitlines()[0]}); start one with: ray start --head") from error
    return ray
