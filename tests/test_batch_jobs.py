"""From lists and globs to jobs: names, ids, and mistakes that are found before any work."""

from __future__ import annotations

import json
import shutil

import pytest
from batch_media import Bench, jobs_in, write_jobs

from lpd_plugin.batch.expansion import expanded
from lpd_plugin.batch.job import Job
from lpd_plugin.batch.jobs_file import home_of, jobs_of, read_jobs
from lpd_plugin.batch.patterns import filled
from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput


@pytest.fixture
def clips(make_clip, tmp_path):
    """Three clips, one with a space and letters of another alphabet."""
    return [make_clip(name, count=4) for name in ("a.mp4", "b.mp4", "Größe 中.mp4")]


def test_a_glob_becomes_a_job_for_each_file_with_its_own_name(clips, tmp_path):
    path = write_jobs(tmp_path / "w", [{"each": {"clip": "../*.mp4"}, "output": "{number:3} {clip.stem}.mkv"}])
    jobs = jobs_in(path)
    assert [job.name for job in jobs] == ["001 Größe 中.mkv", "002 a.mkv", "003 b.mkv"]
    assert all(job.outputs == (str(tmp_path / "w" / "out" / job.name),) and not job.problem for job in jobs)


def test_parameters_that_run_through_values_are_combined(clips, tmp_path):
    each = {"clip": [str(clips[0]), str(clips[1])], "format": ["h265", "h264"]}
    jobs = jobs_in(write_jobs(tmp_path / "w", [{"each": each, "output": "{clip.stem}.{format}.mp4"}]))
    assert [job.name for job in jobs] == ["a.h265.mp4", "a.h264.mp4", "b.h265.mp4", "b.h264.mp4"]


def test_a_jobs_id_is_of_its_content_and_outlasts_the_order_and_the_file_of_the_list(clips, tmp_path):
    one = jobs_in(write_jobs(tmp_path / "w", [{"set": {"clip": str(c)}} for c in clips]))
    other = jobs_in(write_jobs(tmp_path / "w", [{"set": {"clip": str(c)}, "priority": 3} for c in clips[::-1]], name="again.yaml"))
    assert {job.name: job.id for job in one} == {job.name: job.id for job in other} and len({job.id for job in one}) == 3
    assert {job.id for job in one} == {job.id for job in jobs_in(tmp_path / "w" / "jobs.yaml", overwrite=True)}
    shutil.copy(clips[1], clips[0])
    changed = jobs_in(tmp_path / "w" / "jobs.yaml")
    assert [a.id == b.id for a, b in zip(one, changed)] == [False, True, True]
    assert Job.of_text(one[0].text()) == one[0]


def test_a_csv_has_a_job_a_line_and_a_parameter_a_column(clips, tmp_path):
    write_jobs(tmp_path / "w", [])
    table = tmp_path / "w" / "jobs.csv"
    table.write_text("\ufeffpreset,clip,output,priority,stop\ncopy.yaml,../a.mp4,x.mkv,5,\ncopy.yaml,../b.mp4,y.mkv,,0.1\n", encoding="utf-8")
    jobs = expanded(read_jobs(table), ())
    assert [j.problem for j in jobs] and [e.priority for e in read_jobs(table)] == [5, 0]
    table.write_text(table.read_text(encoding="utf-8").replace("copy.yaml", str(tmp_path / "w" / "copy.yaml")), encoding="utf-8")
    jobs = jobs_in(table)
    assert [(j.name, j.priority, j.graph["load"]["inputs"]["out_point"], j.problem) for j in jobs] == [("x.mkv", 5, "", ""), ("y.mkv", 0, "0.1", "")]
    assert jobs[0].graph["load"]["inputs"]["file"] == str(clips[0])


def test_a_preset_with_globs_on_the_command_line_is_a_batch_too(clips, tmp_path, monkeypatch):
    write_jobs(tmp_path / "w", [])
    monkeypatch.chdir(tmp_path)
    entries = jobs_of("w/copy.yaml", {"format": "ffv1"}, {"clip": ["?.mp4"]}, "renders/{clip.stem}_{seed}.mkv", 7, False)
    jobs = expanded(entries)
    assert [(job.name, job.seed) for job in jobs] == [("a_7.mkv", 7), ("b_7.mkv", 7)]
    assert home_of(entries) == tmp_path / "renders"


