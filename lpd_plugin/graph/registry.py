"""All nodes by id, found in the root folder `nodes/`, which is the package `lpd_plugin.nodes`.

In an installed distribution the folder lies inside the package already. In a checkout, or a host's
folder of plugins, it lies beside it and must never be importable as `nodes`: the host has a module of
that name. So it is loaded here under its full name, from where it lies.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from .node import Node

PACKAGE = "lpd_plugin.nodes"


def nodes_package() -> ModuleType:
    """The package of all nodes, imported once. Raises ImportError where the installation lacks it."""
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE]
    if importlib.util.find_spec(PACKAGE) is not None:
        return importlib.import_module(PACKAGE)
    folder = Path(__file__).resolve().parents[2] / "nodes"
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    try:
        spec.loader.exec_module(package)
    except FileNotFoundError as error:
        del sys.modules[PACKAGE]
        raise ImportError(f"the nodes are missing: {folder} is not there; install lpd_plugin again") from error
    except BaseException:
        del sys.modules[PACKAGE]
        raise
    sys.modules["lpd_plugin"].nodes = package
    return package


def nodes_in(package: ModuleType) -> dict[str, type[Node]]:
    """The nodes declared in a package's modules, by id, in the order of category and name."""
    found: dict[str, type[Node]] = {}
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        if entry.ispkg or entry.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Node) and value.id and value.__module__ == module.__name__:
                if found.setdefault(value.id, value) is not value:
                    modules = f"{found[value.id].__module__}, {module.__name__}"
                    raise TypeError(f"two nodes have the id {value.id}: {modules}")
    return dict(sorted(found.items(), key=lambda item: (item[1].category, item[1].name)))


@cache
def node_classes() -> dict[str, type[Node]]:
    """Every node of this plugin by id. The same mapping every time: do not write into it."""
    return nodes_in(nodes_package())
