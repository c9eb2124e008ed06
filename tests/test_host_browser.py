"""The pack in a real host's editor: templates open, the demo runs, its video plays, a head is picked with the mouse.

LPD_PLAYWRIGHT names a folder with node_modules/playwright-core, LPD_CHROMIUM a browser (by default the system's chromium);
LPD_SCREENSHOT where to leave the picture for the documentation. See real_host.py for the host.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from real_host import ROOT, RealHost
from test_comfyui_files import PRESETS

from lpd_plugin.graph.registry import node_classes
from lpd_plugin.graph.validation import with_defaults
from lpd_plugin.graph.workflow import parse_workflow
from lpd_plugin.rendering.presets import load_preset
from lpd_plugin.video.tracking.keyframes import parse_keyframes


@pytest.fixture(scope="module")
def seen(tmp_path_factory, carphone, astronaut):
    """What the browser saw, and the screenshot."""
    chromium = os.environ.get("LPD_CHROMIUM") or shutil.which("chromium")
    if not os.environ.get("LPD_PLAYWRIGHT") or chromium is None:
        pytest.skip("LPD_PLAYWRIGHT names no folder with playwright-core, or there is no chromium")
    folder = tmp_path_factory.mktemp("browser")
    with RealHost(folder / "base", "lpd") as host:
        shutil.copy(carphone, host.base / "input" / "talking.mp4")
        shutil.copy(astronaut, host.base / "input" / "portrait.png")
        script = ROOT / "tests" / "host_browser.mjs"
        picture = Path(os.environ.get("LPD_SCREENSHOT") or folder / "editor.png")
        command = ["node", str(script), host.address, str(picture), chromium]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        result["files"] = sorted(p.relative_to(host.base / "output").as_posix() for p in (host.base / "output").rglob("*.*"))
    return {**result, "picture": picture}


def test_nothing_goes_wrong_in_the_browser(seen):
    assert seen["errors"] == [] and seen["help"] and seen["scripts"]


def test_every_template_opens_without_missing_nodes_and_is_its_preset(seen):
    assert sorted(seen["templates"]) == PRESETS
    for name, template in seen["templates"].items():
        assert template["missing"] == [] and template["thumbnail"], name
        sent = parse_workflow(template["prompt"])
        preset = load_preset(name)
        wanted = with_defaults(preset.workflow({k: "x" for k, one in preset.parameters.items() if one.required}), node_classes())
        assert [call.class_type for call in sent.nodes.values()] == [call.class_type for call in wanted.nodes.values()]
        for (_, have), (_, want) in zip(sent.nodes.items(), wanted.nodes.items(), strict=True):
            assert set(have.links) == set(want.links), (name, have.class_type)
            same = {key: value for key, value in want.constants.items() if value not in ("x", None)}
            assert {key: have.inputs[key] for key in same} == same, (name, have.class_type)


def test_the_editor_keeps_widget_values_where_they_were(seen):
    for name, template in seen["templates"].items():
        before = {node["id"]: node["widgets_values"] for node in template["drawn"]["nodes"]}
        after = [values for _, values in template["saved"]]
        assert sorted(map(json.dumps, before.values())) == sorted(map(json.dumps, after)), name


def test_the_demo_runs_shows_itself_while_it_runs_and_leaves_a_video_that_plays(seen):
    assert seen["ended"][0] == "execution_success", seen["ended"]
    assert seen["previews"] > 0
    assert seen["video"]["width"] == seen["video"]["height"] == 512 and 0.5 < seen["video"]["seconds"] < 1
    assert "lpd/puppeteer_00001.mp4" in seen["files"]
    assert any("frames composited" in note for note in seen["notes"])


def test_a_box_is_dragged_a_head_is_clicked_and_the_track_is_scrubbed(seen):
    ((frame, box),) = parse_keyframes(seen["dragged"]).items()
    assert frame == 0 and abs(box.left - 44) < 4 and abs(box.top - 14.4) < 4 and 80 < box.side < 96
    assert seen["clicked"]["which"] == "nearest"
    assert abs(seen["clicked"]["x"] - 0.5) < 0.02 and abs(seen["clicked"]["y"] - 0.4) < 0.02
    assert seen["scrubbed"].startswith("frame 20")
    assert seen["saved"][:1] == ["nearest"] and seen["saved"][4] == seen["dragged"] and len(seen["saved"]) == 5


def test_in_a_korean_editor_nodes_folders_and_buttons_speak_korean(seen):
    assert seen["korean"]["title"] == "클립 불러오기" and seen["korean"]["button"] == "업로드할 파일 선택"
    assert seen["korean"]["folder"].endswith("영상")


def test_the_picture_for_the_documentation_shows_something(seen):
    assert seen["picture"].stat().st_size > 50_000
