"""Video files as clips: when their frames are, in which order they come, and what is said of broken ones."""

from __future__ import annotations

import csv
import gc
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_makers import living_pictures, same_picture

from lpd_plugin.errors import BadInput
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.timing import as_seconds, constant_rate, exact_time_base


def test_the_demo_clip_is_described_before_it_is_decoded(carphone):
    clip = open_clip(carphone)
    info = clip.info
    assert (info.width, info.height, info.frame_count) == (176, 144, 120)
    assert info.rate == Fraction(30000, 1001) and not info.variable_rate
    assert info.duration == 120 * Fraction(1001, 30000)
    assert info.sample_aspect_ratio == Fraction(128, 117)
    assert info.pixel_format == "yuv420p"
    assert clip.audio is None and clip.notes == ()


def test_every_frame_comes_at_the_time_that_was_announced(carphone):
    clip = open_clip(carphone)
    frames = [(frame.index, frame.time) for frame in clip.frames()]
    assert frames == [(index, index * Fraction(1001, 30000)) for index in range(120)]
    assert [time for _, time in frames] == clip.timestamps()


def test_starting_anywhere_gives_the_same_pictures_as_starting_at_the_first(make_clip):
    clip = open_clip(make_clip("key.mp4", count=40, options={"g": "8", "bf": "2"}))
    whole = [frame.picture for frame in clip.frames()]
    assert len(clip._media.timeline.keys) >= 5
    for start in (1, 7, 8, 9, 23, 39):
        frame = next(clip.frames(start))
        assert frame.index == start and frame.time == clip.timestamps()[start]
        assert same_picture(frame.picture, whole[start])
    assert list(clip.frames(40)) == []


def test_reading_from_the_middle_does_not_decode_from_the_start(make_clip, monkeypatch):
    clip = open_clip(make_clip("key.mp4", count=40, options={"g": "8", "bf": "0"}))
    decoded = []
    whole = clip._media.pictures

    def watched(*key):
        for tick, picture in whole(*key):
            decoded.append(tick)
            yield tick, picture

    monkeypatch.setattr(clip._media, "pictures", watched)
    next(clip.frames(35))
    assert len(decoded) <= 8


def test_in_and_out_points_are_exact_and_compose(carphone):
    clip = open_clip(carphone, in_point=1, out_point="0:02")
    times = [index * Fraction(1001, 30000) - 1 for index in range(30, 60)]
    assert clip.timestamps() == times
    assert [frame.time for frame in clip.frames()] == times
    assert clip.info.duration == 1 and clip.info.frame_count == 30
    part = clip.trimmed(Fraction(1, 2), Fraction(3))
    again = open_clip(carphone, Fraction(3, 2), 2)
    assert part.timestamps() == again.timestamps() and part.fingerprint() == again.fingerprint()
    assert same_picture(next(part.frames()).picture, next(open_clip(carphone).frames(45)).picture)


def test_a_variable_rate_is_kept_tick_by_tick(make_clip):
    ticks = [0, 1500, 3001, 9000, 9100, 15000, 30000, 30001, 45000, 90000, 90090, 180000]
    clip = open_clip(make_clip("vfr.mp4", ticks=ticks, time_base=Fraction(1, 90000), options={"bf": "2"}))
    assert clip.info.variable_rate
    assert clip.timestamps() == [Fraction(tick, 90000) for tick in ticks]
    assert [frame.time for frame in clip.frames()] == clip.timestamps()
    assert [frame.time for frame in clip.trimmed(Fraction(1, 2), None).frames()] == [
        Fraction(tick, 90000) - Fraction(1, 2) for tick in ticks if tick >= 45000
    ]


def test_a_clip_whose_first_timestamp_is_not_zero_starts_at_zero(make_clip):
    clip = open_clip(make_clip("late.ts", ticks=[900 + 30 * i for i in range(12)], time_base=Fraction(1, 900)))
    assert clip._media.timeline.ticks[0] > 0
    assert clip.timestamps() == [Fraction(index, 30) for index in range(12)]


@pytest.mark.parametrize(
    "name, codec, pixel_format, options",
    [
        ("b_frames_without_timestamps.avi", "mpeg4", "yuv420p", {"bf": "2"}),
        ("vp8.webm", "libvpx", "yuv420p", {"lag-in-frames": "12"}),
        ("superframes.webm", "libvpx-vp9", "yuv420p", {"lag-in-frames": "12", "cpu-used": "8"}),
        ("open_gops.ts", "libx264", "yuv420p", {"g": "6", "x264-params": "open-gop=1"}),
        ("no_container.h264", "libx264", "yuv420p", {}),
        ("ten_bits.mov", "prores_ks", "yuv422p10le", {}),
    ],
)
def test_announced_times_equal_decoded_ones_in_every_kind_of_file(make_clip, name, codec, pixel_format, options):
    clip = open_clip(make_clip(name, codec, pixel_format, count=30, options=options))
    times = clip.timestamps()
    assert len(times) == 30 and times[0] == 0
    assert [frame.time for frame in clip.frames()] == times
    assert clip.info.pixel_format == pixel_format
    assert same_picture(next(clip.frames(20)).picture, list(clip.frames())[20].picture)


