"""The real judges on real people, where their packages and files are at hand: run in an environment with lpd[evaluate]."""

from __future__ import annotations

import numpy as np
import pytest

from lpd_plugin.evaluation.choice import given_pictures
from lpd_plugin.evaluation.evaluate import Evaluation, evaluate
from lpd_plugin.evaluation.judges.base import MOVEMENTS
from lpd_plugin.evaluation.judges.registry import close_judges, found_judges, open_judges
from lpd_plugin.evaluation.measures.likeness import identity_error, mean_embedding
from lpd_plugin.evaluation.people import open_people
from lpd_plugin.evaluation.protocols.reenactment import CROSS, SELF
from lpd_plugin.evaluation.settings import Settings
from lpd_plugin.evaluation.subjects import META_LEARNED, chosen_subjects

PEOPLE = ("p066", "p072", "p076")


@pytest.fixture(scope="module")
def files(shared):
    for package in ("mediapipe", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed here (lpd[evaluate])")
    yield found_judges(shared / "models")
    close_judges()


@pytest.fixture(scope="module")
def judges(files):
    return open_judges(files)


@pytest.fixture(scope="module")
def pictures(shared):
    """Six different pictures of each of three people."""
    people = open_people(shared / "heads", "val")
    return {name: given_pictures(people.read(name), 6)[0] for name in PEOPLE}


def test_both_are_found_among_other_files_by_their_names(files):
    assert files["landmarker"].path.name == "face_landmarker.task" and files["recogniser"].path.name == "MobileFaceNet.onnx"


def test_a_person_is_known_again_and_strangers_are_strangers(judges, pictures):
    faces = {name: judges.faces(many) for name, many in pictures.items()}
    vectors = {n: np.array([judges.recogniser.embedding(p, f.landmarks) for p, f in zip(pictures[n], faces[n])]) for n in PEOPLE}
    for name in PEOPLE:
        person = mean_embedding(vectors[name])
        assert identity_error(vectors[name], person) < 0.25
        assert all(identity_error(vectors[other], person) > 0.6 for other in PEOPLE if other != name)


def test_a_mirrored_head_turns_and_tilts_the_other_way_and_nods_as_before(judges, pictures):
    for picture in pictures["p072"][:3]:
        face, mirrored = judges.faces([picture, np.ascontiguousarray(picture[:, ::-1])])
        turn = dict(zip(MOVEMENTS, face.movements)), dict(zip(MOVEMENTS, mirrored.movements))
        for name in ("yaw", "roll"):
            assert turn[0][name] == pytest.approx(-turn[1][name], abs=0.07)
        assert turn[0]["pitch"] == pytest.approx(turn[1]["pitch"], abs=0.07)
        assert turn[0]["jaw"] == pytest.approx(turn[1]["jaw"], abs=0.1)


def test_no_face_is_seen_where_there_is_none(judges):
    assert judges.faces([np.full((256, 256, 3), 128, np.uint8)]) == [None]


def test_a_held_out_person_is_followed_and_known(files, shared, tmp_path):
    small = Settings(pictures=8, tested=6, run=4, drivers=1, frames=6, described=12)
    subjects = tuple(chosen_subjects("compact", {}, adapt=False))
    results = evaluate(Evaluation(str(shared / "heads"), subjects, files, small, persons=2), tmp_path)
    own, crossed = (results["protocols"][p][META_LEARNED] for p in (SELF, CROSS))
    assert own["pose error, 68 points"]["value"] < 0.06 and own["face found"]["value"] == crossed["face found"]["value"] == 1
    assert own["identity error"]["value"] < crossed["identity error"]["value"] < 0.4
    assert crossed["yaw followed, pooled"]["value"] > 0.6
