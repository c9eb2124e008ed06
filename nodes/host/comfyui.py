"""The nodes as ComfyUI's V3 classes: one made from each declaration, checks and errors included.

Contracts held: 0.3.64, 0.21, and what later versions added. Imported when the host starts, so nothing
heavy here; `define_schema` is called often and must never fail.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from typing import Any

from comfy_api.latest import io

from lpd_plugin.errors import BadInput, Cancelled, LpdError
from lpd_plugin.graph.inputs import Bool, Choice, File, Float, Input, Int, Model, Text, Widget
from lpd_plugin.graph.keys import digest
from lpd_plugin.graph.node import Node

_NOTHING_TO_CHOOSE = "(nothing found)"  # an empty list would make the node unusable, and not say why
_WIDEST = 2**53 - 1  # where the host is told no limit, its editor makes up one


def node_mappings(nodes: dict[str, type[Node]]) -> tuple[dict[str, type], dict[str, str]]:
    """What the host asks a pack for: classes and display names, both by node id. Called once, when the host starts."""
    from .models import register_folder
    from .packages import lacking

    register_folder()
    if message := lacking():
        logging.getLogger("lpd").warning(message)
    return {key: host_class(node) for key, node in nodes.items()}, {key: node.name for key, node in nodes.items()}


def host_class(node: type[Node]) -> type[io.ComfyNode]:
    """The V3 class of a node."""

    def define_schema(cls) -> io.Schema:
        return schema_of(node)

    def execute(cls, **inputs: Any) -> io.NodeOutput:
        return _execute(node, getattr(cls, "hidden", None), inputs)

    members = {"define_schema": classmethod(define_schema), "execute": classmethod(execute), "__doc__": node.__doc__}
    if _widgets_to_check(node):
        members["validate_inputs"] = classmethod(_validator(node))
    if _overrides(node, "fingerprint"):
        members["fingerprint_inputs"] = classmethod(_fingerprinter(node))
    return type(node.__name__, (io.ComfyNode,), members)


def schema_of(node: type[Node]) -> io.Schema:
    """A node's declaration in the host's words, less what this version of the host does not know."""
    wanted = {
        "node_id": node.id,
        "display_name": node.name,
        "category": node.category,
        "description": node.description,
        "search_aliases": list(node.search_aliases),
        "inputs": [_input(one) for one in node.inputs],
        # The host wants ids that no input has; links name outputs by number.
        "outputs": [
            io.Custom(output.type).Output(f"{slot}_{output.name}", display_name=output.name, tooltip=output.tooltip)
            for slot, output in enumerate(node.outputs)
        ],
        "hidden": [io.Hidden.prompt, io.Hidden.unique_id],
        "is_output_node": node.output_node,
    }
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return io.Schema(**{key: value for key, value in wanted.items() if key in known})


def _input(one: Input) -> Any:
    """One input in the host's words."""
    common = {"optional": one.optional, "tooltip": one.tooltip or None}
    if not isinstance(one, Widget):
        return io.Custom(",".join(one.accepted)).Input(one.name, **common)
    if one.default is not None:
        common["default"] = one.default
    elif isinstance(one, File) and one.example:
        common["default"] = one.example
    if isinstance(one, (Choice, Model)):
        options = list(_listed(one)) or [_NOTHING_TO_CHOOSE]
        if one.default is not None and one.default not in options:
            del common["default"]
        return io.Combo.Input(one.name, options=options, **common)
    if isinstance(one, (Int, Float)):
        kind = io.Int if isinstance(one, Int) else io.Float
        if one.name == "seed":
            common["control_after_generate"] = False  # its editor would add a widget and change the seed by itself
        lowest = -_WIDEST if one.minimum is None else one.minimum
        highest = _WIDEST if one.maximum is None else one.maximum
        return kind.Input(one.name, min=lowest, max=highest, step=one.step, **common)
    if isinstance(one, Bool):
        return io.Boolean.Input(one.name, **common)
    if isinstance(one, (Text, File)):
        return io.String.Input(one.name, multiline=isinstance(one, Text) and one.multiline, **common)
    raise TypeError(f"{type(one).__name__} has no counterpart in the host")


