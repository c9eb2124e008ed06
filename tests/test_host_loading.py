"""A host finds the nodes in this folder, whatever it is called, and pays little for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# As a host loads a pack: the folder as a package under a name made of its path, and the folder on no path.
LOAD = """
import importlib.util, json, sys
sys.path = [entry for entry in sys.path if entry not in ("", {root!r}) and "__editable__" not in entry]
sys.meta_path = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
{before}
name = {folder!r}.replace(".", "_x_")
spec = importlib.util.spec_from_file_location(name, {folder!r} + "/__init__.py")
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
spec.loader.exec_module(module)
after = {{name: bool(importlib.util.find_spec(name)) if name not in sys.modules else repr(sys.modules[name])
         for name in ("nodes", "tests", "presets")}}
print(json.dumps({{
    "classes": sorted(module.NODE_CLASS_MAPPINGS), "names": module.NODE_DISPLAY_NAME_MAPPINGS,
    "web": module.WEB_DIRECTORY, "importable": after,
    "engine": getattr(sys.modules.get("lpd_plugin"), "__file__", None),
    "heavy": [one for one in ("torch", "kornia", "av", "cv2", "safetensors", "numpy") if one in sys.modules],
}}))
"""

FAKE = """
sys.path.append({tests!r})
import fake_comfyui, pathlib, tempfile
class Patch:
    setitem = staticmethod(lambda mapping, key, value: mapping.__setitem__(key, value))
fake_comfyui.install(Patch, pathlib.Path(tempfile.mkdtemp(dir={temp!r})))
sys.path.remove({tests!r})
"""


def load(folder: Path, tmp_path: Path, with_host: bool = True, installed: Path | None = None) -> dict:
    """What a fresh process sees that loads the pack at `folder`; `installed`: where a distribution lies."""
    before = FAKE.format(tests=str(ROOT / "tests"), temp=str(tmp_path)) if with_host else ""
    before += f"sys.path.append({str(installed)!r})\n" if installed else ""
    code = LOAD.format(root=str(ROOT), folder=str(folder), before=before)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def pack(tmp_path):
    """This folder under another name, as a user may have cloned it."""
    folder = tmp_path / "custom_nodes" / "my lpd-pack.1"
    folder.parent.mkdir()
    folder.symlink_to(ROOT)
    return folder


def test_the_folder_loads_under_any_name_beside_the_hosts_own_modules(pack, tmp_path):
    from lpd_plugin.graph.registry import node_classes

    seen = load(pack, tmp_path)
    assert seen["classes"] == sorted(node_classes())
    assert seen["names"] == {key: node.name for key, node in node_classes().items()}
    assert seen["engine"] == str(ROOT / "lpd_plugin" / "__init__.py")
    assert "the host's" not in seen["importable"]["nodes"] and seen["importable"]["nodes"].startswith("<module 'nodes'")
    assert seen["importable"]["tests"] is False and seen["importable"]["presets"] is False


def test_the_folder_uses_its_own_engine_also_where_a_distribution_is_installed(pack, tmp_path):
    ignored = shutil.ignore_patterns("*.safetensors", "__pycache__")
    shutil.copytree(ROOT / "lpd_plugin", tmp_path / "site" / "lpd_plugin", ignore=ignored)
    shutil.copytree(ROOT / "nodes", tmp_path / "site" / "lpd_plugin" / "nodes", ignore=ignored)
    with_both, alone = load(pack, tmp_path, installed=tmp_path / "site"), load(pack, tmp_path)
    assert with_both == alone and with_both["engine"] == str(ROOT / "lpd_plugin" / "__init__.py")


def test_loading_imports_nothing_heavy(pack, tmp_path):
    assert load(pack, tmp_path)["heavy"] == []


def test_without_a_host_the_folder_is_empty_and_imports_nothing(pack, tmp_path):
    seen = load(pack, tmp_path, with_host=False)
    assert seen["classes"] == [] and seen["engine"] is None and seen["heavy"] == []
    assert seen["importable"] == {"nodes": False, "tests": False, "presets": False}


def test_every_node_is_ready_for_a_host_and_a_reader():
    from lpd_plugin.graph.registry import node_classes

    for key, node in node_classes().items():
        assert key.startswith("LPD") and node.name and node.description, key
        assert node.category == "LPD" or node.category.startswith("LPD/"), key
        for one in node.inputs:
            assert one.tooltip, f"{key}.{one.name} has no tooltip"
