"""All that is wrong with a workflow, found before anything runs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from .inputs import Choice, Input
from .node import Node
from .types import can_link
from .workflow import Link, NodeCall, Workflow


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and what was expected and what came, as one sentence."""

    node_id: str | None  # None: the workflow as a whole
    class_type: str | None
    input: str | None
    message: str

    def __str__(self) -> str:
        if self.node_id is None:
            return self.message
        place = f"node {self.node_id} ({self.class_type})" if self.class_type else f"node {self.node_id}"
        return f'{place}, input "{self.input}": {self.message}' if self.input else f"{place}: {self.message}"


class InvalidWorkflow(BadInput):
    """A workflow with problems: all of them, one a line."""

    def __init__(self, source: str, problems: list[Problem]):
        self.problems = problems
        lines = [str(problem) for problem in problems]
        if len(lines) == 1:
            super().__init__(f"{source}: {lines[0]}")
        else:
            super().__init__("\n".join([f"{source} has {len(lines)} problems:", *(f"  {line}" for line in lines)]))


def validate(workflow: Workflow, classes: Mapping[str, type[Node]], targets: Iterable[str] = ()) -> None:
    """Raise `InvalidWorkflow` with all the problems of a workflow, if there are any."""
    problems = find_problems(workflow, classes, targets)
    if problems:
        raise InvalidWorkflow(workflow.source, problems)


def find_problems(
    workflow: Workflow, classes: Mapping[str, type[Node]], targets: Iterable[str] = ()
) -> list[Problem]:
    """Every problem of a workflow, in the order of its nodes. `targets` are the ids asked for, if not the outputs."""
    problems: list[Problem] = []
    for node_id, call in workflow.nodes.items():
        node = classes.get(call.class_type)
        if node is None:
            problems.append(Problem(node_id, call.class_type, None, _unknown_class(call.class_type, classes)))
            continue
        found = list(_input_problems(call, node, workflow, classes))
        if not found and (message := node.check(**widget_values(call, node))):
            found.append((None, message))
        problems += [Problem(node_id, call.class_type, name, message) for name, message in found]
    problems += _cycle_problems(workflow)
    problems += _target_problems(workflow, classes, list(targets))
    return problems


def widget_values(call: NodeCall, node: type[Node]) -> dict[str, Any]:
    """The values of a node's widgets as `check` and `fingerprint` get them; None where a link brings one."""
    values = {}
    for widget in node.widgets():
        value = call.inputs.get(widget.name, widget.default)
        values[widget.name] = None if value is None or isinstance(value, Link) else widget.converted(value)
    return values


def with_defaults(workflow: Workflow, classes: Mapping[str, type[Node]]) -> Workflow:
    """The workflow with every widget's value written out: what hosts demand, and what metadata should keep."""
    nodes = {}
    for node_id, call in workflow.nodes.items():
        widgets = classes[call.class_type].widgets() if call.class_type in classes else ()
        defaults = {one.name: one.default for one in widgets if one.default is not None}
        nodes[node_id] = NodeCall(call.class_type, {**defaults, **call.inputs})
    return Workflow(nodes, workflow.source, workflow.raw)


def _input_problems(
    call: NodeCall, node: type[Node], workflow: Workflow, classes: Mapping[str, type[Node]]
) -> Iterable[tuple[str, str]]:
    """(input, message) of everything wrong with the inputs of one node."""
    names = [one.name for one in node.inputs]
    for name in call.inputs:
        if name not in names:
            known = f"this node has {', '.join(names)}" if names else "this node has no inputs"
            yield name, f"there is no such input{_suggestion(name, names)}; {known}"
    for one in node.inputs:
        if one.name not in call.inputs:
            if one.required:
                yield one.name, f"missing, expected {one.expectation()}"
            continue
        value = call.inputs[one.name]
        if isinstance(value, Link):
            message = _link_problem(value, one, workflow, classes)
        else:
            message = _value_problem(value, one)
        if message:
            yield one.name, message


