"""What the pack gives ComfyUI's editor: templates, help pages, translations, scripts. All of it is made from the nodes and presets."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lpd_plugin.comfyui import recorded
from lpd_plugin.comfyui.__main__ import differing
from lpd_plugin.comfyui.templates import in_hosts_order
from lpd_plugin.comfyui.translations import said, words_of
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.graph.validation import find_problems
from lpd_plugin.graph.workflow import parse_workflow
from lpd_plugin.rendering.presets import load_preset

ROOT = Path(__file__).parents[1]
PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))


def test_the_committed_files_are_what_nodes_and_presets_say():
    assert differing() == [], "run: python -m lpd_plugin.comfyui"


def as_api(drawn: dict) -> dict:
    """An editor's workflow in the API format, as the editor would send it."""
    classes, links, graph = node_classes(), {link[0]: link for link in drawn["links"]}, {}
    for node in drawn["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        widgets = [one.name for one in in_hosts_order(classes[node["type"]]) if one.is_widget]
        assert len(widgets) == len(node["widgets_values"])
        inputs = dict(zip(widgets, node["widgets_values"]))
        for slot, socket in enumerate(node["inputs"]):
            if socket["link"] is not None:
                _, source, output, target, into, _ = links[socket["link"]]
                assert (target, into) == (node["id"], slot)
                inputs[socket["name"]] = [str(source), output]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


@pytest.mark.parametrize("name", PRESETS)
def test_a_template_is_its_preset_and_runs_once_files_are_chosen(name):
    drawn = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text())
    graph = as_api(drawn)
    for node in graph.values():
        if node["class_type"] == "LPDLoadClip":
            assert node["inputs"]["file"] == ""  # to be chosen
            node["inputs"]["file"] = "chosen.mp4"
    assert find_problems(parse_workflow(graph), node_classes()) == []
    preset = load_preset(name)
    wanted = preset.workflow({key: "x" for key, one in preset.parameters.items() if one.required})
    kinds = [call.class_type for call in wanted.nodes.values()]
    assert [node["class_type"] for node in graph.values()] == kinds
    saved = [node["inputs"]["file"] for node in graph.values() if node["class_type"].startswith("LPDSave")]
    assert all(file.startswith(f"lpd/{name}_%count%") for file in saved)


@pytest.mark.parametrize("name", PRESETS)
def test_no_node_of_a_template_lies_on_another_and_everything_flows_to_the_right(name):
    drawn = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text())
    places = {node["id"]: (*node["pos"], *node["size"]) for node in drawn["nodes"]}
    boxes = list(places.values())
    for number, (left, top, width, height) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = other[0] >= left + width or other[0] + other[2] <= left or other[1] >= top + height or other[1] + other[3] <= top
            assert apart, (name, (left, top), other)
    assert all(places[source][0] < places[target][0] for _, source, _, target, _, _ in drawn["links"])


@pytest.mark.parametrize("name", PRESETS)
def test_a_template_has_a_thumbnail(name):
    assert 2_000 < (ROOT / "example_workflows" / f"{name}.jpg").stat().st_size < 200_000


@pytest.mark.parametrize("language", ["ko", "zh"])
def test_every_text_of_the_nodes_is_translated(language):
    words = words_of(ROOT, language)
    missing = [text for text in said() if not words.get(text)]
    assert not missing, f"translate in locales/{language}/words.json, then run python -m lpd_plugin.comfyui: {missing}"
    assert not [text for text in words if text not in said()], "words nobody says any more"


SAID = """
import { said } from "./extensions/lpd/parts/words.js";
import { app } from "./scripts/app.js";
const all = {};
for (const language of ["en", "ko", "zh", "fr"]) {
  app.extensionManager.setting.get = () => language;
  all[language] = TEXTS.map((text) => said(text, "<1>", "<2>"));
}
console.log(JSON.stringify(all));
"""


