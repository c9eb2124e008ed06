"""Who is evaluated, by whom, and on which frames: what the choice promises, and what is refused."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from evaluation_people import coarse_judges, people_of
from lpd_plugin.errors import BadInput
from lpd_plugin.evaluation.choice import (
    drivers_of, driving_moments, driving_run, given_pictures, own_moments, part_to_test,
)  # fmt: skip
from lpd_plugin.evaluation.judges.base import Judges
from lpd_plugin.evaluation.judges.registry import found_judges, open_judges
from lpd_plugin.evaluation.people import FilmedClip, Person, open_people
from lpd_plugin.evaluation.subjects import ADAPTED, COPY, META_LEARNED, chosen_subjects
from lpd_plugin.evaluation.trained import require_not_trained
from lpd_plugin.learning.data.packs import write_pack
from lpd_plugin.learning.data.splits import person_mark, person_marks, require_trainable
from lpd_plugin.learning.data.store import HeadClip, HeadStore
from lpd_plugin.learning.data.video_files import resized
from lpd_plugin.learning.face_reader_training import FaceReaderConfig, FaceReaderTraining
from lpd_plugin.learning.matte_training import MatteConfig, MatteTraining
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.painter_training import PainterConfig, PainterTraining
from lpd_plugin.weights.files import weights_path
from lpd_plugin.whole_files import write_tensors
from training_runs import small_run, two_persons


@pytest.fixture(scope="module")
def pack(carphone, astronaut, tmp_path_factory):
    return people_of(carphone, astronaut, tmp_path_factory.mktemp("people") / "people.safetensors")


@pytest.fixture(scope="module")
def man(pack):
    return open_people(pack, "val").read("man")


@pytest.fixture(scope="module")
def her(pack):
    return open_people(pack, "val").read("her")


def rows_of(frames: np.ndarray, clip: FilmedClip) -> list[int]:
    """Where some frames stand in a clip; frames that are not of it are left out."""
    same = [np.flatnonzero((clip.frames == frame).all((1, 2, 3))) for frame in frames]
    return [int(rows[0]) for rows in same if len(rows)]


def test_what_is_given_of_a_person_never_is_of_the_part_that_is_tested(man, her):
    clip, start, stop = part_to_test(man)
    assert (clip.name, start, stop) == ("b", 0, 15)  # the last clip of several
    given, masks = given_pictures(man, 6)
    assert len(rows_of(given, man.clips[0])) == len(given) == len(masks) == 6
    clip, start, stop = part_to_test(her)
    assert (start, stop) == (7, 10)  # the last third of an only one
    assert max(rows_of(given_pictures(her, 32)[0], clip)) < 7


def test_the_pictures_given_differ_more_than_evenly_spaced_ones(man):
    def nearest(frames):
        small = np.stack([cv2.resize(f, (24, 24), interpolation=cv2.INTER_AREA) for f in frames]).reshape(len(frames), -1) / 255
        return (np.linalg.norm(small[:, None] - small[None], axis=2) + 1e9 * np.eye(len(small))).min()

    assert nearest(given_pictures(man, 5)[0]) > nearest(man.clips[0].frames[::3])


def test_own_moments_are_spread_over_the_part_to_test_and_a_run_has_no_gaps(man):
    scattered, run = own_moments(man, 4, 5)
    assert scattered.rows.tolist() == [0, 5, 9, 14] and not scattered.run and scattered.driver == "man"
    assert run.rows.tolist() == [5, 6, 7, 8, 9] and run.run
    assert np.array_equal(run.frames, man.clips[1].frames[5:10]) and np.array_equal(run.masks, man.clips[1].masks[5:10])


def test_a_driver_shows_eight_frames_of_a_clip_at_least_and_different_people_see_different_clips(man):
    assert [m.clip for turn in (0, 1, 2) for m in driving_moments(man, 8, turn)] == ["a", "b", "a"]
    assert [(m.clip, len(m)) for m in driving_moments(man, 16, 1)] == [("a", 8), ("b", 8)]
    assert len(driving_run(man, 99, 1)) == 15  # no longer than the clip


def test_everybody_drives_as_often_as_everybody_and_nobody_themselves():
    names = [f"p{k:02d}" for k in range(12)]
    drivers = [drivers_of(name, names, 3) for name in names]
    assert all(name not in those and len(set(those)) == 3 for name, those in zip(names, drivers))
    assert {sum(name in those for those in drivers) for name in names} == {3}
    assert sorted(drivers_of("p03", names, 99)) == sorted(set(names) - {"p03"}) and drivers_of("p00", ["p00"], 3) == []


def test_a_person_with_hardly_any_frames_is_named():
    clip = FilmedClip("a", lambda: (np.zeros((5, 256, 256, 3), np.uint8), np.zeros((5, 256, 256), np.uint8)))
    with pytest.raises(BadInput, match="somebody has 5 frames, but 6 are needed"):
        part_to_test(Person("somebody", (clip,)))


def test_a_heads_folder_gives_the_clips_that_a_pack_gives_and_knows_when_they_change(shared):
    people = open_people(shared / "heads", "val")
    assert people.names == [f"p{k:03d}" for k in range(66, 78)]
    person = people.read("p069")
    assert len(person.clips) == 1 and person.clips[0].frames.shape == (72, 256, 256, 3)
    assert people.digest("p069") == open_people(shared / "heads", "val").digest("p069") != people.digest("p073")


def test_another_frame_in_a_pack_is_another_digest(pack, carphone, astronaut, tmp_path):
    store = two_persons(carphone, astronaut)
    frames = store.frames.copy()
    frames[0] = 255 - frames[0]
    before = people_of(carphone, astronaut, tmp_path / "before.safetensors")
    clips = [HeadClip(c.person, c.clip, c.start, c.stop, "val") for c in store.clips]
    write_pack(HeadStore(resized(frames, 256), resized(store.masks, 256), clips), tmp_path / "after.safetensors")
    one, other = open_people(before, "val"), open_people(tmp_path / "after.safetensors", "val")
    assert one.digest("man") != other.digest("man") and one.digest("her") == other.digest("her")


def test_persons_of_the_training_split_are_refused_unless_asked_for_and_then_it_is_said():
    subjects = chosen_subjects("compact", {}, adapt=False)
    with pytest.raises(BadInput, match="Persons of split 'train' were trained on.*--trained"):
        require_not_trained("train", ["p000"], subjects, allowed=False)
    assert "were trained on" in require_not_trained("train", ["p000"], subjects, allowed=True)[0]


@pytest.fixture
def saying(tmp_path):
    """The embedded weights under another name, saying that they were trained on these persons; None: not saying whom."""

    def made(name: str, persons: list[str] | None) -> str:
        with safe_open(str(weights_path("compact")), "pt") as file:
            metadata = file.metadata()
        training = {k: v for k, v in json.loads(metadata["training"]).items() if k != "persons"}
        training |= {} if persons is None else {"persons": [person_mark(person) for person in persons]}
        path = tmp_path / f"{name}.safetensors"
        write_tensors(path, load_file(weights_path("compact")), {**metadata, "training": json.dumps(training)})
        return str(path)

    return made


def test_weights_that_were_trained_on_a_person_are_not_judged_by_them_whatever_the_split_says(saying):
    others = {"own": saying("own", ["p066"]), "silent": saying("silent", None)}
    subjects = chosen_subjects("compact", others, adapt=False)
    with pytest.raises(BadInput, match="own.safetensors was trained on p066"):
        require_not_trained("val", ["p066", "p067"], subjects, allowed=False)
    notes = require_not_trained("val", ["p067"], subjects, allowed=False)
    assert len(notes) == 1 and "silent.safetensors does not say whom it was trained on" in notes[0]
    assert any("trained on p066" in note for note in require_not_trained("val", ["p066"], subjects, allowed=True))


def test_training_refuses_persons_who_are_held_out(carphone, astronaut, tmp_path):
    store = two_persons(carphone, astronaut)
    require_trainable(store.clips)
    store.clips[2] = HeadClip("her", "a", 30, 40, "val")
    faces = SimpleNamespace(store=store)
    for training in (
        lambda: MetaLearning(small_run(), store, tmp_path),
        lambda: MatteTraining(MatteConfig(), store, tmp_path),
        lambda: PainterTraining(PainterConfig(), store, tmp_path),
        lambda: FaceReaderTraining(FaceReaderConfig(), faces, tmp_path, faces),
    ):
        with pytest.raises(BadInput, match="her is of split 'val' and held out"):
            training()


def test_weights_name_whom_they_were_trained_on_by_marks_that_do_not_give_the_names_away(carphone, astronaut):
    marks = person_marks(two_persons(carphone, astronaut).clips)
    assert marks == sorted([person_mark("man"), person_mark("her")]) and not any("man" in mark for mark in marks)


def test_subjects_are_the_copy_the_weights_and_others_by_name():
    subjects = chosen_subjects("compact", {"more": "compact"}, adapt=True)
    assert [s.name for s in subjects] == [COPY, META_LEARNED, ADAPTED, "more"]
    assert len({s.digest() for s in subjects}) == 3  # 'more' draws what the weights draw
    with pytest.raises(BadInput, match="choose another name"):
        chosen_subjects("compact", {ADAPTED: "compact"}, adapt=False)
    with pytest.raises(BadInput, match="holds no weights of a reenactment model"):
        chosen_subjects("matte", {}, adapt=False)


def test_judges_are_found_by_the_names_of_their_files_or_given(tmp_path):
    folder = coarse_judges(tmp_path / "judges")
    assert {role: one.path.name for role, one in found_judges(folder).items()} == {
        "landmarker": "a.coarse-points", "recogniser": "b.coarse-names",
    }  # fmt: skip
    given = found_judges(recogniser=folder / "b.coarse-names")
    assert set(given) == {"recogniser"} and open_judges(given).landmarker is None
    assert Judges().faces([np.zeros((256, 256, 3), np.uint8)]) == [None]


def test_a_judges_other_content_is_another_digest(tmp_path):
    folder = coarse_judges(tmp_path / "judges")
    before = found_judges(folder)["recogniser"].digest
    (folder / "b.coarse-names.data").write_text("more of it")
    assert found_judges(folder)["recogniser"].digest != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"folder": "nowhere"}, "There is no folder nowhere"),
        ({"landmarker": "nowhere.task"}, "There is no landmarker at nowhere.task"),
        ({"recogniser": __file__}, "No recogniser reads test_evaluation_people.py"),
    ],
)
def test_files_that_are_no_judges_are_refused_by_name(arguments, said):
    with pytest.raises(BadInput, match=said):
        found_judges(**arguments)


def test_a_folder_without_any_judge_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no judge's file.*face_landmarker"):
        found_judges(tmp_path)


def test_a_judge_whose_package_is_missing_says_which(tmp_path):
    try:
        version("mediapipe")
    except PackageNotFoundError:
        (tmp_path / "face_landmarker.task").write_bytes(b"anything")
        with pytest.raises(BadInput, match='needs the package mediapipe: pip install "lpd\\[evaluate\\]"'):
            open_judges(found_judges(tmp_path))
    else:
        pytest.skip("mediapipe is installed here")
