"""Workflow files are read, and what is wrong with them is said before anything runs."""

from __future__ import annotations

import json

import pytest
from graph_nodes import CLASSES, log

from lpd_plugin.errors import BadInput
from lpd_plugin.graph.validation import InvalidWorkflow, find_problems, validate, with_defaults
from lpd_plugin.graph.workflow import Link, parse_workflow, parse_workflow_text, read_workflow


def graph(**changes):
    """A sound workflow, some of its nodes changed: {"t": {"which": "x"}} merges inputs, None removes one."""
    nodes = {
        "1": {"class_type": "LPDLoadClip", "inputs": {"file": "a.mp4"}, "_meta": {"title": "Footage"}},
        "2": {"class_type": "LPDTrackHead", "inputs": {"footage": ["1", 0]}},
        "3": {"class_type": "LPDSaveText", "inputs": {"value": ["2", 0], "title": "t"}},
    }
    for node_id, inputs in changes.items():
        target = nodes[node_id.lstrip("n")]["inputs"]
        target.update(inputs)
        for name in [name for name, value in inputs.items() if value is ...]:
            del target[name]
    return nodes


def messages(data, **options):
    return [str(problem) for problem in find_problems(parse_workflow(data), CLASSES, **options)]


def error_of(data):
    with pytest.raises(BadInput) as caught:
        parse_workflow(data, "w.json")
    return str(caught.value)


def test_a_sound_workflow_has_no_problems_and_survives_reading_and_writing(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(graph()))
    workflow = read_workflow(path)
    assert workflow.nodes["2"].inputs["footage"] == Link("1", 0)
    assert messages(graph()) == []
    assert workflow.as_dict() == graph()
    assert log == []


def test_a_prompt_as_sent_to_a_host_is_a_workflow_too():
    assert parse_workflow({"client_id": "x", "prompt": graph()}).as_dict() == graph()


def test_defaults_are_written_out_for_hosts_and_metadata():
    full = with_defaults(parse_workflow(graph()), CLASSES).as_dict()
    assert full["2"]["inputs"] == {"footage": ["1", 0], "which": "largest", "smoothing": 0.7, "strict": False}
    assert full["1"]["_meta"] == {"title": "Footage"}


def test_broken_json_is_reported_with_file_and_line(tmp_path):
    path = tmp_path / "w.json"
    path.write_text('{\n  "1": {"class_type": "LPDLoadClip",\n}')
    with pytest.raises(BadInput, match=r"w\.json, line 3, column 1: not valid JSON \(.+\); correct that place"):
        read_workflow(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist; check the path"),
        (lambda path: path.write_text(" "), "is empty; a workflow is JSON in the API format"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "is not a text file"),
        (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
        (lambda path: path.write_text('{"1": {}, "1": {}}'), 'has the key "1" twice'),
        (lambda path: path.write_text("[" * 100_000), "nested too deeply"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused_by_name(tmp_path, make, said):
    path = tmp_path / "w.json"
    make(path)
    with pytest.raises(BadInput) as caught:
        read_workflow(path)
    assert str(path) in str(caught.value) and said in str(caught.value)


def test_a_workflow_saved_by_the_editor_is_recognised_and_the_export_explained():
    assert error_of({"nodes": [{"id": 1}], "links": []}) == (
        "w.json is a workflow as the editor saves it, not in the API format: "
        "in ComfyUI choose Workflow > Export (API) and use that file"
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1], "w.json holds a list, expected an object of nodes by id"),
        ({}, "w.json has no nodes"),
        ({"1": "x"}, "w.json, node 1: expected an object with class_type and inputs, got text"),
        ({"1": {"inputs": {}}}, 'w.json, node 1: "class_type" is missing'),
        ({"1": {"class_type": "A", "inputs": [1]}}, 'w.json, node 1 (A): "inputs" holds a list'),
    ],
)
def test_what_is_not_a_graph_is_refused_in_words(data, said):
    assert error_of(data).startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n2": {"footage": ...}}, 'node 2 (LPDTrackHead), input "footage": missing, expected a link to an output of type VIDEO'),
        ({"n1": {"file": ...}}, 'node 1 (LPDLoadClip), input "file": missing, expected the path of a file'),
        (
            {"n2": {"wich": "largest"}},
            'node 2 (LPDTrackHead), input "wich": there is no such input (did you mean "which"?); '
            "this node has footage, which, smoothing, strict, keys",
        ),
        ({"n1": {"first": "3"}}, 'node 1 (LPDLoadClip), input "first": expected a whole number from 0 to 64, got "3"'),
        ({"n1": {"first": True}}, 'node 1 (LPDLoadClip), input "first": expected a whole number from 0 to 64, got true'),
        ({"n1": {"first": 65}}, 'node 1 (LPDLoadClip), input "first": expected a whole number from 0 to 64, got 65'),
        ({"n2": {"smoothing": -1}}, 'node 2 (LPDTrackHead), input "smoothing": expected a number from 0 to 5, got -1'),
        ({"n2": {"smoothing": float("nan")}}, 'node 2 (LPDTrackHead), input "smoothing": expected a number from 0 to 5, got NaN'),
        ({"n2": {"strict": 1}}, 'node 2 (LPDTrackHead), input "strict": expected true or false, got 1'),
        (
            {"n2": {"which": "Largst"}},
            'node 2 (LPDTrackHead), input "which": expected one of largest, leftmost, got "Largst" (did you mean "largest"?)',
        ),
        ({"n3": {"title": 3}}, 'node 3 (LPDSaveText), input "title": expected text, got 3'),
        (
            {"n2": {"footage": "a.mp4"}},
            'node 2 (LPDTrackHead), input "footage": expected a link to an output of type VIDEO, got "a.mp4"',
        ),
        ({"n2": {"footage": ["9", 0]}}, 'node 2 (LPDTrackHead), input "footage": linked to node 9, which is not in the workflow'),
        (
            {"n2": {"footage": ["1", 1]}},
            'node 2 (LPDTrackHead), input "footage": linked to output 1 of node 1 (LPDLoadClip), which has only 0 (clip)',
        ),
        (
            {"n2": {"keys": ["1", 0]}},
            'node 2 (LPDTrackHead), input "keys": expected MASK, got VIDEO from output 0 ("clip") of node 1 (LPDLoadClip)',
        ),
        ({"n2": {"strict": True, "smoothing": 0}}, "node 2 (LPDTrackHead): strict needs some smoothing; raise it above 0"),
    ],
)
def test_each_problem_names_the_node_the_input_what_was_expected_and_what_came(changes, said):
    assert messages(graph(**changes)) == [said]


