"""Damaged files: what can be decoded is used, in time, and said."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from clip_makers import packet_positions, same_picture

from lpd_plugin.video.open import open_clip
from lpd_plugin.video.writer import write_clip


@pytest.mark.parametrize("format, suffix", [("h264", ".mp4"), ("ffv1", ".mkv")])
def test_of_a_file_cut_short_what_can_be_decoded_is_used_and_said(carphone, tmp_path, format, suffix):
    whole = tmp_path / f"whole{suffix}"
    write_clip(open_clip(carphone, 0, 1), whole, format)
    torn = tmp_path / f"torn{suffix}"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
    clip = open_clip(torn)
    times = clip.timestamps()
    assert 10 <= len(times) < 30
    assert [frame.time for frame in clip.frames()] == times
    assert clip.info.frame_count == len(times)
    assert len(clip.notes) == 1 and f"torn{suffix} is damaged or cut short" in clip.notes[0]
    assert f"{len(times)} of 30 frames" in clip.notes[0] or f"only {len(times)} frames" in clip.notes[0]
    assert open_clip(whole).notes == ()


def test_a_file_cut_exactly_between_two_pictures_is_noticed(carphone, tmp_path):
    whole, torn = tmp_path / "whole.mp4", tmp_path / "torn.mp4"
    write_clip(open_clip(carphone, 0, 1), whole)
    end, _ = sorted(packet_positions(whole))[20]
    torn.write_bytes(whole.read_bytes()[:end])
    clip = open_clip(torn)
    assert [frame.time for frame in clip.frames()] == clip.timestamps()
    assert f"{len(clip.timestamps())} of 30 frames" in clip.notes[0]


def test_holes_inside_a_damaged_file_keep_the_rest_in_time(make_clip):
    path = make_clip("hurt.mp4", count=30, options={"g": "1", "bf": "0"})
    sound = [frame.picture for frame in open_clip(path).frames()]
    data = bytearray(path.read_bytes())
    for offset, size in packet_positions(path)[14:17]:
        data[offset : offset + size] = b"\xff" * size
    path.write_bytes(data)
    clip = open_clip(path)
    frames = list(clip.frames())
    assert [frame.time for frame in frames] == clip.timestamps() == [Fraction(n, 30) for n in range(30)]
    for number in (0, 13, 17, 29):
        assert same_picture(frames[number].picture, sound[number])
    assert same_picture(frames[15].picture, sound[13])
    assert clip.notes == ("hurt.mp4 is damaged: 3 frames inside it repeat their neighbour.",)


def test_what_leads_up_to_a_key_frame_that_is_not_there_is_not_announced(make_clip, tmp_path):
    options = {"g": "8", "bf": "2", "sc_threshold": "0", "x264-params": "open-gop=1:keyint=8:min-keyint=8"}
    whole, cut = make_clip("whole.ts", count=40, options=options), tmp_path / "cut.ts"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        keys = 0
        for packet in source.demux(video=0):
            keys += packet.is_keyframe
            if packet.size and keys >= 3:
                packet.stream = stream
                target.mux(packet)
    clip = open_clip(cut)
    times = clip.timestamps()
    assert len(times) < len(packet_positions(cut))  # some pictures before the key frame cannot be decoded
    assert [frame.time for frame in clip.frames()] == times
    assert clip._repeated == 0


def test_a_seek_that_lands_too_late_is_made_good(make_clip):
    clip = open_clip(make_clip("index.mp4", count=40, options={"g": "8", "bf": "0"}))
    whole = [frame.picture for frame in clip.frames()]
    keys = clip._media.timeline.keys
    keys[2] = (keys[2][0], keys[4][1])  # as if the file's index were wrong
    frame = next(clip.frames(18))
    assert frame.index == 18 and same_picture(frame.picture, whole[18])
