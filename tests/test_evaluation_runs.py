"""`lpd evaluate` end to end: real people, a real model, judges that need no package; resumed, repeated, reported."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation_people import MASK, CoarseLandmarker, CoarseRecogniser, Mirror, coarse_judges, people_of
from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.evaluation import subjects as subjects_module
from lpd_plugin.evaluation.choice import Moments, driving_moments
from lpd_plugin.evaluation.evaluate import REPORT, RESULTS, TABLE, Evaluation, Plan, evaluate
from lpd_plugin.evaluation.judges.base import Judges
from lpd_plugin.evaluation.judges.registry import found_judges
from lpd_plugin.evaluation.people import open_people
from lpd_plugin.evaluation.protocols.descriptors import JUDGE
from lpd_plugin.evaluation.protocols.reenactment import CROSS, SELF, reenacted
from lpd_plugin.evaluation.report.page import WARNING
from lpd_plugin.evaluation.settings import Settings
from lpd_plugin.evaluation.store import Key, UnitStore
from lpd_plugin.evaluation.subjects import ADAPTED, COPY, META_LEARNED, Subject, chosen_subjects, filmed
from lpd_plugin.evaluation.work import DoWork
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.progress import Progress
from lpd_plugin.reenactment.crops import encode_crops
from lpd_plugin.reenactment.rest import rest_of
from lpd_plugin.weights.files import load_model

SMALL = Settings(pictures=3, tested=5, run=4, drivers=1, frames=6, described=12)
FILES = (RESULTS, TABLE, REPORT)


@pytest.fixture(scope="module")
def pack(carphone, astronaut, tmp_path_factory) -> Path:
    return people_of(carphone, astronaut, tmp_path_factory.mktemp("people") / "people.safetensors")


@pytest.fixture(scope="module")
def whole(pack, tmp_path_factory) -> Evaluation:
    """Two people, the copy and the embedded weights, both judges."""
    judges = found_judges(coarse_judges(tmp_path_factory.mktemp("judges")))
    return Evaluation(str(pack), tuple(chosen_subjects("compact", {}, adapt=False)), judges, SMALL)


@pytest.fixture(scope="module")
def copies(whole) -> Evaluation:
    """The baseline alone, which takes no time."""
    return replace(whole, subjects=whole.subjects[:1])


@pytest.fixture(scope="module")
def done(whole, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    evaluate(whole, folder)
    return folder


@pytest.fixture
def counted(monkeypatch) -> list:
    """Every piece of work that is done."""
    works, call = [], DoWork.__call__

    def counting(self, work, progress):
        works.append((work.person, work.subject.name, tuple(protocol for protocol, _ in work.todo)))
        call(self, work, progress)

    monkeypatch.setattr(DoWork, "__call__", counting)
    return works


def results_in(folder: Path) -> dict:
    return json.loads((folder / RESULTS).read_text())


def files_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_every_subject_has_every_measure_in_both_protocols_and_they_are_in_range(done):
    results = results_in(done)
    for protocol in (SELF, CROSS):
        assert list(results["protocols"][protocol]) == [COPY, META_LEARNED]
    own = results["protocols"][SELF][META_LEARNED]
    assert own["face found"]["value"] == 1 and 0 < own["pose error, 68 points"]["value"] < 1
    assert own["pose error, 478 points, aligned"]["value"] <= own["pose error, 478 points"]["value"]
    assert 0.5 < own["mask IoU"]["value"] <= 1 and 5 < own["PSNR, dB"]["value"] < 60 and 0.1 < own["MS-SSIM"]["value"] < 1
    assert set(own["identity error"]["persons"]) == {"her", "man"}
    assert np.mean(list(own["identity error"]["persons"].values())) == pytest.approx(own["identity error"]["value"])
    crossed = results["protocols"][CROSS][META_LEARNED]
    assert "mask IoU" not in crossed and 0 < crossed["identity error"]["value"] < 2
    assert crossed["mask flicker over the driver's"]["value"] is None  # these drivers' masks never change
    assert crossed["face flicker over the driver's"]["value"] > 0


def test_what_is_copied_is_a_picture_of_the_person_and_the_model_follows_better(done):
    results = results_in(done)["protocols"][SELF]
    assert results[COPY]["SSIM"]["value"] < results[META_LEARNED]["SSIM"]["value"]


def test_descriptors_of_the_weights_and_of_the_judge_are_compared(done):
    compared = results_in(done)["descriptors"]
    names = [f"{row['source']}: {row['descriptor']}" for row in compared["rows"]]
    assert names[:2] == [f"{JUDGE}: blendshapes and pose (55)", f"{JUDGE}: landmarks (956)"]
    assert any(name.startswith(f"{META_LEARNED}: latent (64)") for name in names) and any("face numbers (14)" in n for n in names)
    assert all(0 <= v <= compared["possible"][k] + 1e-9 for row in compared["rows"] for k, v in row["accuracy"].items())


def test_the_report_is_one_file_with_pictures_curves_and_the_warning(done):
    page = (done / REPORT).read_text()
    assert WARNING in page and page.count("<h2>") >= 9
    assert page.count("data:image/jpeg;base64,") == 2 * 2 * 3 + 2 * 2 * 2 * 2  # strips, and the worst two of each unit
    assert "<polyline" in page and "<circle" in page
    outside = re.findall(r"""(?:src|href)=["']?(?!data:)[^"'>]+|https?://(?!www\.w3\.org/2000/svg)""", page)
    assert outside == [] and "<script" not in page


def test_the_same_command_in_another_folder_gives_the_same_files(whole, done, tmp_path):
    evaluate(whole, tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(done)


def test_going_on_does_nothing_again(whole, done, counted):
    before = files_of(done)
    evaluate(whole, done)
    assert counted == [] and files_of(done) == before


def test_a_subject_that_gives_back_its_driver_is_perfect_in_every_measure(pack):
    person = open_people(pack, "val").read("man")
    masks = (MASK[None].repeat(5, 0) * 255).astype(np.uint8)
    own = person.clips[1].frames
    scattered = Moments("man", "b", np.arange(5), own[:5], masks, own)
    moments = [scattered, Moments("man", "b", np.arange(6, 11), own[6:11], masks, own, run=True)]
    heads = Mirror().heads(np.concatenate([one.frames for one in moments]))
    unit = reenacted(SELF, moments, Mirror(), heads, own[:1], scattered, Judges(CoarseLandmarker(), CoarseRecogniser()))
    assert len(unit.frames) == 5 and len(unit.runs) == 1
    for frame in unit.frames:
        assert frame["wanted"] == frame["seen"] and max(frame["landmarks"].values()) < 1e-9
        assert (frame["iou"], frame["edge"], frame["psnr"]) == (1, 0, 100) and frame["ms-ssim"] == pytest.approx(1, abs=1e-5)
        assert frame["cosine"] > 0.9
    (run,) = unit.runs
    assert run["wanted"] == run["seen"] and run["face flicker"]["made"] == run["face flicker"]["driver"] > 0


class StopAfter(Progress):
    """Cancels once some pieces of work are done."""

    def __init__(self, pieces: int):
        self.pieces = pieces

    def advanced(self, task) -> None:
        if task.label == "evaluating" and task.done >= self.pieces:
            raise Cancelled()


def test_a_run_that_was_stopped_goes_on_where_it_was_and_ends_with_the_same_files(copies, counted, tmp_path):
    evaluate(copies, tmp_path / "whole")
    everything = list(counted)
    with pytest.raises(Cancelled, match="stopped after 2 of 4; the same command goes on"):
        evaluate(copies, tmp_path / "stopped", progress=StopAfter(2))
    assert not (tmp_path / "stopped" / RESULTS).exists()
    counted.clear()
    evaluate(copies, tmp_path / "stopped")
    assert counted == everything[2:] and files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")


def test_a_unit_whose_pictures_are_gone_is_done_again_and_one_that_was_cut_is_too(copies, counted, tmp_path):
    evaluate(copies, tmp_path)
    store = UnitStore(tmp_path)
    store.picture_file(Key(CROSS, COPY, "her"), "made").unlink()
    line = next((tmp_path / "units" / SELF).rglob("man.json"))
    line.write_text(line.read_text()[:-30])
    counted.clear()
    evaluate(copies, tmp_path)
    assert counted == [("her", COPY, (CROSS,)), ("man", COPY, (SELF,))]


def test_what_changed_is_done_again_and_only_that(copies, counted, tmp_path):
    evaluate(copies, tmp_path)
    counted.clear()
    evaluate(replace(copies, settings=replace(SMALL, frames=7)), tmp_path)
    assert counted == [("her", COPY, (CROSS,)), ("man", COPY, (CROSS,))]
    counted.clear()
    evaluate(replace(copies, settings=replace(SMALL, frames=7), judges={}), tmp_path)
    assert counted == [("her", COPY, (SELF, CROSS)), ("man", COPY, (SELF, CROSS))]


def test_several_processes_give_what_one_gives(copies, tmp_path):
    alone = replace(copies, judges={})  # judges of a test are unknown to other processes
    assert evaluate(alone, tmp_path / "one", 1) == evaluate(alone, tmp_path / "two", 2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_measures_whose_judge_is_missing_are_reported_as_missing(copies, tmp_path):
    results = evaluate(replace(copies, judges={"recogniser": copies.judges["recogniser"]}), tmp_path / "a")
    own = results["protocols"][SELF][COPY]
    assert own["identity error"] == {"value": None, "missing": "no landmarker was given"}  # who aligns the face?
    assert own["yaw followed, pooled"]["value"] is None and own["mask IoU"]["value"] > 0
    assert results["descriptors"] == {"missing": "no landmarker was given"}
    table = (tmp_path / "a" / TABLE).read_text()
    assert "| identity error | ↓ | missing |" in table
    assert "Missing, no landmarker was given: face found; identity error" in table
    results = evaluate(replace(copies, judges={"landmarker": copies.judges["landmarker"]}), tmp_path / "b")
    assert results["protocols"][CROSS][COPY]["identity error"]["missing"] == "no recogniser was given"
    assert results["protocols"][CROSS][COPY]["face found"]["value"] == 1
    page = (tmp_path / "b" / REPORT).read_text()
    assert "it takes a landmarker, a recogniser and two persons" in page


def test_a_face_that_nobody_sees_lowers_the_share_and_leaves_no_pose(copies, tmp_path, monkeypatch):
    look, calls = CoarseLandmarker.look, []

    def blind(self, rgb):  # sees every second picture
        calls.append(1)
        return look(self, rgb) if len(calls) % 2 else None

    monkeypatch.setattr(CoarseLandmarker, "look", blind)
    results = evaluate(copies, tmp_path)
    assert results["protocols"][SELF][COPY]["face found"]["value"] == pytest.approx(0.5, abs=0.2)
    assert "no face is seen" in (tmp_path / REPORT).read_text()


def test_a_head_that_is_not_drawn_is_an_empty_picture(copies, pack):
    model_sees = np.full((1, 78), np.nan, np.float32)
    given = open_people(pack, "val").read("man").clips[0].frames[:2]
    performer = Subject(META_LEARNED, META_LEARNED, "compact").performer(given)
    (head,) = performer.heads(model_sees)
    assert head is None and subjects_module.shown(head).mask.max() == 0


def test_the_copy_is_the_given_picture_nearest_in_pose(pack):
    frames = open_people(pack, "val").read("man").clips[0].frames
    performer = Subject(COPY, COPY, "compact").performer(frames[[0, 5, 10]])
    heads = list(performer.heads(performer.read(frames[[10, 0]], frames)))
    for head, k in zip(heads, (10, 0), strict=True):
        assert np.array_equal((head.rgb * 255).round().astype(np.uint8), frames[k])


def test_a_driver_is_read_as_the_product_reads_a_performance_less_how_the_mouth_is_at_rest_in_all_of_the_clip(pack):
    frames = open_people(pack, "val").read("man").clips[0].frames
    performer, model = Subject(META_LEARNED, META_LEARNED, "compact").performer(frames[:2]), load_model("compact")
    plain, rest = encode_crops(model, frames[3:5]), rest_of(model, encode_crops(model, frames))
    assert np.abs(rest).max() > 0.02
    assert np.abs(performer.read(frames[3:5], frames) - (plain - rest)).max() < 1e-4
    (moments,) = driving_moments(open_people(pack, "val").read("man"), 3, 0)[:1]
    assert np.array_equal(moments.around, open_people(pack, "val").read("man").clips[0].frames)  # all of a short clip


def test_adapting_says_its_steps_and_draws_another_head(pack, monkeypatch):
    monkeypatch.setattr(subjects_module, "AdaptationConfig", lambda: AdaptationConfig(steps=2, batch=1, foreign=1))
    person = open_people(pack, "val").read("man")
    given, driving = person.clips[0].frames[:3], person.clips[1].frames[:1]
    drawn = []
    for kind in (META_LEARNED, ADAPTED):
        performer = Subject(kind, kind, "compact").performer(given)
        drawn += list(performer.heads(performer.read(driving, person.clips[1].frames)))
    assert performer.about == {"adaptation steps": 2}
    assert np.abs(drawn[0].rgb - drawn[1].rgb).max() > 1e-3


def test_judges_look_at_heads_on_grey_on_both_sides(pack):
    clip = open_people(pack, "val").read("man").clips[0]
    one = filmed(clip.frames[0], clip.masks[0])
    outside, inside = clip.masks[0] == 0, clip.masks[0] == 255
    assert (one.picture[outside] == 128).all() and np.array_equal(one.picture[inside], clip.frames[0][inside])


def test_a_split_of_training_persons_is_refused_before_anything_is_done(carphone, astronaut, tmp_path, copies):
    trained = people_of(carphone, astronaut, tmp_path / "train.safetensors", "train")
    asked = replace(copies, heads=str(trained), split="train")
    with pytest.raises(BadInput, match="Persons of split 'train' were trained on"):
        evaluate(asked, tmp_path / "out")
    assert not list((tmp_path / "out" / "units").iterdir())
    evaluate(replace(asked, trained=True), tmp_path / "out")
    assert "were trained on: they look better" in (tmp_path / "out" / REPORT).read_text()


def test_a_folder_with_other_things_in_it_is_left_alone(copies, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="holds other things"):
        evaluate(copies, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_everyone_is_driven_though_few_are_evaluated(copies):
    plan = Plan(replace(copies, persons=1), open_people(copies.heads, "val"), ["her"])
    assert [key.person for key in plan.keys[CROSS]] == ["her"] and plan.keys[SELF]


def test_the_command_prints_the_table_and_where_the_report_is(pack, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Settings, "quick", classmethod(lambda cls, pictures=32: SMALL))
    judges = coarse_judges(tmp_path / "judges")
    arguments = ["evaluate", str(pack), "-o", str(tmp_path / "out"), "--quick", "--judges", str(judges), "--persons", "1"]
    main([*arguments, "--processes", "1"])
    out = capsys.readouterr().out
    assert "| identity error | ↓ |" in out and str(tmp_path / "out" / REPORT) in out
    assert ADAPTED not in results_in(tmp_path / "out")["protocols"][SELF]  # quick is without
    main([*arguments, "--processes", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["results"] == results_in(tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--also", "landmarks"], "--also landmarks: say NAME=WEIGHTS"),
        (["--also", "a=compact", "--also", "a=compact"], "there are other weights called 'a' already"),
        (["--weights", "nowhere.safetensors"], "There are no weights at nowhere.safetensors"),
        (["--judges", "nowhere"], "There is no folder nowhere"),
        (["--split", "test"], "lists no clip of split 'test'|holds no clip of split 'test'"),
        (["--descriptor", "nothing"], "Unknown pose descriptor 'nothing'"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence_and_exit_code_2(pack, tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(pack), "-o", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 2 and re.search(said, capsys.readouterr().err)