def test_milliseconds_of_matroska_become_the_exact_rate(make_clip):
    ticks = [1001 * index for index in range(12)]
    clip = open_clip(make_clip("ms.mkv", "ffv1", ticks=ticks, time_base=Fraction(1, 24000)))
    assert clip.info.time_base == Fraction(1, 1000)
    assert clip.timestamps() == [Fraction(tick, 24000) for tick in ticks]


def test_rates_are_told_from_jitter():
    assert constant_rate([0, 33, 67, 100, 133], Fraction(1, 1000), []) == 30
    assert constant_rate([0, 3754, 7508, 11261], Fraction(1, 90000), []) == Fraction(24000, 1001)
    assert constant_rate([0, 33, 67, 140], Fraction(1, 1000), [Fraction(30)]) is None
    assert constant_rate([0, 512, 1024], Fraction(1, 12800), [Fraction(24)]) == 25


def test_a_time_base_holds_every_moment():
    times = [Fraction(0), Fraction(1001, 30000), Fraction(1, 3)]
    base = exact_time_base(times, Fraction(30))
    assert all((time / base).denominator == 1 for time in times)
    wild = [Fraction(1, prime) for prime in (99991, 99989, 99971)]
    assert exact_time_base(wild, Fraction(30)) == Fraction(1, 90000)


def test_times_are_read_as_people_write_them():
    assert as_seconds("1:02.5", "in point") == Fraction(125, 2)
    assert as_seconds(0.1, "in point") == Fraction(1, 10)
    with pytest.raises(BadInput, match="in point 'soon' is not a time"):
        as_seconds("soon", "in point")
    with pytest.raises(BadInput, match="out point -1 is negative"):
        as_seconds(-1, "out point")


def test_points_without_a_frame_between_them_are_refused(carphone):
    with pytest.raises(BadInput, match="out point 1 s of carphone_pristine.mp4 is not after its in point 2 s"):
        open_clip(carphone, 2, 1)
    with pytest.raises(BadInput, match="no frame between its in point 9 s .* it is 4.004 s long"):
        open_clip(carphone, 9)


def test_a_fingerprint_follows_the_file_and_the_points(make_clip, tmp_path):
    path = make_clip("one.mp4")
    clip = FileClip(path)
    assert clip.fingerprint() == FileClip(path).fingerprint()
    assert clip.fingerprint() != FileClip(path, 0.1).fingerprint()
    path.write_bytes(path.read_bytes() + b"\0")
    assert clip.fingerprint() != FileClip(path).fingerprint()


def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, make_clip):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    hollow = tmp_path / "hollow.mp4"
    whole = make_clip("whole.mp4").read_bytes()
    start = whole.index(b"mdat") + 4
    hollow.write_bytes(whole[:start] + bytes(whole.index(b"moov") - 4 - start) + whole[whole.index(b"moov") - 4 :])
    for name, words in {
        "missing.mp4": "does not exist",
        "empty.mp4": r"is empty \(0 bytes\)",
        "text.mp4": "is not a video that can be opened",
        "sound.mp4": "has no video in it",
        "hollow.mp4": "no frame of .* can be decoded",
    }.items():
        with pytest.raises(BadInput, match=words) as caught:
            open_clip(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="no images in it"):
        open_clip(tmp_path / "..").describe()


def test_a_cover_picture_is_not_the_video(tmp_path, make_clip, astronaut):
    movie = make_clip("movie.mp4")
    path = tmp_path / "covered.mp4"
    with av.open(str(path), "w") as target, av.open(str(movie)) as source, av.open(str(astronaut)) as cover:
        picture = target.add_stream_from_template(cover.streams.video[0], opaque=True)
        picture.disposition = av.stream.Disposition.attached_pic
        video = target.add_stream_from_template(source.streams.video[0], opaque=True)
        packet = next(cover.demux())
        packet.pts = packet.dts = 0
        packet.stream = picture
        target.mux(packet)
        for packet in source.demux():
            if packet.size:
                packet.stream = video
                target.mux(packet)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    clip = open_clip(path)
    assert (clip.info.width, clip.info.height, clip.info.frame_count) == (176, 144, 12)


def test_only_a_few_frames_exist_at_a_time_however_long_the_clip(carphone):
    gc.collect()
    before = living_pictures()
    most = max(living_pictures() - before for _ in open_clip(carphone).frames())
    assert 1 <= most <= 24  # FFmpeg's decoder holds one a thread, at most 16, and a few to reorder


def open_files() -> set[str]:
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if link.is_symlink()}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to see open files")
def test_an_abandoned_reading_closes_its_file(make_clip):
    clip = open_clip(make_clip("left.mp4"))
    clip.timestamps()
    frames = clip.frames()
    next(frames)
    assert clip.path in open_files()
    frames.close()
    assert clip.path not in open_files()


def test_all_real_footage_opens_with_the_listed_sizes_and_counts(footage):
    rows = [row for row in csv.DictReader((footage / "index.csv").open()) if row["kind"] == "video"]
    assert len(rows) == 8
    for row in rows:
        clip = open_clip(footage / row["file"])
        assert (clip.info.width, clip.info.height) == (int(row["width"]), int(row["height"])), row["file"]
        assert clip.info.frame_count == int(row["frames"]), row["file"]
        assert float(clip.info.rate) == pytest.approx(float(row["fps"]), abs=0.01)
        assert (clip.audio is not None) == (row["audio"] == "yes")
        decoded = [frame.time for frame in clip.frames()]
        assert decoded == clip.timestamps(), row["file"]
