"""Batches run to their end: what is written, what is left alone, and what is said of what could not be done."""

from __future__ import annotations

import io
import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import av
import cv2
import numpy as np
import pytest
from batch_media import Bench, bury_everyone, one_job, write_jobs
from clip_makers import same_picture
from rich.console import Console

from lpd_plugin.batch import targets
from lpd_plugin.batch.parts import parsed_part, render_part
from lpd_plugin.batch.report.write import write_report
from lpd_plugin.batch.run import prepare
from lpd_plugin.cli.batch_table import LiveTable
from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.video.open import open_clip


@pytest.fixture
def clip(make_clip) -> Path:
    return make_clip("talk.mp4", count=40)


def test_a_job_gives_the_frames_times_and_metadata_of_a_render_without_a_batch(clip, tmp_path):
    bench = Bench(one_job(tmp_path, clip))
    (outcome,) = bench.run().values()
    assert (outcome["state"], outcome["frames"], outcome["segments"]) == ("done", 40, 5)
    main(["render", str(tmp_path / "w" / "copy.yaml"), "--set", f"clip={clip}", "-o", str(tmp_path / "alone.mkv")])
    made, alone = open_clip(tmp_path / "w" / "out" / "talk.mkv"), open_clip(tmp_path / "alone.mkv")
    assert made.timestamps() == alone.timestamps()
    assert all(same_picture(a.picture, b.picture) for a, b in zip(made.frames(), alone.frames(), strict=True))
    with av.open(str(tmp_path / "w" / "out" / "talk.mkv")) as container:
        graph = json.loads(container.metadata.get("lpd_graph") or container.metadata["LPD_GRAPH"])
        assert "Synthetic media" in (container.metadata.get("comment") or container.metadata["COMMENT"])
    assert graph["save"]["inputs"]["file"] == str(tmp_path / "w" / "out" / "talk.mkv")


def test_segments_that_are_on_the_disk_are_taken_over_although_nobody_noted_them(clip, tmp_path):
    path = one_job(tmp_path, clip)
    first = Bench(path)
    worker = first.worker()
    for _ in range(3):  # open, two segments
        worker.step()
    worker.performer.close()
    first.state.close()
    for file in first.folder.glob("state.sqlite*"):
        file.unlink()
    second = Bench(path)
    second.run()
    whats = [event["what"] for event in second.state.events() if event["kind"] == "segment"]
    assert whats == ["adopted", "adopted", "rendered", "rendered", "rendered"]


@pytest.mark.parametrize("harm", ["cut short", "gone"])
def test_a_segment_that_is_not_what_it_was_is_rendered_again(clip, tmp_path, harm):
    bench = Bench(one_job(tmp_path, clip))
    worker = bench.worker()
    for _ in range(6):
        worker.step()
    segment = sorted(bench.folder.glob("jobs/*/segments-8/*.nut"))[2]
    if harm == "gone":
        segment.unlink()
    else:
        os.truncate(segment, segment.stat().st_size // 2)
    worker.run()
    (outcome,) = bench.outcome().values()
    assert outcome["state"] == "done" and len(open_clip(tmp_path / "w" / "out" / "talk.mkv").timestamps()) == 40


def test_an_end_between_a_name_and_the_note_of_it_costs_no_second_render(clip, tmp_path, monkeypatch):
    bench = Bench(one_job(tmp_path, clip))
    worker = bench.worker()

    class PowerLost(BaseException):
        pass

    def placed_then_lost(*arguments):
        targets.place(*arguments)
        raise PowerLost

    monkeypatch.setattr("lpd_plugin.batch.worker.place", placed_then_lost)
    with pytest.raises(PowerLost):
        worker.run()
    made = tmp_path / "w" / "out" / "talk.mkv"
    before = made.stat().st_mtime_ns
    monkeypatch.undo()
    bury_everyone(bench.folder)
    again = Bench(tmp_path / "w" / "jobs.yaml")
    (outcome,) = again.run().values()
    assert outcome["state"] == "done" and made.stat().st_mtime_ns == before and outcome["thumbnails"]
    assert [e["what"] for e in again.state.events() if e["kind"] == "segment"] == ["rendered"] * 5


def test_done_jobs_stay_done_and_one_whose_file_was_deleted_is_rendered_again(make_clip, tmp_path):
    clips = [str(make_clip(f"{n}.mp4", count=9)) for n in range(2)]
    path = write_jobs(tmp_path / "w", [{"each": {"clip": clips}}])
    Bench(path).run()
    kept, gone = tmp_path / "w" / "out" / "0.mkv", tmp_path / "w" / "out" / "1.mkv"
    before = kept.stat().st_mtime_ns
    gone.unlink()
    bench = Bench(path)
    bench.run()
    assert kept.stat().st_mtime_ns == before and gone.exists()
    assert sum(event["what"] == "placed" for event in bench.state.events()) == 3


def test_a_file_of_somebody_elses_is_kept_unless_overwriting_is_asked_for(clip, tmp_path):
    path = one_job(tmp_path, clip)
    target = tmp_path / "w" / "out" / "talk.mkv"
    target.parent.mkdir()
    target.write_text("precious")
    (outcome,) = Bench(path).run().values()
    assert outcome["state"] == "failed" and "talk.mkv exists already" in outcome["reason"] and target.read_text() == "precious"
    (outcome,) = Bench(path, overwrite=True).run().values()
    assert outcome["state"] == "done" and len(open_clip(target).timestamps()) == 40


def test_a_file_that_appears_during_the_work_is_kept_too(clip, tmp_path):
    bench = Bench(one_job(tmp_path, clip))
    worker, target = bench.worker(), tmp_path / "w" / "out" / "talk.mkv"
    for _ in range(6):
        worker.step()
    target.write_text("precious")
    worker.run()
    (outcome,) = bench.outcome().values()
    assert outcome["state"] == "failed" and "exists already" in outcome["reason"] and target.read_text() == "precious"


def test_a_done_file_that_was_changed_since_is_not_replaced_silently(clip, tmp_path):
    path, target = one_job(tmp_path, clip), tmp_path / "w" / "out" / "talk.mkv"
    Bench(path).run()
    target.write_text("edited")
    (outcome,) = Bench(path).run().values()
    assert outcome["state"] == "failed" and "exists already" in outcome["reason"] and target.read_text() == "edited"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("x" * 300 + ".mkv", "File name too long"),
        ("/".join(["deep" * 60] * 20) + "/a.mkv", "File name too long"),
        ("talk.avi", "does not end in .mkv"),
        ("/proc/nowhere/a.mkv", "cannot be written"),
    ],
)
def test_a_name_that_cannot_be_written_is_named_before_any_frame_is_rendered(clip, tmp_path, output, words):
    bench = Bench(one_job(tmp_path, clip, output=output))
    (outcome,) = bench.run().values()
    assert outcome["state"] == "failed" and words in outcome["reason"], outcome["reason"]
    assert not [event for event in bench.state.events() if event["kind"] == "segment"] and len(outcome["reason"]) < 600


