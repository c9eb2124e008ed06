"""What saved workflows rely on: the nodes' ids, their inputs and outputs, and the order of their widgets.

    python -m lpd_plugin.comfyui.recorded    adds what is new to tests/data/recorded_nodes.json; changes nothing that is there
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ..graph.registry import node_classes
from ..whole_files import written_whole
from .templates import in_hosts_order

RECORD = Path(__file__).resolve().parents[2] / "tests" / "data" / "recorded_nodes.json"


def offered() -> dict[str, dict[str, list[str]]]:
    """By node id: widgets in the editor's order, sockets and outputs as "name: type"."""
    result = {}
    for key, node in sorted(node_classes().items()):
        inputs = in_hosts_order(node)
        result[key] = {
            "widgets": [one.name for one in inputs if one.is_widget],
            "sockets": [f"{one.name}: {','.join(one.accepted)}" for one in inputs if not one.is_widget],
            "outputs": [f"{one.name}: {one.type}" for one in node.outputs],
        }
    return result


def broken(record: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    """What workflows saved at the time of the record would trip over, one sentence each."""
    said, now = [], offered()
    for key, before in record.items():
        if key not in now:
            said.append(f"{key} is gone; saved workflows name it")
            continue
        for kind in ("widgets", "outputs"):  # by their position
            if now[key][kind][: len(before[kind])] != before[kind]:
                said.append(f"{key}: its {kind} were {before[kind]} and are {now[key][kind]}; new ones go last")
        if gone := [one for one in before["sockets"] if one not in now[key]["sockets"]]:
            said.append(f"{key}: inputs are gone or take something else: {gone}")
    return said


def recorded() -> dict[str, dict[str, list[str]]]:
    """The record; empty before there is one."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def main() -> int:
    """Add what is new. Refuses where something that was recorded has changed."""
    if problems := broken(recorded()):
        print("\n".join(problems), file=sys.stderr)
        return 1
    with written_whole(RECORD) as part:
        part.write_text(json.dumps(offered(), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
