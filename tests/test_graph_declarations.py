"""Mistakes in declarations show at import, and nodes are found where they lie."""

from __future__ import annotations

import importlib
import sys

import pytest

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, File, Float, Input, Int, Node, Output, Text
from lpd_plugin.graph.registry import node_classes, nodes_in, nodes_package


def declare(**members):
    return type("Sample", (Node,), {"id": "LPDSample", **members})


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"inputs": (Int("n", default=9, maximum=8),)}, "Sample.n: the default 9 is not a whole number of at most 8"),
        ({"inputs": (Choice("c", ("a", "b"), "d"),)}, "Sample.c: the default 'd' is not one of a, b"),
        ({"inputs": (Input("x", "LATENT"),)}, "Sample.x: there is no type 'LATENT'"),
        ({"outputs": (Output("x", "LATENT"),)}, "Sample.x: there is no type 'LATENT'"),
        ({"inputs": (Text("a"), Text("a"))}, "names of inputs and outputs have to be identifiers, once each"),
        ({"inputs": (Text("a b"),)}, "names of inputs and outputs have to be identifiers, once each"),
    ],
)
def test_a_wrong_declaration_does_not_import(members, said):
    with pytest.raises(TypeError) as caught:
        declare(**members)
    assert said in str(caught.value)


def test_choices_listed_late_are_not_listed_when_declared():
    asked = []
    node = declare(inputs=(Choice("c", lambda: asked.append(1) or ["x"], "x"),))
    assert asked == [] and node.inputs[0].allows("x") and not node.inputs[0].allows("y") and len(asked) == 2


def test_inputs_say_what_they_need_and_what_they_take():
    socket, number, file = Input("v", types.VIDEO), Float("f", default=1.0, minimum=0.0), File("p")
    assert socket.required and file.required and not number.required
    assert not File("p", default="").required and not Input("v", types.VIDEO, optional=True).required
    assert number.converted(2) == 2.0 and type(number.converted(2)) is float and number.expectation() == "a number of at least 0"
    assert Int("n", 1).allows(3.0) and not Int("n", 1).allows(3.5) and not Int("n", 1).allows("3")
    assert not file.allows("") and File("p", default="").allows("")


def test_the_plugins_nodes_are_found_under_the_packages_name_only():
    package = nodes_package()
    assert package.__name__ == "lpd_plugin.nodes" and nodes_package() is package
    assert importlib.import_module("lpd_plugin").nodes is package
    classes = node_classes()
    assert all(key == node.id and node.__module__.startswith("lpd_plugin.nodes.") for key, node in classes.items())
    assert {"LPDLoadClip", "LPDTrackHead", "LPDGenerator", "LPDMaskComposite", "LPDSaveClip"} <= set(classes)


def test_two_nodes_with_one_id_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "twonodes"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "_hidden.py").write_text("raise RuntimeError('not to be imported')")
    source = "from lpd_plugin.graph.node import Node\nclass {name}(Node):\n    id = 'LPDSame'\n"
    (folder / "a.py").write_text(source.format(name="A"))
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module("twonodes")
    assert list(nodes_in(package)) == ["LPDSame"]
    (folder / "b.py").write_text(source.format(name="B"))
    importlib.invalidate_caches()
    with pytest.raises(TypeError, match=r"two nodes have the id LPDSame: twonodes\.a, twonodes\.b"):
        nodes_in(package)
    for name in [name for name in sys.modules if name.startswith("twonodes")]:
        del sys.modules[name]
