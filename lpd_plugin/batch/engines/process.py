"""One worker process of this machine: python -m lpd_plugin.batch.engines.process OPTIONS-AS-JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from ...allocator import keep_freed
from ...errors import LpdError
from ..leases import Heart, leave, register
from ..performer import Performer, Settings, Status
from ..records import LeaseLost
from ..state import open_state
from ..worker import Patience, Worker

UNUSABLE, LATE = 3, 75  # exit codes: the state cannot be used; others took this one for dead


def main(options: dict) -> int:
    """options: settings, patience (as those classes have them), worker, device, parent (a process id)."""
    keep_freed()
    settings, status = Settings(**options["settings"]), Status()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(status, "stopping", True))
    folder = Path(settings.folder)
    try:
        state = open_state(folder)
        worker = register(state, options["worker"])
        heart = Heart(
            folder, worker, lambda: (status.label, status.done, status.total), lambda: os.getppid() == options["parent"]
        )
        heart.start()
        performer = Performer(settings, worker, options["device"], status)
        loop = Worker(state, worker, performer, Patience(**options["patience"]), lambda: status.stopping or heart.lost.is_set())
        try:
            loop.run()
        finally:
            performer.close()
            heart.stop()
            leave(state, worker)
        return LATE if heart.lost.is_set() else 0
    except LeaseLost:
        return LATE
    except LpdError as error:
        print(error, file=sys.stderr, flush=True)
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
