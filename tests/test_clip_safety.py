"""Files are complete or not there: cancelling, full disks, wrong places; and memory stays bounded."""

from __future__ import annotations

import gc
import resource

import pytest
from clip_makers import PictureClip, files_in, living_pictures

from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.progress import Progress
from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import picture_from_planes, plane_views
from lpd_plugin.video.writer import write_clip


class Stopper(Progress):
    def __init__(self, at: int):
        self.at = at

    def advanced(self, task):
        if task.done == self.at:
            raise Cancelled()


@pytest.mark.parametrize("name, format", [("out.mp4", "h264"), ("out.mkv", "ffv1")])
def test_a_cancelled_or_failing_run_leaves_nothing(carphone, tmp_path, name, format):
    with pytest.raises(Cancelled):
        write_clip(open_clip(carphone), tmp_path / name, format, progress=Stopper(30))
    assert files_in(tmp_path) == []
    clip = open_clip(carphone)
    clip.frames = lambda start=0: (1 / 0 for _ in range(1))
    with pytest.raises(ZeroDivisionError):
        write_clip(clip, tmp_path / name, format)
    assert files_in(tmp_path) == []


def test_the_file_is_not_there_under_its_name_before_it_is_whole(carphone, tmp_path):
    seen = []

    class Watcher(Progress):
        def advanced(self, task):
            seen.append(files_in(tmp_path))

    write_clip(open_clip(carphone, 0, 1), tmp_path / "out.mp4", progress=Watcher())
    assert len(seen) == 30 and [".out.part.mp4"] in seen
    assert all("out.mp4" not in names for names in seen)


@pytest.mark.parametrize("name, format", [("out.mp4", "h264"), ("out.mkv", "ffv1")])
def test_a_full_disk_is_named_and_nothing_is_left(carphone, tmp_path, name, format):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))  # the kernel refuses to write on
    try:
        with pytest.raises(BadInput, match=f"the disk of .* is full, so {name} was not written") as caught:
            write_clip(open_clip(carphone), tmp_path / name, format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(tmp_path) in str(caught.value) and files_in(tmp_path) == []


def test_where_nothing_can_be_written_is_said_before_any_work(make_clip, tmp_path):
    clip = open_clip(make_clip("in.mp4", count=2))
    clip.frames = None  # any attempt to decode would fail
    for path, words in {
        tmp_path / "in.mp4": "exists already",
        tmp_path / "nowhere" / "out.mp4": "The folder .*nowhere does not exist",
        tmp_path: "is a folder",
        tmp_path / "out.avi": r"does not end in .mp4 or .m4v, which the format h264 needs",
    }.items():
        with pytest.raises(BadInput, match=words):
            write_clip(clip, path)
    assert files_in(tmp_path) == ["in.mp4"]


def test_overwriting_replaces_even_the_file_being_read(make_clip):
    path = make_clip("in.mp4", count=6)
    write_clip(open_clip(path), path, overwrite=True)
    assert open_clip(path).info.frame_count == 6 and files_in(path.parent) == ["in.mp4"]


def test_what_was_damaged_is_said_again_after_writing(carphone, tmp_path):
    write_clip(open_clip(carphone, 0, 1), tmp_path / "whole.mp4")
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(data[: len(data) * 7 // 10])
    heard = []

    class Listener(Progress):
        def note(self, message):
            heard.append(message)

    clip = open_clip(tmp_path / "torn.mp4")
    result = write_clip(clip, tmp_path / "out.mp4", progress=Listener())
    assert heard == list(result.notes) and "torn.mp4 is damaged or cut short" in heard[0]
    assert result.frames == clip.info.frame_count


def test_writing_holds_as_many_frames_for_a_long_clip_as_for_a_short_one(carphone_pictures, tmp_path):
    class Made(PictureClip):
        def _picture(self, position):  # a new picture every time, as a compositor's
            return picture_from_planes(plane_views(carphone_pictures[position % 120]), "yuv420p", ColourTags())

    class Counter(Progress):
        most = 0

        def advanced(self, task):
            self.most = max(self.most, living_pictures() - before)

    gc.collect()
    before = living_pictures()
    held = []
    for count in (20, 120):
        counter = Counter()
        write_clip(Made([carphone_pictures[0]] * count), tmp_path / f"{count}.mkv", "ffv1", progress=counter)
        held.append(counter.most)
    assert held[0] == held[1] <= 5