def _listed(one: Choice | Model) -> tuple[str, ...]:
    try:
        if isinstance(one, Model):
            from .models import listed_models

            return listed_models(one)
        return one.listed()
    except Exception:  # a schema that raises takes the whole pack off the host's list
        return ()


def _overrides(node: type[Node], name: str) -> bool:
    return getattr(node, name).__func__ is not getattr(Node, name).__func__


def _widgets_to_check(node: type[Node]) -> list[Widget]:
    """The widgets that our check names. The host checks the others, and repeats our message under each of ours.

    Choices, since 0.3.64 lets any text through; files; all of them where the node looks at several together.
    """
    together = _overrides(node, "check")
    return [w for w in node.widgets() if together or isinstance(w, (Choice, File, Model)) or w.name == "overwrite"]


def _validator(node: type[Node]):
    """`validate_inputs` with the parameters the host looks for; a text says what is wrong, None marks a link."""
    named = _widgets_to_check(node)

    def validate_inputs(cls, **values: Any) -> bool | str:
        from .files import missing, taken
        from .packages import lacking

        if message := lacking():
            return message
        for one in named:
            value = values.get(one.name)
            if value is not None and not one.allows(value):
                return f'input "{one.name}": expected {one.expectation()}, got {value!r}'
        try:
            given = _widget_values(node, values)
            message = next(filter(None, (missing(one, given[one.name]) for one in named)), None)
            message = message or taken(named, given)
            return message or (_overrides(node, "check") and node.check(**given)) or True
        except LpdError as error:
            return str(error)

    return _with_parameters(validate_inputs, named)


def _fingerprinter(node: type[Node]):
    def fingerprint_inputs(cls, **values: Any) -> str:
        try:
            return digest(node.fingerprint(**_widget_values(node, values)))
        except LpdError as error:
            return str(error)

    return fingerprint_inputs


def _with_parameters(function, widgets: list[Widget]):
    """Give a function with keywords a signature that names them; the host reads names from signatures."""
    names = [inspect.Parameter(one.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None) for one in widgets]
    first = inspect.Parameter("cls", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function.__signature__ = inspect.Signature([first, *names])
    return function


def _widget_values(node: type[Node], values: dict[str, Any]) -> dict[str, Any]:
    """What `check` and `fingerprint` get: the widgets' values, None where a link brings one."""
    from .files import resolved

    result = {}
    for one in node.widgets():
        value = values.get(one.name)
        usable = value is not None and one.allows(value)
        result[one.name] = resolved(one, value) if usable else None
    return result


def _execute(node: type[Node], hidden: Any, given: dict[str, Any]) -> io.NodeOutput:
    """Run a node in the host: values, progress and errors translated both ways."""
    from .packages import lacking

    if message := lacking():
        raise BadInput(message)
    from .running import host_context, interrupted, shown
    from .values import from_host, to_host

    context = host_context(node, hidden)
    try:
        values = {one.name: from_host(one, given.get(one.name)) for one in node.inputs}
        returned = node().run(context, **values)
    except Cancelled:
        raise interrupted() from None
    if isinstance(returned, dict):
        returned = tuple(returned[output.name] for output in node.outputs)
    returned = returned or ()
    if len(returned) != len(node.outputs):
        raise TypeError(f"{node.id} returned {len(returned)} values for {len(node.outputs)} outputs")
    results = []
    for slot, (output, value) in enumerate(zip(node.outputs, returned, strict=True)):
        consumers = _links_from(context.node_id, slot, getattr(hidden, "prompt", None))
        # The node shows its main output as it is drawn, not also a matte beside it.
        results.append(to_host(output.type, value, context.node_id if slot == 0 else "", consumers))
    return io.NodeOutput(*results, ui=shown(context))


def _links_from(node_id: str, slot: int, prompt: Any) -> int:
    """How many inputs of the running graph an output feeds."""
    calls = prompt.values() if isinstance(prompt, dict) and node_id else ()
    values = [value for call in calls for value in (call.get("inputs") or {}).values()]
    return sum(isinstance(v, (list, tuple)) and len(v) == 2 and str(v[0]) == node_id and v[1] == slot for v in values)
