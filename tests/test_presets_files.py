"""Presets: what a file may say, what one may change of another, and whose preset is taken."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.rendering.presets import SCHEMA, list_presets, load_preset

OURS = sorted((Path(__file__).parents[1] / "presets").glob("*.yaml"))
COPY = {
    "name": "copy", "description": "A clip in another format",
    "parameters": {
        "clip": {"type": "file", "help": "what to copy"},
        "output": {"type": "file"},
        "rate": {"type": "float", "default": 25, "minimum": 1, "maximum": 240, "unit": "1/s"},
        "format": {"type": "choice", "default": "h264", "options": ["h264", "ffv1"]},
    },
    "graph": {
        "load": {"class_type": "LPDLoadClip", "inputs": {"file": "$clip", "rate": "$rate"}},
        "save": {"class_type": "LPDSaveClip", "inputs": {"clip": ["load", 0], "file": "$output", "format": "$format"}},
    },
}  # fmt: skip


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes presets of the user's own; gives the folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LPD_PRESETS", raising=False)
    folder = tmp_path / "config" / "lpd" / "presets"
    folder.mkdir(parents=True)

    def write(name: str, content: dict, where: Path = folder) -> Path:
        where.mkdir(parents=True, exist_ok=True)
        path = where / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


def schema():
    content = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(content)
    return content


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_presets_have_the_form_of_the_schema(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert not [error.message for error in jsonschema.Draft202012Validator(schema()).iter_errors(content)]


@pytest.mark.parametrize(
    "change",
    [
        {"surplus": 1},
        {"parameters": {"clip": {"type": "picture"}}},
        {"parameters": {"clip": {"typ": "file"}}},
        {"set": {"rate": 24}},
        {"graph": {}},
        {"description": ""},
    ],
)
def test_what_the_schema_refuses_is_refused_when_loading_too(own, change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(COPY | change, schema())
    with pytest.raises(BadInput):
        load_preset(own("copy", COPY | change))


def test_a_preset_that_extends_another_changes_defaults_ranges_and_nodes(own):
    own("copy", COPY)
    path = own("master", {
        "extends": "copy", "description": "Lossless", "set": {"format": "ffv1"},
        "parameters": {"rate": {"maximum": 60}, "report": {"type": "file", "default": ""}},
        "graph": {"save": {"inputs": {"report": "$report"}}},
    })  # fmt: skip
    jsonschema.validate(yaml.safe_load(path.read_text()), schema())
    preset = load_preset("master")
    assert (preset.name, preset.description) == ("master", "Lossless")
    assert (preset.parameters["rate"].maximum, preset.parameters["rate"].minimum) == (60, 1)
    graph = preset.workflow({"clip": "a.mp4", "output": "b.mkv", "report": "c.csv"}).as_dict()
    assert graph["save"]["inputs"] == {"clip": ["load", 0], "file": "b.mkv", "format": "ffv1", "report": "c.csv"}
    with pytest.raises(BadInput, match="between 1 and 60"):
        preset.workflow({"clip": "a.mp4", "output": "b.mkv", "rate": 100})


def test_null_takes_a_parameter_and_its_use_away(own):
    own("copy", COPY)
    own("fixed", {"extends": "copy", "parameters": {"rate": None}, "graph": {"load": {"inputs": {"rate": None}}}})
    preset = load_preset("fixed")
    assert "rate" not in preset.parameters
    assert preset.workflow({"clip": "a.mp4", "output": "b.mp4"}).nodes["load"].inputs == {"file": "a.mp4"}
    own("loose", {"extends": "copy", "parameters": {"rate": None}})
    with pytest.raises(BadInput, match=r"loose\.yaml: parameter 'rate' is used in the graph but not declared"):
        load_preset("loose")


def test_the_users_preset_wins_over_ours_of_the_same_name_and_may_extend_it(own):
    own("reenact", {"extends": "reenact", "set": {"grain": 0.25}})
    preset = load_preset("reenact")
    assert preset.parameters["grain"].default == 0.25 and preset.parameters["footage"].required
    assert preset.path.parent.parent.name == "lpd"


def test_given_folders_win_over_the_environments_and_these_over_the_users(own, tmp_path, monkeypatch):
    for place, description in (("given", "given"), ("listed", "listed"), (None, "users")):
        own("copy", COPY | {"description": description}, *([tmp_path / place] if place else []))
    assert load_preset("copy").description == "users"
    monkeypatch.setenv("LPD_PRESETS", str(tmp_path / "listed"))
    assert load_preset("copy").description == "listed"
    assert load_preset("copy", [tmp_path / "given"]).description == "given"
    assert list_presets([tmp_path / "given"])["copy"].parent == tmp_path / "given"
    with pytest.raises(BadInput, match="no folder of presets at"):
        list_presets([tmp_path / "missing"])


def test_presets_that_extend_each_other_in_a_circle_are_refused(own):
    own("one", {"extends": "two", "description": "x"})
    own("two", {"extends": "one", "description": "x"})
    with pytest.raises(BadInput, match=r"one\.yaml extends two\.yaml extends one\.yaml: .* in a circle"):
        load_preset("one")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extends": "reenakt"}, "it extends 'reenakt', but there is no preset 'reenakt'; did you mean 'reenact'"),
        ({"extends": "copy", "set": {"rat": 5}}, "'set' names 'rat', which is no parameter of 'copy'; did you mean 'rate'"),
        ({"extends": "copy", "set": {"rate": 500}}, "the default of parameter 'rate': 500.0 is out of range"),
        ({"extends": "copy", "set": {"format": "vhs"}}, "the default of parameter 'format': 'vhs' is not one of h264, ffv1"),
        ({"extends": "copy", "parameters": {"format": {"options": []}}}, "a choice without options"),
        ({"extends": "copy", "parameters": {"rate": {"minimum": "low"}}}, "minimum is 'low', which is no number"),
    ],
)
def test_a_mistake_in_a_preset_is_named_with_its_file(own, change, words):
    own("copy", COPY)
    path = own("mine", {"description": "x"} | change)
    with pytest.raises(BadInput) as told:
        load_preset("mine")
    assert str(path) in str(told.value) and words in str(told.value)


@pytest.mark.parametrize("given", ["nan", "inf", "fast", True, None, [1]])
def test_what_is_no_number_is_refused_for_a_number(own, given):
    preset = load_preset(own("copy", COPY))
    with pytest.raises(BadInput, match="'rate' of preset 'copy': .* is not of type float"):
        preset.workflow({"clip": "a", "output": "b", "rate": given})


def test_the_command_line_shows_and_checks_presets_of_any_folder(own, tmp_path, capsys):
    folder = own("copy", COPY, tmp_path / "team").parent
    main(["presets", "--presets", str(folder), "show", "copy", "--json"])
    shown = json.loads(capsys.readouterr().out)
    rate = next(one for one in shown["parameters"] if one["name"] == "rate")
    assert rate == {
        "name": "rate", "type": "float", "required": False, "help": "", "unit": "1/s", "default": 25.0, "minimum": 1,
        "maximum": 240,
    }  # fmt: skip
    main(["presets", "--presets", str(folder), "check"])
    assert capsys.readouterr().out.count("well-formed") == len(OURS) + 1
    main(["presets", "schema"])
    assert json.loads(capsys.readouterr().out) == schema()
    own("copy", COPY | {"graph": COPY["graph"] | {"load": {"class_type": "LPDLoadKlip", "inputs": COPY["graph"]["load"]["inputs"]}}}, folder)
    with pytest.raises(SystemExit) as ended:
        main(["presets", "--presets", str(folder), "check"])
    assert ended.value.code == 2
    assert 'did you mean "LPDLoadClip"' in capsys.readouterr().err


def test_a_preset_of_a_given_folder_renders(own, tmp_path, carphone):
    folder = own("copy", COPY, tmp_path / "team").parent
    main(["render", "copy", "--presets", str(folder), "--set", f"clip={carphone}", "-o", str(tmp_path / "a.mp4"), "--json"])
    assert (tmp_path / "a.mp4").stat().st_size > 10_000