def test_the_live_table_shows_what_is_at_work_and_what_failed(make_clip, tmp_path):
    clips = [str(make_clip(f"{n}.mp4", count=40)) for n in range(2)]
    bench = Bench(write_jobs(tmp_path / "w", [{"set": {"clip": "missing.mp4"}}, {"each": {"clip": clips}}]))
    worker = bench.worker()
    for _ in range(4):  # the missing one, then a job's opening and two segments
        worker.step()
    table = LiveTable()
    table.console = Console(width=400, height=30, record=True, file=io.StringIO())
    table.console.print(table._table(bench.state.jobs(), bench.state.sharing()))
    shown = table.console.export_text()
    assert all(f"1 {word}" in shown for word in ("failed", "running", "waiting"))
    assert "16/40" in shown and "missing.mp4 does not exist" in shown


def test_half_written_files_of_the_dead_are_cleared_away_and_those_of_the_living_are_not(clip, tmp_path):
    path = one_job(tmp_path, clip)
    bench = Bench(path)
    alive = bench.worker("alive")
    alive.step()
    folder = bench.folder / "jobs" / bench.jobs[0].id / "segments-8"
    folder.mkdir()
    for name in ("000000-0.nut.dead.part", "000001-0.nut.alive.part"):
        (folder / name).write_bytes(b"half")
    prepare(bench.state, bench.jobs, bench.folder)
    assert [file.name for file in folder.iterdir()] == ["000001-0.nut.alive.part"]


def test_image_sequences_are_rendered_in_segments_and_their_folder_appears_whole(clip, tmp_path):
    bench = Bench(one_job(tmp_path, clip, set={"format": "png"}, output="images/{clip.stem}.####.png"))
    (outcome,) = bench.run().values()
    folder = tmp_path / "w" / "out" / "images"
    assert outcome["state"] == "done", outcome["reason"]
    assert sorted(file.name for file in folder.iterdir()) == [f"talk.{n:04}.png" for n in range(1, 41)]
    prepare(bench.state, bench.jobs, bench.folder)
    assert bench.outcome()["talk.####.png"]["state"] == "done"


def test_parts_of_a_job_rendered_elsewhere_are_only_joined(clip, tmp_path):
    path = one_job(tmp_path, clip)
    bench = Bench(path)
    rendered = [render_part(bench.jobs[0], parsed_part(f"{k}/3"), bench.settings) for k in (3, 1, 2)]
    assert sorted(n for numbers, total in rendered for n in numbers) == list(range(5))
    bench.run()
    assert {event["what"] for event in bench.state.events() if event["kind"] == "segment"} == {"adopted"}
    for wrong in ("0/3", "4/3", "1", "a/b"):
        with pytest.raises(BadInput, match="write it as K/N"):
            parsed_part(wrong)


