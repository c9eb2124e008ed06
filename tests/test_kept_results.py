"""Results that are kept between runs are not those of other weights, even under the same name."""

from __future__ import annotations

import shutil

import pytest
from test_performance import performance

from lpd_plugin.graph import types
from lpd_plugin.graph.cache import MISSING, DiskCache
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.rendering import codecs  # noqa: F401  registers how results are kept on disk
from lpd_plugin.video.tracking import finder
from lpd_plugin.weights import files

USES = {
    "LPDTrackHead": {"finder"},
    "LPDSourceIdentity": {"compact", "matte", "finder"},
    "LPDDrivingPose": {"compact", "finder"},
    "LPDAdaptIdentity": {"matte", "finder"},  # the model's is the identity's, whose key it holds
    "LPDMaskComposite": {"matte", "finder"},
}


@pytest.mark.parametrize("node", USES)
@pytest.mark.parametrize("changed", ["compact", "matte", "finder"])
def test_a_kept_result_is_forgotten_where_weights_that_it_came_from_are_replaced(node, changed, tmp_path, monkeypatch):
    for name in ("compact", "matte", "finder"):
        shutil.copy(files.FOLDER / f"{name}.safetensors", tmp_path)
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    monkeypatch.setattr(finder, "WEIGHTS", tmp_path / "finder.safetensors")

    def fingerprint():
        return node_classes()[node].fingerprint(**({"weights": "compact"} if "compact" in USES[node] else {}))

    before = fingerprint()
    assert before == fingerprint() and None not in before
    with open(tmp_path / f"{changed}.safetensors", "ab") as file:
        file.write(b"newer")
    assert (fingerprint() != before) == (changed in USES[node])


def test_a_performance_is_kept_for_the_next_run_and_a_damaged_file_of_it_is_not_taken(tmp_path):
    cache, pose = DiskCache(tmp_path), performance()
    cache.put("a" * 64, 0, types.POSE, pose)
    assert cache.get("a" * 64, 0, types.POSE).fingerprint() == pose.fingerprint()
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-10])
    assert cache.get("a" * 64, 0, types.POSE) is MISSING