def test_what_the_editors_scripts_say_is_translated(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node, which runs the editor's script, is not installed")
    parts = [path.read_text() for path in (ROOT / "web" / "parts").glob("*.js") if path.name != "words.js"]
    texts = sorted({text for part in parts for text in re.findall(r'\bsaid\("([^"]+)"', part)} | {"absent", "detected", "tracked", "interpolated", "by hand"})
    assert len(texts) > 8
    shutil.copytree(ROOT / "web" / "parts", tmp_path / "extensions" / "lpd" / "parts")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "app.js").write_text("export const app = { extensionManager: { setting: {} } };")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SAID.replace("TEXTS", json.dumps(texts)))
    done = subprocess.run(["node", "run.js"], cwd=tmp_path, capture_output=True, text=True, check=True)
    said_in = json.loads(done.stdout)
    assert said_in["en"] == said_in["fr"] == [text.replace("{}", "<1>", 1).replace("{}", "<2>", 1) for text in texts]
    for language in ("ko", "zh"):
        for text, english, other in zip(texts, said_in["en"], said_in[language], strict=True):
            assert other != english and [f"<{n}>" in other for n in (1, 2)] == [f"<{n}>" in english for n in (1, 2)], text


def test_every_node_has_a_page_with_its_inputs_and_typical_mistakes():
    for key, node in node_classes().items():
        page = (ROOT / "web" / "docs" / f"{key}.md").read_text()
        assert page == (ROOT / "web" / "docs" / key / "en.md").read_text()  # hosts look at both
        assert "## Typical mistakes" in page and all(f"`{one.name}`" in page for one in (*node.inputs, *node.outputs)), key
    pictures = {path.stem for path in (ROOT / "web" / "docs" / "pictures").glob("*.jpg")}
    assert pictures == set(node_classes())


def test_workflows_saved_with_an_earlier_version_still_load():
    assert recorded.broken(recorded.recorded()) == []
    assert set(recorded.recorded()) == set(node_classes()), "run: python -m lpd_plugin.comfyui.recorded"


def test_the_record_notices_what_saved_workflows_would_trip_over(monkeypatch):
    record = copy.deepcopy(recorded.offered())
    record["LPDTrackHead"]["widgets"].insert(0, "gone")
    record["LPDGenerator"]["outputs"] = ["heads: IMAGE"]
    record["LPDSaveClip"]["sockets"] = ["clip: IMAGE"]
    record["LPDNobody"] = {"widgets": [], "sockets": [], "outputs": []}
    assert [one.split(":")[0].split(" ")[0] for one in recorded.broken(record)] == [
        "LPDGenerator", "LPDSaveClip", "LPDTrackHead", "LPDNobody",
    ]  # fmt: skip


KEYFRAMES = """
import { boxesByHand, squareOf, withKeyframe } from "./keyframes.mjs";
const text = withKeyframe("# mine\\n9, 1, 2, 3\\n4 5 6 7", 4, [10.04, 20, 30.55]);
console.log(JSON.stringify({
  set: text, removed: withKeyframe(text, 9, null), boxes: [...boxesByHand(text)],
  squares: [squareOf({x: 10, y: 10}, {x: 30, y: 20}), squareOf({x: 10, y: 10}, {x: 0, y: -10})],
}));
"""


def test_boxes_drawn_in_the_editor_become_lines_that_the_node_reads(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node, which runs the editor's script, is not installed")
    from lpd_plugin.video.tracking.keyframes import parse_keyframes

    shutil.copy(ROOT / "web" / "parts" / "keyframes.js", tmp_path / "keyframes.mjs")
    (tmp_path / "run.mjs").write_text(KEYFRAMES)
    done = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    boxes = parse_keyframes(result["set"])
    assert {frame: (box.left, box.top, box.side) for frame, box in boxes.items()} == {4: (10.0, 20.0, 30.6), 9: (1.0, 2.0, 3.0)}
    assert result["removed"] == "# mine\n4, 10, 20, 30.6" and result["boxes"] == [[4, [10, 20, 30.6]], [9, [1, 2, 3]]]
    assert result["squares"] == [[10, 10, 20], [-10, -10, 20]]
