"""Values on their way between the host and the engine. Only footage changes its form."""

from __future__ import annotations

import os
from typing import Any

from lpd_plugin.errors import BadInput
from lpd_plugin.graph import types
from lpd_plugin.graph.inputs import File, Input

from .files import resolved


def from_host(one: Input, value: Any) -> Any:
    """What `run` gets for an input, from what the host brought. Raises `BadInput` where a widget's value is wrong."""
    if value is None:
        return one.default if one.is_widget else None
    if one.is_widget:
        if not one.allows(value):
            raise BadInput(f'input "{one.name}": expected {one.expectation()}, got {value!r}')
        value = resolved(one, value)
        if isinstance(one, File) and one.writes and value:
            os.makedirs(os.path.dirname(value), exist_ok=True)
        return value
    if types.VIDEO in one.accepted and hasattr(value, "get_components"):
        from .video import as_clip

        return as_clip(value)
    return value


def to_host(type: str, value: Any, node_id: str = "", consumers: int = 1) -> Any:
    """What the host passes on for an output of a type: computed footage and heads are seen on the node `node_id`."""
    if value is None or type not in (types.VIDEO, types.HEADS):
        return value
    from .watched import watched

    value = watched(value, node_id, consumers)
    if type == types.VIDEO:
        from .video import ClipVideo

        return ClipVideo(value)
    return value
