"""Where networks lie while they work: a host that moves them off the device between uses is asked to bring them back.

    at_work(model)    before every batch; without a host it does nothing
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from torch import nn

_bring: Callable[[nn.Module], None] | None = None
_one_at_a_time = threading.Lock()  # hosts keep lists of what is where, and several threads may draw


def brought_by(bring: Callable[[nn.Module], None] | None) -> None:
    """Have a host bring networks to their device; None for nobody."""
    global _bring
    _bring = bring


def at_work(network: nn.Module) -> None:
    """Have a network where it works. Cheap where it is there already."""
    if _bring is not None:
        with _one_at_a_time:
            _bring(network)
