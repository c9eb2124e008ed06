"""Other weights in the same report: of another size, without a painter, driven by another descriptor, that know their persons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation_people import coarse_judges, people_of
from heads_media import heads_folder
from lpd_plugin.errors import BadInput
from lpd_plugin.evaluation.evaluate import TABLE, Evaluation, evaluate
from lpd_plugin.evaluation.judges.registry import found_judges
from lpd_plugin.evaluation.people import open_people
from lpd_plugin.evaluation.protocols.descriptors import descriptor_source
from lpd_plugin.evaluation.protocols.reenactment import CROSS, SELF
from lpd_plugin.evaluation.settings import Settings
from lpd_plugin.evaluation.subjects import ADAPTED, COPY, META_LEARNED, Subject, chosen_subjects
from lpd_plugin.learning.data.splits import person_mark
from lpd_plugin.learning.pose_sources import known_descriptors, pose_descriptor
from lpd_plugin.weights.files import weights_info
from training_runs import exported_run

SMALL = Settings(pictures=3, tested=5, run=3, drivers=1, frames=6, described=12)

if "stripes" not in known_descriptors():

    @pose_descriptor("stripes", size=4)
    def open_stripes(_):
        """Brightness of four stripes; no face in every second picture or so."""

        def describe(crops: np.ndarray) -> np.ndarray:
            values = crops.reshape(len(crops), 4, -1).mean(2) / 255
            values[crops.reshape(len(crops), -1).sum(1, dtype=np.int64) % 2 == 0] = np.nan
            return values

        return describe


@pytest.fixture(scope="module")
def heads(tmp_path_factory, carphone, astronaut):
    return heads_folder(tmp_path_factory.mktemp("heads"), carphone, astronaut)


@pytest.fixture(scope="module")
def stripes(heads, tmp_path_factory):
    """Weights of 32 px after one step, driven by the descriptor above, trained on 'man' and 'her'."""
    _, path = exported_run(heads, tmp_path_factory.mktemp("stripes"), pose="stripes", steps=1)
    return str(path)


@pytest.fixture(scope="module")
def asked(carphone, astronaut, stripes, tmp_path_factory) -> Evaluation:
    folder = tmp_path_factory.mktemp("asked")
    pack = people_of(carphone, astronaut, folder / "people.safetensors")
    subjects = (Subject(COPY, COPY, "compact"), Subject("stripes", META_LEARNED, stripes))
    return Evaluation(str(pack), subjects, found_judges(coarse_judges(folder / "judges")), SMALL)


def test_exported_weights_know_whom_they_were_trained_on_and_are_not_judged_by_them(stripes, asked, tmp_path):
    assert weights_info(stripes).training["persons"] == sorted([person_mark("man"), person_mark("her")])
    with pytest.raises(BadInput, match="exported.safetensors was trained on her, man"):
        evaluate(asked, tmp_path)


def test_weights_driven_by_another_descriptor_stand_beside_the_others_and_are_described_by_it(asked, tmp_path):
    results = evaluate(replace(asked, trained=True, descriptors=(descriptor_source("stripes"),)), tmp_path)
    for protocol in (SELF, CROSS):
        measures = results["protocols"][protocol]["stripes"]
        assert measures["face found"]["value"] < results["protocols"][protocol][COPY]["face found"]["value"] == 1
        assert measures["identity error"]["value"] > 0
    names = [(row["source"], row["descriptor"]) for row in results["descriptors"]["rows"]]
    assert ("stripes", "stripes (4)") in names and ("descriptor stripes", "stripes (4)") in names
    table = (tmp_path / TABLE).read_text()
    assert "| stripes: stripes (4) |" in table and "| descriptor stripes (4) |" in table


def test_two_sources_of_one_name_are_refused(asked, tmp_path):
    twice = (descriptor_source("stripes"),) * 2
    with pytest.raises(BadInput, match="Two things to compare are called 'descriptor stripes'"):
        evaluate(replace(asked, trained=True, descriptors=twice), tmp_path)
    with pytest.raises(BadInput, match="Two things to compare are called 'judge'"):
        evaluate(replace(asked, trained=True, subjects=(replace(asked.subjects[1], name="judge"),)), tmp_path)


def test_weights_that_another_descriptor_drives_are_adapted_too(stripes):
    assert [subject.kind for subject in chosen_subjects(stripes, {}, adapt=True)] == [COPY, META_LEARNED, ADAPTED]


def test_a_heads_folder_with_one_person_is_evaluated_without_others(heads, asked, tmp_path):
    assert open_people(heads, "val").names == ["other"]
    alone = replace(asked, heads=str(heads), subjects=asked.subjects[:1])
    results = evaluate(alone, tmp_path)
    assert list(results["protocols"][SELF]) == [COPY] and results["protocols"][CROSS] == {}
    assert results["descriptors"] == {"missing": "there is one person only"}


def test_a_heads_folder_knows_when_a_clip_changes(heads, tmp_path):
    before = open_people(heads, "val").digest("other")
    clip = heads / "val" / "other" / "a.mask.mp4"
    kept = clip.read_bytes()
    clip.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    try:
        assert open_people(heads, "val").digest("other") != before
    finally:
        clip.write_bytes(kept)
    assert open_people(heads, "val").digest("other") == before
