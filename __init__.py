"""How a host finds the nodes; nothing else. Without a host this module is empty and does nothing."""

import importlib
import importlib.util
import sys
from pathlib import Path


def _import_engine() -> None:
    """Make `lpd_plugin` importable from this folder, which is on nobody's path and whose name nobody knows."""
    if "lpd_plugin" in sys.modules:
        return
    folder = Path(__file__).resolve().parent / "lpd_plugin"
    spec = importlib.util.spec_from_file_location(
        "lpd_plugin", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["lpd_plugin"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["lpd_plugin"]
        raise


def _host_is_here() -> bool:
    return "comfy_api" in sys.modules or importlib.util.find_spec("comfy_api") is not None


NODE_CLASS_MAPPINGS: dict[str, type] = {}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}
WEB_DIRECTORY = "web"

if _host_is_here():
    _import_engine()
    _registry = importlib.import_module("lpd_plugin.graph.registry")
    _registry.nodes_package()
    _comfyui = importlib.import_module("lpd_plugin.nodes.host.comfyui")
    NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = _comfyui.node_mappings(_registry.node_classes())

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
