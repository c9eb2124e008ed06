"""Batches on a Ray cluster of several node processes, of which one dies on the way."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from batch_media import Patience, events_in, jobs_in, state_folder, write_jobs

from lpd_plugin.batch.run import run_batch
from lpd_plugin.errors import BadInput
from lpd_plugin.video.open import open_clip

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    """A head that does no work and two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20, "include_dashboard": False})
    cluster.nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
    yield cluster
    cluster.shutdown()


def batch_of(clips, tmp_path):
    path = write_jobs(tmp_path / "w", [{"each": {"clip": [str(clip) for clip in clips]}}])
    return path, jobs_in(path), state_folder(path)


def done_once(folder, jobs) -> bool:
    settled = Counter((job, kind, part) for job, kind, part, what in events_in(folder) if what in ("rendered", "adopted", "placed"))
    return set(settled.values()) == {1} and len([1 for key in settled if key[1] == "finish"]) == len(jobs)


def test_all_jobs_are_done_once_although_a_node_dies_on_the_way(make_clip, tmp_path, cluster):
    from lpd_plugin.batch.engines.ray import RayEngine

    clips = [make_clip(f"{n}.mp4", count=72) for n in range(6)]
    path, jobs, folder = batch_of(clips, tmp_path)
    killed = []

    def watch(state) -> None:
        if not killed and len(events_in(folder)) >= 12:
            killed.append(cluster.nodes[1])
            cluster.remove_node(cluster.nodes[1], allow_graceful=False)

    outcome = run_batch(jobs, folder, RayEngine(cluster.address, 2, "cpu", Patience(5, 0.0)), 8, 1, watch)
    assert killed and (outcome.count("done"), outcome.exit_code) == (6, 0), [job["reason"] for job in outcome.jobs]
    assert done_once(folder, jobs)
    for clip in clips:
        made = open_clip(path.parent / "out" / f"{clip.stem}.mkv")
        assert made.timestamps() == open_clip(clip).timestamps()


def test_what_a_job_says_on_another_machine_is_its_reason_here(make_clip, tmp_path, cluster):
    from lpd_plugin.batch.engines.ray import RayEngine

    path, jobs, folder = batch_of([make_clip("a.mp4", count=9), tmp_path / "missing.mp4"], tmp_path)
    outcome = run_batch(jobs, folder, RayEngine(cluster.address, 1, "cpu", Patience(1, 0.0)), 8, 1)
    assert [job["state"] for job in outcome.jobs] == ["done", "failed"]
    assert "missing.mp4 does not exist" in outcome.jobs[1]["reason"] and outcome.exit_code == 1


def test_a_driver_that_stops_leaves_what_the_next_one_goes_on_with(make_clip, tmp_path, cluster):
    from lpd_plugin.batch.engines.ray import RayEngine

    path, jobs, folder = batch_of([make_clip(f"{n}.mp4", count=72) for n in range(3)], tmp_path)
    first = run_batch(jobs, folder, RayEngine(cluster.address, 1), 8, 1, stopped=lambda: len(events_in(folder)) >= 5)
    assert first.cancelled and first.exit_code == 130 and first.count("done") < 3
    before = time.monotonic()
    second = run_batch(jobs, folder, RayEngine(cluster.address, 1), 8, 1)
    assert second.exit_code == 0 and done_once(folder, jobs) and time.monotonic() > before


def test_without_a_cluster_one_sentence_says_how_to_start_one(make_clip, tmp_path):
    from lpd_plugin.batch.engines.ray import RayEngine

    path, jobs, folder = batch_of([make_clip("a.mp4", count=9)], tmp_path)
    with pytest.raises(BadInput, match="There is no Ray cluster at '127.0.0.1:1'"):
        run_batch(jobs, folder, RayEngine("127.0.0.1:1", 1), 8, 1)