def test_an_unknown_class_comes_with_the_nearest_known_one():
    data = graph()
    data["2"]["class_type"] = "LPDTrackHaed"
    assert messages(data) == ['node 2 (LPDTrackHaed): there is no such node class (did you mean "LPDTrackHead"?)']
    data["2"]["class_type"] = "KSampler"
    assert messages(data) == [
        "node 2 (KSampler): there is no such node class; `lpd nodes` lists those that run here, others need a ComfyUI host"
    ]


def test_a_link_to_an_input_with_a_widget_has_to_bring_its_type():
    data = graph(n1={"first": ["4", 0]}, n2={"smoothing": ["4", 0]})
    data["4"] = {"class_type": "LPDNumber", "inputs": {"value": 1}}
    assert messages(data) == []  # a whole number where a number is asked is fine
    data["3"]["inputs"]["title"] = ["4", 0]
    assert messages(data) == [
        'node 3 (LPDSaveText), input "title": expected STRING, got INT from output 0 ("number") of node 4 (LPDNumber)'
    ]


def test_a_cycle_is_reported_once_with_all_its_nodes():
    data = {
        "1": {"class_type": "LPDNumber", "inputs": {"value": ["3", 0]}},
        "2": {"class_type": "LPDNumber", "inputs": {"value": ["1", 0]}},
        "3": {"class_type": "LPDNumber", "inputs": {"value": ["2", 0]}},
        "4": {"class_type": "LPDNumber", "inputs": {"value": ["2", 0]}},
    }
    (said,) = messages(data, targets=["4"])
    assert said == (
        "the links form a cycle: node 2 (LPDNumber) -> node 3 (LPDNumber) -> node 1 (LPDNumber) -> node 2 (LPDNumber);"
        " remove one of them"
    )


def test_a_workflow_without_an_output_node_is_refused_unless_a_node_is_asked_for():
    data = graph()
    del data["3"]
    assert messages(data) == ["no node of the workflow writes or shows anything; add one of LPDBreak, LPDSaveText"]
    assert messages(data, targets=["2"]) == []
    assert messages(data, targets=["7"]) == ["node 7 was asked for but is not in the workflow"]


def test_all_problems_are_told_at_once():
    data = graph(n1={"first": -1, "extra": 1}, n2={"which": "x"})
    with pytest.raises(InvalidWorkflow) as caught:
        validate(parse_workflow(data, "w.json"), CLASSES)
    lines = str(caught.value).splitlines()
    assert lines[0] == "w.json has 3 problems:" and len(lines) == 4
    assert [problem.input for problem in caught.value.problems] == ["extra", "first", "which"]
    assert caught.value.exit_code == 2


def test_text_without_a_file_is_named_as_the_caller_says():
    with pytest.raises(BadInput, match="the preset x, line 1"):
        parse_workflow_text("{", "the preset x")