def _value_problem(value: Any, one: Input) -> str | None:
    if value is None and one.optional:
        return None
    if not one.is_widget:
        return f"expected {one.expectation()}, got {_shown(value)}"
    if one.allows(value):
        return None
    hint = _suggestion(value, one.listed()) if isinstance(one, Choice) and isinstance(value, str) else ""
    return f"expected {one.expectation()}, got {_shown(value)}{hint}"


def _link_problem(link: Link, one: Input, workflow: Workflow, classes: Mapping[str, type[Node]]) -> str | None:
    if link.node_id not in workflow.nodes:
        return f"linked to node {link.node_id}, which is not in the workflow{_suggestion(link.node_id, workflow.nodes)}"
    source = classes.get(workflow.nodes[link.node_id].class_type)
    if source is None:
        return None  # reported at that node
    label = workflow.label(link.node_id)
    if not 0 <= link.slot < len(source.outputs):
        outputs = ", ".join(f"{slot} ({output.name})" for slot, output in enumerate(source.outputs))
        return f"linked to output {link.slot} of {label}, which has {'only ' + outputs if outputs else 'no outputs'}"
    output = source.outputs[link.slot]
    if not can_link(output.type, one.accepted):
        wanted = " or ".join(one.accepted)
        return f'expected {wanted}, got {output.type} from output {link.slot} ("{output.name}") of {label}'
    return None


def _cycle_problems(workflow: Workflow) -> list[Problem]:
    """One problem for each ring of nodes that wait for each other."""
    problems, finished = [], set()
    for start in workflow.nodes:
        path: dict[str, None] = {}  # the way from `start` to where the walk stands, in order
        stack = [(start, iter(_sources(workflow, start)))] if start not in finished else []
        path.update(dict.fromkeys([start] if stack else []))
        while stack:
            node_id, sources = stack[-1]
            following = next(sources, None)
            if following is None:
                stack.pop()
                path.pop(node_id)
                finished.add(node_id)
            elif following in path:
                ring = list(path)[list(path).index(following) :]
                names = " -> ".join(workflow.label(one) for one in [*reversed(ring), ring[-1]])
                problems.append(Problem(None, None, None, f"the links form a cycle: {names}; remove one of them"))
            elif following not in finished:
                path[following] = None
                stack.append((following, iter(_sources(workflow, following))))
    return problems


def _sources(workflow: Workflow, node_id: str) -> list[str]:
    ids = [link.node_id for link in workflow.nodes[node_id].links.values()]
    return [one for one in dict.fromkeys(ids) if one in workflow.nodes]


def _target_problems(workflow: Workflow, classes: Mapping[str, type[Node]], targets: list[str]) -> list[Problem]:
    missing = [one for one in targets if one not in workflow.nodes]
    if missing:
        hint = _suggestion(missing[0], workflow.nodes)
        return [Problem(None, None, None, f"node {missing[0]} was asked for but is not in the workflow{hint}")]
    known = [classes.get(call.class_type) for call in workflow.nodes.values()]
    if targets or None in known or any(node.output_node for node in known):
        return []  # with an unknown class nobody can tell whether it was the output
    savers = sorted(node.id for node in classes.values() if node.output_node)
    hint = f"; add one of {', '.join(savers)}" if savers else ""
    return [Problem(None, None, None, f"no node of the workflow writes or shows anything{hint}")]


def _unknown_class(class_type: str, classes: Mapping[str, type[Node]]) -> str:
    hint = _suggestion(class_type, classes)
    if hint:
        return f"there is no such node class{hint}"
    return "there is no such node class; `lpd nodes` lists those that run here, others need a ComfyUI host"


def _suggestion(name: str, known: Iterable[str]) -> str:
    """`, did you mean "x"?` for a near match, letter case aside; else nothing."""
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return f' (did you mean "{folded[close[0]]}"?)' if close else ""


def _shown(value: Any) -> str:
    """A value as the workflow has it, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."