def test_two_hundred_jobs_with_twenty_bad_ones_give_a_hundred_and_eighty_files_and_twenty_reasons(make_clip, tmp_path):
    source = make_clip("a.mp4", count=2)
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(184):
        os.link(source, clips / f"{number:03}.mp4")
    whole = source.read_bytes()
    for number in range(180, 184):
        (clips / f"{number:03}.mp4").unlink()
        (clips / f"{number:03}.mp4").write_bytes(whole[: 400 + number])
    plain = clips / "wall.png"
    cv2.imwrite(str(plain), np.full((120, 160, 3), 90, np.uint8))
    nobody = {"preset": "adapt", "set": {"footage": str(plain), "adapt_steps": 0}}
    jobs = [{"each": {"clip": str(clips / "*.mp4")}}]
    jobs += [{"set": {"clip": f"missing {n}.mp4"}} for n in range(4)]
    jobs += [nobody | {"output": f"nobody {n}.lpd.safetensors"} for n in range(4)]
    jobs += [{"set": {"clip": str(clips / "000.mp4"), "loudness": n}, "output": f"wrong {n}.mkv"} for n in range(4)]
    jobs += [{"set": {"clip": str(clips / "000.mp4")}, "output": f"/proc/nowhere/{n}.mkv"} for n in range(4)]
    bench = Bench(write_jobs(tmp_path / "w", jobs))
    assert len(bench.jobs) == 200
    bench.run()
    outcome = bench.summed_up()
    assert (outcome.count("done"), outcome.count("failed"), outcome.exit_code) == (180, 20, 1)
    reasons = [job["reason"] for job in outcome.jobs if job["state"] == "failed"]
    for words in (".mp4 does not exist", "No head was found in wall.png", "has no parameter 'loudness'", "/proc/nowhere/"):
        assert sum(words in reason for reason in reasons) == 4, words
    truncated = [job["reason"] for job in outcome.jobs if job["job"].name in {f"{n}.mkv" for n in range(180, 184)}]
    assert len(truncated) == 4 and all(f"{n}.mp4" in reason for n, reason in zip(range(180, 184), truncated))
    page, content = write_report(outcome, tmp_path / "w" / "out")
    assert content["counts"] == {"done": 180, "failed": 20, "running": 0, "waiting": 0}
    text = page.read_text(encoding="utf-8")
    assert text.count('<tr class="failed"') == 20 and "No head was found in wall.png" in text


class Page(HTMLParser):
    """Collects what a page refers to, and that its tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.references, self.images = [], [], 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.references += [values[key] for key in ("src", "href") if key in values]
        self.images += tag == "img"
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_needs_no_other_file_and_links_to_what_was_made(make_clip, tmp_path):
    clips = [str(make_clip(name, count=9)) for name in ("one & <two>.mp4", "Größe.mp4")]
    bench = Bench(write_jobs(tmp_path / "w", [{"each": {"clip": clips}}, {"set": {"clip": "<b>missing</b>.mp4"}}]))
    bench.run()
    out = tmp_path / "w" / "out"
    path, _ = write_report(bench.summed_up(), out)
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == [] and page.images == 2 and "<b>" not in path.read_text(encoding="utf-8")
    links = {unquote(one) for one in page.references if not one.startswith("data:")}
    assert links == {"Größe.mkv", "one & _two_.mkv"}
    assert all((out / one).exists() for one in links)
    write_report(bench.summed_up(), out)  # ours is replaced
    path.write_text("<html>somebody else's</html>")
    with pytest.raises(BadInput, match="is no report of a batch"):
        write_report(bench.summed_up(), out)


def test_files_of_other_places_are_fetched_and_sent(clip, tmp_path):
    pytest.importorskip("fsspec")
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(clip, away / "talk.mp4")
    job = {"set": {"clip": f"file://{away}/talk.mp4"}, "output": f"file://{away}/made/{{clip.stem}}.mkv"}
    bench = Bench(write_jobs(tmp_path / "w", [job, job | {"set": {"clip": f"file://{away}/none.mp4"}}]))
    outcome = bench.run()
    assert outcome["talk.mkv"]["state"] == "done", outcome["talk.mkv"]["reason"]
    assert len(open_clip(away / "made" / "talk.mkv").timestamps()) == 40 and [f.name for f in (away / "made").iterdir()] == ["talk.mkv"]
    assert outcome["none.mkv"]["state"] == "failed" and "there is no file file://" in outcome["none.mkv"]["reason"]
