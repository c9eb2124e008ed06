"""A true re-enactment as a batch: segments that start anywhere have the frames of a run from the beginning, to the last bit."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from batch_media import Bench, write_jobs
from clip_makers import same_picture

from lpd_plugin.batch.opened import OpenJob
from lpd_plugin.progress import Progress
from lpd_plugin.video.open import open_clip

VALUES = {
    "adapt_steps": 0, "pictures": 2, "clean_plate": False, "footage_out": "0.6", "format": "ffv1", "grain": 0.5,
    "report": "{number}.csv",
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory, carphone, one_thread):
    """18 frames in segments of 8, the drivers' performance shorter than they are."""
    home = tmp_path_factory.mktemp("reenact")
    job = {"preset": "reenact", "set": VALUES | {"footage": str(carphone), "driver": str(carphone), "reverse_driver": True}, "output": "a.mkv"}
    return Bench(write_jobs(home, [job]))


@pytest.fixture(scope="module")
def opened(bench):
    """The job, its graph run; frames are drawn when pulled."""
    job = OpenJob(bench.jobs[0], bench.folder / "jobs" / "looked at", bench.folder / "cache", 8, Progress(), "cpu", "test")
    yield job
    job.close()


@pytest.fixture(scope="module")
def in_one_go(opened):
    return list(opened.parts[0].clip.frames())


@pytest.mark.parametrize("first", [8, 16])
def test_frames_are_the_same_wherever_a_segment_starts(opened, in_one_go, first):
    fresh = list(opened.parts[0].clip.frames(first))
    assert len(fresh) == len(in_one_go) - first > 0
    for one, other in zip(fresh, in_one_go[first:], strict=True):
        assert one.index == other.index and one.time == other.time and same_picture(one.picture, other.picture)


def test_a_job_in_segments_by_two_workers_has_the_frames_of_one_go_and_one_report(bench, in_one_go, carphone):
    one, two = bench.worker("one"), bench.worker("two")
    one.step()  # opens the job
    one.step()  # its first segment
    two.step()  # another worker's, from a fresh start
    one.run()
    for worker in (one, two):
        worker.performer.close()
    (outcome,) = bench.outcome().values()
    assert outcome["state"] == "done", outcome["reason"]
    rendered = [event["worker"] for event in bench.state.events() if event["kind"] == "segment"]
    assert len(rendered) == outcome["segments"] and set(rendered) == {"one", "two"}
    out = bench.folder.parent
    made = list(open_clip(out / "a.mkv").frames())
    assert all(same_picture(a.picture, b.picture) for a, b in zip(made, in_one_go, strict=True))
    footage = list(open_clip(carphone).frames())[: len(made)]
    changed = [np.abs(a.rgb().astype(int) - b.rgb()).max() for a, b in zip(made, footage)]
    assert min(changed) > 0, "every frame has another head"
    with open(out / "1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(len(made)))
    assert {row["outcome"] for row in rows} == {"composited"} and all(row["mask_area"] for row in rows)
    assert any(f"{len(made)} of {len(made)} frames composited" in note for note in json.loads(outcome["notes"]))
