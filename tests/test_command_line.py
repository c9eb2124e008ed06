"""The command line: what it says, what it exits with, what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lpd_plugin.cli import reporting
from lpd_plugin.cli.main import main


@pytest.fixture
def lpd(capsys, tmp_path, monkeypatch):
    """Runs `lpd ...`; gives exit code, standard output and standard error."""
    monkeypatch.setenv("LPD_CACHE", str(tmp_path / "cache"))

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            main([str(a) for a in arguments])
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_it_lists_its_nodes_and_presets(lpd):
    code, out, _ = lpd("nodes", "--json")
    assert code == 0
    assert {"LPDSourceIdentity", "LPDDrivingPose", "LPDGenerator", "LPDMaskComposite"} <= {n["id"] for n in json.loads(out)}
    code, out, _ = lpd("presets")
    assert code == 0 and all(name in out for name in ("puppeteer", "reenact", "preview"))


@pytest.mark.parametrize("preset", ["puppeteer", "reenact", "preview"])
def test_every_shipped_preset_is_a_valid_graph(lpd, preset):
    code, out, err = lpd("presets", "check", preset)
    assert code == 0, err
    assert "well-formed" in out


def test_the_weights_say_that_they_are_for_research_and_evaluation(lpd):
    code, out, _ = lpd("weights", "info")
    assert code == 0 and out.count("For research and evaluation") == 3


def test_an_unknown_preset_is_refused_with_the_nearest_name(lpd):
    code, _, err = lpd("render", "puppeter")
    assert code == 2 and last_line(err) == "lpd: There is no preset 'puppeter'; did you mean 'puppeteer'?"


def test_an_unknown_parameter_is_refused_with_the_nearest_name(lpd):
    code, _, err = lpd("render", "reenact", "--set", "footag=a.mp4")
    assert code == 2 and "has no parameter 'footag'; did you mean 'footage'?" in err


def test_a_value_out_of_range_is_refused_with_the_range(lpd, carphone, tmp_path):
    code, _, err = lpd(
        "render", "reenact", "--set", f"footage={carphone}", "--set", f"driver={carphone}", "--set", "pictures=0",
        "-o", tmp_path / "out.mp4",
    )  # fmt: skip
    assert code == 2 and "pictures" in err and "between 1 and 256" in err


def test_a_missing_parameter_is_named_with_what_it_is(lpd):
    code, _, err = lpd("render", "reenact")
    assert code == 2 and "needs 'footage' (the footage whose head is replaced)" in err


def _broken_inputs(tmp_path: Path) -> dict[str, Path]:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.write_bytes(b"")
    text.write_text("not a video at all " * 50)
    return {"missing": tmp_path / "missing.mp4", "empty": empty, "not a video": text}


@pytest.mark.parametrize("kind", ["missing", "empty", "not a video"])
def test_footage_that_cannot_be_used_is_one_sentence_and_leaves_nothing(lpd, carphone, tmp_path, kind):
    footage, output = _broken_inputs(tmp_path)[kind], tmp_path / "out.mp4"
    code, _, err = lpd(
        "render", "reenact", "--set", f"footage={footage}", "--set", f"driver={carphone}", "-o", output
    )
    assert code == 2 and footage.name in last_line(err) and "Traceback" not in err
    assert not output.exists() and not list(tmp_path.glob(".*part*"))


def test_a_clip_without_any_head_is_named(lpd, make_clip, carphone, tmp_path):
    plain = tmp_path / "plain.png"
    import cv2
    import numpy as np

    cv2.imwrite(str(plain), np.full((240, 320, 3), 90, np.uint8))
    code, _, err = lpd(
        "render", "preview", "--set", f"footage={plain}", "--set", f"driver={carphone}", "-o", tmp_path / "sheet.png"
    )
    assert code == 2 and "No head was found in plain.png" in err
    assert not (tmp_path / "sheet.png").exists()


def test_a_workflow_that_is_not_json_is_named_with_its_line(lpd, tmp_path):
    broken = tmp_path / "graph.json"
    broken.write_text('{"1": {"class_type": \n oops}}')
    code, _, err = lpd("run", broken)
    assert code == 2 and "graph.json" in err and "line 2" in err


def test_missing_weights_are_named(lpd, astronaut, tmp_path):
    graph = {
        "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(astronaut)}},
        "2": {"class_type": "LPDSourceIdentity", "inputs": {"source": ["1", 0], "weights": "nowhere.safetensors"}},
        "3": {"class_type": "LPDSaveIdentity", "inputs": {"identity": ["2", 0], "file": str(tmp_path / "a.safetensors")}},
    }
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph))
    code, _, err = lpd("run", path)
    assert code == 2 and "no weights at nowhere.safetensors" in err


def test_an_existing_output_is_kept_unless_overwriting_is_asked_for(lpd, astronaut, carphone, tmp_path):
    output = tmp_path / "sheet.png"
    output.write_text("precious")
    arguments = ("render", "preview", "--set", f"footage={astronaut}", "--set", f"driver={carphone}", "-o", output)
    code, _, err = lpd(*arguments)
    assert code == 2 and "exists" in err and output.read_text() == "precious"


def test_an_unusable_device_is_refused(lpd, tmp_path):
    code, _, err = lpd("render", "preview", "--device", "toaster", "-o", tmp_path / "x.png")
    assert code == 2 and "The device 'toaster' cannot be used here" in err


def test_numpy_comes_after_the_command_line_said_that_its_products_take_one_thread():
    code = (
        "import os, sys; from lpd_plugin.cli.main import main; assert 'numpy' not in sys.modules\n"
        "main(['weights', 'info']); print(); print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    )
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for given, expected in ({}, "1 True"), ({"OPENBLAS_NUM_THREADS": "4"}, "4 True"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain | given)
        assert done.stdout.splitlines()[-1] == expected


@pytest.mark.parametrize(("done", "seconds", "said"), [(300, 12, "300 of 600, 25.0/s"), (2, 90, "2 of 600, 45 s each")])
def test_work_says_how_fast_it_goes_or_how_long_one_takes(capsys, monkeypatch, done, seconds, said):
    """Neither "0.0/s" for what takes a minute nor "0.04 s each" for frames."""
    clock = [0.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])
    with reporting.PlainProgress().task("heads", 600) as task:
        clock[0] = seconds
        task.advance(done)
        assert capsys.readouterr().err == f"heads: {said}\n"
