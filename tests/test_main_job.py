"""The main job, end to end, on real footage: presets in, files out."""

from __future__ import annotations

import json
import resource
import socket
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lpd_plugin.compositing.plate.reach import reach_box
from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.progress import Progress
from lpd_plugin.rendering.run import render_preset, run_workflow
from lpd_plugin.graph.workflow import parse_workflow_text
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.video.writer import write_clip


@pytest.fixture(autouse=True)
def without_a_network(monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("something wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("LPD_CACHE", str(tmp_path / "cache"))


def reenact(tmp_path: Path, footage: Path, driver: Path, progress=None, **values):
    output = tmp_path / "out.mkv"
    settings = {"footage": footage, "driver": driver, "output": output, "format": "ffv1", "adapt_steps": 0, "pictures": 2}
    return output, render_preset("reenact", {**settings, **values}, progress or Progress(), cache=False)


@pytest.fixture
def short(make_clip) -> Path:
    """The talking man's first 12 frames."""
    return make_clip("short.mp4", options={"crf": "5"})


def test_footage_re_enacted_keeps_its_frames_times_and_every_sample_out_of_the_composites_reach(short, tmp_path):
    output, rendered = reenact(tmp_path, short, short, end="hold")
    before, after = open_clip(short), open_clip(output)
    assert after.timestamps() == before.timestamps() and rendered.frames == 12
    track, changed = track_head(before), 0
    for one, two in zip(before.frames(), after.frames()):
        box = reach_box(track.box(one.index))  # hair that goes on beyond the crop is removed there
        for plane, (a, b) in enumerate(zip(plane_views(one.picture), plane_views(two.picture))):
            scale = 1 if plane == 0 else 2
            outside = np.ones(a.shape, bool)
            top, bottom = int(box.top / scale) - 2, int((box.top + box.side) / scale) + 3
            left, right = int(box.left / scale) - 2, int((box.left + box.side) / scale) + 3
            outside[max(top, 0) : bottom, max(left, 0) : right] = False
            assert outside.any() and np.array_equal(a[outside], b[outside])
            changed += int((a != b).sum())
    assert changed > 1000  # and inside, somebody else's head was drawn


def test_the_file_says_that_it_is_synthetic_and_holds_a_graph_that_runs_again(short, tmp_path):
    output, _ = reenact(tmp_path, short, short, end="hold")
    with av.open(str(output)) as container:
        tags = {k.lower(): v for k, v in container.metadata.items()}
    assert "ynthetic" in tags["comment"]
    graph = json.loads(tags["lpd_graph"])
    again = tmp_path / "again.mkv"
    graph["save"]["inputs"]["file"] = str(again)
    run_workflow(parse_workflow_text(json.dumps(graph)), Progress(), cache=False)
    first, second = (list(open_clip(p).frames()) for p in (output, again))
    assert len(first) == len(second) == 12
    for a, b in zip(first, second):  # and gives the same frames
        assert all(np.array_equal(x, y) for x, y in zip(plane_views(a.picture), plane_views(b.picture)))


def test_a_portrait_lasts_as_long_as_the_performance(astronaut, short, tmp_path):
    output = tmp_path / "out.mp4"
    rendered = render_preset(
        "puppeteer",
        {"portrait": astronaut, "driver": short, "output": output, "adapt_steps": 2, "sheet": tmp_path / "sheet.png"},
        Progress(), cache=False,
    )  # fmt: skip
    clip = open_clip(output)
    assert rendered.files == [output, tmp_path / "sheet.png"] and clip.info.frame_count == 12
    assert (clip.info.width, clip.info.height) == (512, 512)
    still = cv2.imread(str(astronaut))[..., ::-1].astype(float)
    last = list(clip.frames())[-1].rgb().astype(float)
    assert np.abs(last - still)[300:].mean() < 4  # the suit, as the portrait has it
    assert np.abs(last - still)[60:150, 180:270].mean() > 4  # the face, drawn anew


def test_the_contact_sheet_has_a_row_for_everything_and_a_column_a_moment(astronaut, short, tmp_path):
    sheet = tmp_path / "sheet.png"
    render_preset("preview", {"footage": astronaut, "driver": short, "output": sheet, "moments": 3}, Progress(), cache=False)
    picture = cv2.imread(str(sheet))
    height, width = picture.shape[:2]
    assert height == 6 * 222 and width % 3 == 0
    source = picture[22:222]
    assert source.std() > 20 and np.array_equal(source[:, : width // 3], source[:, width // 3 : 2 * (width // 3)])


def test_footage_that_loses_its_head_passes_those_frames_through_and_says_which(footage, short, tmp_path):
    path = footage / "foot_05_face_lost.mp4"
    output, rendered = reenact(tmp_path, path, short, footage_in="2.1", footage_out="3.1", end="loop")
    assert any("passed through untouched because the footage shows no head" in note for note in rendered.notes)
    before, after = (list(open_clip(*a).frames()) for a in ((path, "2.1", "3.1"), (output,)))
    assert len(before) == len(after)
    assert all(np.array_equal(a, b) for a, b in zip(plane_views(before[-1].picture), plane_views(after[-1].picture)))
    assert not np.array_equal(plane_views(before[0].picture)[0], plane_views(after[0].picture)[0])


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [("foot_03_moving_camera", "1", "1.3"), ("foot_04_two_people", "1", "1.3"), ("foot_07_occlusion_second_person", "0", "1.6")],
)
def test_difficult_footage_is_rendered_without_a_crash(footage, short, tmp_path, name, start, end):
    output, rendered = reenact(tmp_path, footage / f"{name}.mp4", short, footage_in=start, footage_out=end, end="loop")
    assert rendered.frames == len(open_clip(output).timestamps()) >= 7


def test_a_cancelled_render_leaves_nothing_behind(short, tmp_path):
    class Impatient(Progress):
        writing = False

        def started(self, task):
            self.writing = "writing" in task.label

        def check_cancelled(self):
            if self.writing:
                raise Cancelled()

    with pytest.raises(Cancelled):
        reenact(tmp_path, short, short, Impatient(), end="hold")
    assert not list(tmp_path.glob("*.mkv")) and not list(tmp_path.glob(".*part*"))


def test_what_could_not_be_written_is_refused_before_any_work(short, tmp_path):
    class Working(Progress):
        def started(self, task):
            raise AssertionError(f"it began with {task.label}")

    with pytest.raises(BadInput, match="folder .* does not exist"):
        reenact(tmp_path, short, short, Working(), output=tmp_path / "nowhere" / "out.mkv")
    with pytest.raises(BadInput, match="does not end in .*rename it or choose another format"):
        reenact(tmp_path, short, short, Working(), output=tmp_path / "out.png")
    (tmp_path / "out.mkv").write_text("precious")
    with pytest.raises(BadInput, match="exists already"):
        reenact(tmp_path, short, short, Working())
    assert (tmp_path / "out.mkv").read_text() == "precious"


def test_of_footage_cut_short_what_is_left_is_rendered_and_that_is_said(short, tmp_path):
    whole = tmp_path / "whole.mkv"
    write_clip(open_clip(short), whole, "ffv1")
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
    output, rendered = reenact(tmp_path, torn, short, end="hold")
    assert 5 <= rendered.frames < 12 and open_clip(output).timestamps() == open_clip(torn).timestamps()
    assert any("torn.mkv is damaged or cut short" in note for note in rendered.notes)


def test_a_disk_that_fills_up_during_a_render_is_named_and_nothing_is_left(short, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))  # the kernel refuses to write on
    try:
        with pytest.raises(BadInput, match="the disk of .* is full, so out.mkv was not written"):
            reenact(tmp_path, short, short, end="hold")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("*.mkv")) and not list(tmp_path.glob(".*part*"))