def test_a_workflow_file_takes_values_by_node_and_input(clips, tmp_path):
    graph = jobs_in(write_jobs(tmp_path / "w", [{"set": {"clip": str(clips[0])}}]))[0].graph
    (tmp_path / "w" / "graph.json").write_text(json.dumps(graph))
    one = {"workflow": "graph.json", "set": {"load.file": str(clips[1])}, "output": "{load_file.stem}.mkv"}
    (job,) = jobs_in(write_jobs(tmp_path / "w", [one]))
    assert (job.problem, job.name, job.graph["load"]["inputs"]["file"]) == ("", "b.mkv", str(clips[1]))


def test_of_jobs_that_would_write_one_file_only_the_first_runs(clips, tmp_path):
    jobs = [{"set": {"clip": str(clip)}, "output": name} for clip, name in zip(clips, ("same.mkv", "SAME.mkv", "x/../same.mkv"))]
    listed = jobs_in(write_jobs(tmp_path / "w", jobs))
    assert [bool(job.problem) for job in listed] == [False, True, True]
    assert "is written by the job same.mkv already" in listed[1].problem


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"set": {"clip": "a.mp4", "grain": 1}}, "has no parameter 'grain'"),
        ({"set": {}}, "needs 'clip'"),
        ({"set": {"clip": "a.mp4", "format": "vhs"}}, 'expected one of'),
        ({"preset": "reenakt"}, "There is no preset 'reenakt'; did you mean 'reenact'?"),
        ({"set": {"clip": "a.mp4"}, "output": "{footage}.mkv"}, "the field {footage}; there are:"),
        ({"set": {"clip": "a.mp4"}, "output": "a_%count%.mkv"}, "in a batch a name has to be known before"),
        ({"workflow": "missing.json"}, "missing.json does not exist"),
    ],
)
def test_a_mistake_in_one_job_is_that_jobs_problem_and_names_its_place(tmp_path, clips, job, words):
    broken, whole = jobs_in(write_jobs(tmp_path / "w", [job, {"set": {"clip": str(clips[0])}}]))
    assert words in broken.problem and broken.problem.startswith("jobs.yaml, job 1") and not whole.problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("jobs: 3", "expected 'jobs' with a list"),
        ("jobs: []", "lists no jobs"),
        ("jbos: []\njobs: []", "unknown key 'jbos'"),
        ("jobs: [{presett: x}]", "job 1: unknown key 'presett'"),
        ("jobs: [{each: {clip: 'no/*.mp4'}}]", "nothing matches no/*.mp4"),
        ("jobs: [{priority: soon}]", "'priority' is 'soon'"),
        ("jobs: [", "not valid YAML"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_as_a_whole(tmp_path, content, words):
    path = tmp_path / "jobs.yaml"
    path.write_text(content)
    with pytest.raises(BadInput) as told:
        read_jobs(path)
    assert words in str(told.value) and "jobs.yaml" in str(told.value)


def test_patterns_never_lead_out_of_their_folder():
    assert filled("{a}/{b.stem}.mp4", {"a": "../../etc", "b": "/x/y.z.mov"}) == ".._.._etc/y.z.mp4"
    assert filled("{n:4}-{b.folder}", {"n": 7, "b": "/x/y.mov"}) == "0007-x"
    with pytest.raises(BadInput, match="belongs to no field"):
        filled("{a.mp4", {"a": 1})


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(clips, tmp_path, capsys):
    jobs = [{"set": {"clip": str(clips[0])}}, {"set": {"clip": "gone.mp4"}}, {"set": {"clip": str(clips[1])}, "output": "a.png"}]
    path = write_jobs(tmp_path / "w", jobs)
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(path), "--dry-run", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1 and not (tmp_path / "w" / "out").exists()
    problems = [one["problem"] for one in said]
    assert problems[:2] == ["", f"{tmp_path / 'w' / 'gone.mp4'} does not exist; check the path."]
    assert "a.png does not end in" in problems[2]


def test_jobs_of_higher_priority_are_rendered_first(clips, tmp_path):
    jobs = [{"set": {"clip": str(clip)}, "priority": rank} for clip, rank in zip(clips, (0, 2, 1))]
    bench = Bench(write_jobs(tmp_path / "w", jobs))
    bench.run()
    names = {job.id: job.name for job in bench.jobs}
    placed = [names[event["job"]] for event in bench.state.events() if event["what"] == "placed"]
    assert placed == ["b.mkv", "Größe 中.mkv", "a.mkv"]
