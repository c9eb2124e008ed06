"""plugin.json says what the code offers, in the form its schema asks for."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from lpd_plugin.errors import BadInput
from lpd_plugin.graph import manifest, types
from lpd_plugin.graph.node import Bool, Choice, File, Float, Input, Node, Output

ROOT = Path(__file__).parents[1]


def schema():
    content = json.loads(manifest.SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return content


class Sample(Node):
    id = "LPDSample"
    name = "Sample"
    category = "LPD/test"
    description = "Has one input of every kind"
    inputs = (
        Input("frames", (types.VIDEO, types.IMAGE), tooltip="What to look at"),
        Choice("late", lambda: ["depends on the machine"], tooltip="Listed late"),
        Choice("which", ("a", "b"), "a", tooltip="One of two"),
        Float("amount", 0.5, minimum=0.0, maximum=2.0, tooltip="How much"),
        Bool("strict", tooltip="Whether"),
        File("out", writes=True, extensions=(".mp4",), optional=True, tooltip="Where to"),
    )
    outputs = (Output("clip", types.VIDEO),)


def test_the_committed_manifest_is_what_the_code_says():
    committed = (ROOT / "plugin.json").read_text(encoding="utf-8")
    assert committed == manifest.text_of(manifest.manifest()), "run: python -m lpd_plugin.graph.manifest"


def test_the_manifest_has_the_form_of_its_schema():
    content = json.loads((ROOT / "plugin.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema())
    assert (ROOT / content["$schema"]).is_file()
    assert {entry["name"] for entry in content["types"]} == set(schema()["$defs"]["type"]["enum"])


def test_every_kind_of_input_is_described_with_its_limits(monkeypatch):
    monkeypatch.setattr(manifest, "node_classes", lambda: {"LPDSample": Sample})
    content = json.loads(manifest.text_of(manifest.manifest()))
    jsonschema.validate(content, schema())
    (node,) = content["nodes"]
    frames, late, which, amount, strict, out = node["inputs"]
    assert frames == {"name": "frames", "type": ["VIDEO", "IMAGE"], "required": True, "tooltip": "What to look at"}
    assert late["options"] is None and late["required"] and which["options"] == ["a", "b"]
    assert (amount["minimum"], amount["maximum"], amount["default"]) == (0.0, 2.0, 0.5)
    assert strict["default"] is False
    assert out["file"] == {"writes": True, "extensions": [".mp4"]} and not out["required"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda node: node.update(id="Sample"),
        lambda node: node.update(surplus=1),
        lambda node: node["inputs"][0].update(type=["LATENT"]),
        lambda node: node["inputs"][1].update(tooltip=""),
        lambda node: node["outputs"][0].pop("type"),
    ],
)
def test_the_schema_refuses_what_a_reader_could_not_use(monkeypatch, spoil):
    monkeypatch.setattr(manifest, "node_classes", lambda: {"LPDSample": Sample})
    content = json.loads(manifest.text_of(manifest.manifest()))
    spoil(content["nodes"][0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema())


def test_presets_and_weights_are_listed_from_their_files(tmp_path):
    presets, weights = tmp_path / "presets", tmp_path / "lpd_plugin" / "weights"
    presets.mkdir()
    weights.mkdir(parents=True)
    (presets / "one.yaml").write_text("name: one\ndescription: >\n  Does\n  this\nparameters:\n  size: {type: int, default: 3}\n")
    (weights / "w.safetensors").write_bytes(b"abc")
    content = manifest.manifest(tmp_path)
    assert content["presets"] == [
        {"name": "one", "description": "Does this", "file": "presets/one.yaml", "parameters": {"size": {"type": "int", "default": 3}}}
    ]
    assert content["weights"] == [
        {
            "name": "w",
            "file": "lpd_plugin/weights/w.safetensors",
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    ]
    (presets / "two.yaml").write_text("name: two\nnodes: [\n")
    with pytest.raises(BadInput, match=r"two\.yaml, line 3: not valid YAML"):
        manifest.manifest(tmp_path)


def test_the_command_writes_the_file_once_and_then_finds_it_up_to_date(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    monkeypatch.setattr(manifest, "SCHEMA", tmp_path / "plugin.schema.json")
    assert manifest.main(["--check"]) == 1
    assert manifest.main([]) == 0 and [path.name for path in tmp_path.iterdir()] == ["plugin.json"]
    assert manifest.main(["--check"]) == 0
    assert "up to date" in capsys.readouterr().out.splitlines()[-1]
