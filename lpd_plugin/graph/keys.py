"""Content keys: what a node's results depend on, as one digest, known before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from fractions import Fraction
from pathlib import PurePath

from .. import __version__
from ..errors import LpdError
from .node import Node
from .validation import widget_values
from .workflow import Link, Workflow


def node_keys(
    workflow: Workflow, order: Iterable[str], classes: Mapping[str, type[Node]], seed: int
) -> dict[str, str]:
    """The key of every node in `order`, which names sources before the nodes they feed.

    A key covers the class and its version, the package's version, the seed, the widgets' values, the
    fingerprint, and the keys of the nodes that feed it. Errors of a fingerprint name the node.
    """
    keys: dict[str, str] = {}
    for node_id in order:
        call = workflow.nodes[node_id]
        node = classes[call.class_type]
        values = widget_values(call, node)
        try:
            fingerprint = node.fingerprint(**values)
        except LpdError as error:
            raise type(error)(f"{workflow.label(node_id)}: {error}") from error
        links = [
            (one.name, keys[link.node_id], link.slot)
            for one in node.inputs
            if isinstance(link := call.inputs.get(one.name), Link)
        ]
        keys[node_id] = digest((__version__, node.id, node.version, seed, values, fingerprint, links))
    return keys


def digest(value: Hashable | Mapping | list) -> str:
    """SHA-256 of a value made of numbers, text, bytes, paths, None, and tuples, lists, mappings of them, as hex.

    The same in every process, unlike `hash`. Raises TypeError for anything else: an object's `repr` may
    hold its address.
    """
    state = hashlib.sha256()
    for part in _parts(value):
        state.update(len(part).to_bytes(8, "big") + part)
    return state.hexdigest()


def _parts(value: object) -> Iterable[bytes]:
    """The value as a sequence of byte strings; type names keep 1, True and "1" apart."""
    if isinstance(value, Enum):
        value = value.value
    yield type(value).__name__.encode()
    if isinstance(value, bytes):
        yield value
    elif value is None or isinstance(value, (bool, int, float, Fraction)):
        yield repr(value).encode()
    elif isinstance(value, (str, PurePath)):
        yield str(value).encode("utf-8", "surrogatepass")
    elif isinstance(value, (tuple, list)):
        yield str(len(value)).encode()
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Mapping):
        yield str(len(value)).encode()
        for key in sorted(value, key=str):
            yield from _parts(key)
            yield from _parts(value[key])
    else:
        raise TypeError(f"a fingerprint may hold numbers, text, bytes, paths and tuples, not {type(value).__name__}")
