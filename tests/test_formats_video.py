"""Every video format: in time with the input, in its colours, with its timecode, its words and its sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from clip_makers import PictureClip, same_picture
from format_media import VIDEO_FORMATS, ffprobe, patch_clip, patch_means, phone_clip, target

from lpd_plugin.errors import BadInput
from lpd_plugin.video import container, threads
from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.colour import sample_range
from lpd_plugin.video.encoding import Encoding, lookahead
from lpd_plugin.video.formats import load_format
from lpd_plugin.video.metadata import MasteringDisplay, Metadata
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import bit_depth, plane_views, tags_of
from lpd_plugin.video.timecode import Timecode
from lpd_plugin.video.writer import SYNTHETIC_NOTE, write_clip

EXACT = [name for name in VIDEO_FORMATS if load_format(name).container in ("mp4", "mov")]
DEEP = ["av1", "dnxhr_hqx", "ffv1", "h265", "prores_422_hq", "prores_4444"]
BT709, BT601, PQ, HLG = ColourTags(1, 1, 1, 1), ColourTags(1, 6, 6, 6), ColourTags(1, 9, 9, 16), ColourTags(1, 9, 9, 18)


@pytest.fixture(scope="module")
def phone(tmp_path_factory, carphone):
    with av.open(str(carphone)) as container:
        pictures = [picture for picture, _ in zip(container.decode(video=0), range(12))]
    return phone_clip(tmp_path_factory.mktemp("phone") / "phone.mp4", pictures)


def audio_packets(path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_a_phones_clip_keeps_its_frames_times_length_and_stands_upright(phone, tmp_path, name):
    clip = open_clip(phone)
    assert clip.info.variable_rate and (clip.info.width, clip.info.height) == (256, 320)
    result = write_clip(clip, target(tmp_path, name), name)
    written = open_clip(result.path)
    assert result.frames == written.info.frame_count == clip.info.frame_count == 12
    tolerance = 0 if name in EXACT else Fraction(1, 1000)  # Matroska counts milliseconds
    pairs = [*zip(clip.timestamps(), written.timestamps()), (clip.info.duration, written.info.duration)]
    assert max(abs(before - after) for before, after in pairs) <= tolerance
    assert (written.info.width, written.info.height) == (256, 320)
    for before, after in zip(clip.frames(), written.frames(), strict=True):
        difference = before.rgb().astype(float) - after.rgb()
        assert np.mean(difference**2) < 255**2 / 10**3, "turned, mirrored or another frame"  # 30 dB
    with av.open(result.path) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize("name", ["h264", "h265", "prores_4444", "av1"])
def test_a_phones_sound_is_copied_packet_by_packet_in_step(phone, tmp_path, name):
    result = write_clip(open_clip(phone), target(tmp_path, name), name)
    assert result.notes == ()
    before, after = audio_packets(phone), audio_packets(result.path)
    assert [data for _, data in before] == [data for _, data in after]
    lead = Fraction(1800, 90000)  # the pictures' own start, which became 0
    assert all(abs(b - lead - a) <= Fraction(1, 48000) for (b, _), (a, _) in zip(before, after))


def test_sound_is_trimmed_to_the_in_and_out_points(phone, tmp_path):
    part = open_clip(phone).trimmed(Fraction(1, 10), Fraction(3, 10))
    result = write_clip(part, tmp_path / "part.mov", "prores_422_hq")
    after = audio_packets(result.path)
    source = {data: time for time, data in audio_packets(phone)}
    zero = Fraction(1800, 90000) + Fraction(1, 10)
    assert all(abs(source[data] - zero - time) <= Fraction(1, 48000) for time, data in after)
    assert after[-1][0] < Fraction(2, 10) and after[0][0] > -Fraction(1, 6)
    assert sum(time >= 0 for time, _ in after) == pytest.approx(0.2 * 48000 / 1024, abs=1)


def test_sound_goes_into_webm_at_a_rate_that_opus_takes(tmp_path):
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        audio = container.add_stream("pcm_s16le", rate=44100, layout="stereo")
        video.width = video.height = 32
        for _ in range(25):
            container.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        wave = (np.sin(np.arange(44100) / 44100 * 2 * np.pi * 440) * 9000).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], "s16", "stereo")
        sound.sample_rate, sound.pts = 44100, 0
        container.mux([*video.encode(None), *audio.encode(sound), *audio.encode(None)])
    result = write_clip(open_clip(tmp_path / "in.mkv"), tmp_path / "out.webm", "vp9_alpha")
    assert "re-encoded as libopus" in result.notes[0]
    with av.open(result.path) as container:
        heard = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert sum(part.shape[1] for part in heard) == pytest.approx(48000, abs=2000)
    assert np.abs(np.concatenate(heard, axis=1)[0, 9600:38400]).mean() == pytest.approx(9000 / 32768 * 2 / np.pi, rel=0.05)


@pytest.mark.parametrize("name", ["h264", "h265", "prores_4444", "av1", "ffv1"])
def test_ffprobe_counts_the_same(phone, tmp_path, name):
    before = ffprobe(phone)
    after = ffprobe(write_clip(open_clip(phone), target(tmp_path, name), name).path)
    video = [next(s for s in said["streams"] if s["codec_type"] == "video") for said in (before, after)]
    assert video[0]["nb_read_packets"] == video[1]["nb_read_packets"] == "12"
    assert (video[1]["width"], video[1]["height"]) == (video[0]["height"], video[0]["width"])
    assert float(before["format"]["duration"]) == pytest.approx(float(after["format"]["duration"]), abs=0.03)


@pytest.mark.parametrize("tags", [BT709, BT601, ColourTags(2, 1, 1, 1), ColourTags(2, 6, 6, 6), PQ, HLG])
@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_colours_come_back_whatever_matrix_and_range_they_came_in(tmp_path, name, tags):
    clip = patch_clip("yuv422p10le", tags)
    written = open_clip(write_clip(clip, target(tmp_path, name), name).path)
    picture = next(written.frames()).picture
    bits = bit_depth(picture.format.name)
    error = np.abs(patch_means(picture)[0] - patch_means(clip.pictures[0])[0]) * 255
    assert error.mean() < (1.1 if bits == 8 else 0.6) and error.max() < (3 if bits == 8 else 2)
    if name == "ffv1":
        assert error.max() == 0
    kept = written.info.colour
    assert (kept.primaries, kept.transfer) == (tags.primaries, tags.transfer)
    fmt = load_format(name)
    assert kept.matrix == (1 if fmt.matrices and tags.matrix == 6 else tags.matrix)
    assert sample_range(kept, picture.format.name) == (1 if fmt.limited_range else tags.range)


@pytest.mark.parametrize("name", DEEP)
def test_ten_bits_come_back_as_ten_bits(tmp_path, name):
    ramp = patch_clip("yuv420p10le", PQ, count=1).pictures[0]
    plane_views(ramp)[0][...] = (np.arange(256)[None] * 3 + 70).astype(np.uint16)  # codes no 8-bit picture has
    written = open_clip(write_clip(PictureClip([ramp] * 2), target(tmp_path, name), name).path)
    assert bit_depth(written.info.pixel_format) >= 10
    luma = plane_views(next(written.frames()).picture)[0].astype(float)
    luma /= 1 << (bit_depth(written.info.pixel_format) - 10)
    wanted = plane_views(ramp)[0].astype(float)
    # Through 8 bits, columns would differ by 0, 4 or 8 codes instead of 3, off by 1 on average.
    assert np.abs(luma.mean(0) - wanted.mean(0)).mean() < 0.6
    assert written.info.colour.transfer == 16


class TimesFromOldMemory:
    """A video stream whose encoder leaves the decoding times of its last packets unset, as x265 does with two frames."""

    def __init__(self, stream: av.VideoStream):
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]:
        packets = self._stream.encode(frame)
        for number, packet in enumerate(packets):
            packet.dts = number - 94_543_239_216_192  # seen of x265, one time in ten on a busy machine
        return packets


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_keep_their_times_although_x265_sets_none(tmp_path, frames):
    clip = patch_clip("yuv420p", BT709, count=frames)
    path = tmp_path / "few.mp4"
    encoding = Encoding(clip, str(path), load_format("h265"), {}, Fraction(1, 12800))
    encoding._stream = TimesFromOldMemory(encoding._stream)
    for frame in clip.frames():
        encoding.add(frame)
    encoding.finish(None)
    written = open_clip(path)
    assert [frame.time * written.info.rate for frame in written.frames()] == list(range(frames))


def test_fewer_bits_than_the_clip_has_are_said(tmp_path):
    notes = write_clip(patch_clip("yuv422p10le", BT709), tmp_path / "out.mp4").notes
    assert notes == ("the pictures have 10 bits, of which the format h264 keeps 8.",)


@pytest.mark.parametrize("name", ["h265", "av1"])
def test_what_an_hdr_master_was_made_on_is_carried(tmp_path, name):
    display = MasteringDisplay(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), (0.3127, 0.329), (0.005, 1000.0))
    clip = patch_clip("yuv420p10le", PQ)
    clip._whole_info = replace(clip._whole_info, metadata=Metadata(mastering=display, light=(993, 362)))
    for step in range(2):  # what is read is written again
        clip = open_clip(write_clip(clip, tmp_path / f"{step}.mp4", name).path)
        found = clip.info.metadata
        assert found.light == (993, 362)
        assert np.allclose(found.mastering.primaries, display.primaries, atol=1e-4)
        assert np.allclose(found.mastering.white, display.white, atol=1e-4)
        assert np.allclose(found.mastering.luminance, display.luminance, rtol=0.02)


def tagged(make_clip, name: str = "in.mov", timecode: str = "01:00:59:20"):
    """30 frames a second, with a timecode and words."""
    plain = make_clip("plain.mp4", count=30)
    source = open_clip(plain)
    tags = {"title": "Take 3", "creation_time": "2024-05-06T07:08:09.000000Z", "comment": "windy", "timecode": timecode}
    with av.open(str(plain)) as given, av.open(str(plain.with_name(name)), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        container.metadata.update(tags)
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    assert source.info.metadata.timecode is None
    return open_clip(plain.with_name(name))


@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_timecode_and_words_are_carried_and_the_in_point_moves_the_timecode(make_clip, tmp_path, name):
    clip = tagged(make_clip)
    assert str(clip.info.metadata.timecode) == "01:00:59:20"
    part = clip.trimmed(Fraction(12, 30), Fraction(24, 30))
    if "dnxhr" in name:
        metadata = part.info.metadata
        part = patch_clip("yuv420p", BT709)
        part._whole_info = replace(part._whole_info, rate=Fraction(30), metadata=metadata)
    result = write_clip(part, target(tmp_path, name), name)
    written = open_clip(result.path).info.metadata
    assert str(written.timecode) == "01:01:00:02"
    tags = dict(written.tags)
    assert tags["title"] == "Take 3" and tags["creation_time"] == "2024-05-06T07:08:09.000000Z"
    assert tags["comment"] == f"{SYNTHETIC_NOTE} windy"
    if load_format(name).container in ("mov", "mp4"):
        with av.open(result.path) as container:
            assert [stream.type for stream in container.streams].count("data") == 1  # the timecode track


def test_the_synthetic_note_is_said_once_however_often_a_clip_is_written(make_clip, tmp_path):
    clip = tagged(make_clip)
    for step in range(3):
        clip = open_clip(write_clip(clip, tmp_path / f"{step}.mkv", "ffv1").path)
    assert dict(clip.info.metadata.tags)["comment"] == f"{SYNTHETIC_NOTE} windy"


def test_drop_frame_labels_skip_two_a_minute_but_not_each_tenth():
    rate = Fraction(30000, 1001)
    assert str(Timecode.parse("00:00:59;29", rate).later(1)) == "00:01:00;02"
    assert str(Timecode.parse("00:09:59;29", rate).later(1)) == "00:10:00;00"
    assert str(Timecode.parse("23:59:59;29", rate).later(1)) == "00:00:00;00"
    assert Timecode.parse("01:00:00;00", rate).frame == 107892  # frames in an hour at 29.97
    assert str(Timecode.parse("00:00:59;59", Fraction(60000, 1001)).later(1)) == "00:01:00;04"
    assert str(Timecode.parse("00:00:59:24", Fraction(25)).later(1)) == "00:01:00:00"
    for wrong in ("", "1:2:3", "00:61:00:00", "00:00:00:25", "24:00:00:00"):
        assert Timecode.parse(wrong, Fraction(25)) is None


@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_odd_sizes_are_written_or_refused_in_a_sentence(carphone_pictures, tmp_path, name):
    picture = carphone_pictures[0].reformat(257, 145, "yuv420p")
    clip = PictureClip([picture] * 2)
    if name == "av1":
        with pytest.raises(BadInput, match="the format av1 cannot hold 257x145 pictures, only even sizes"):
            write_clip(clip, target(tmp_path, name), name)
        return
    written = open_clip(write_clip(clip, target(tmp_path, name), name).path)
    assert (written.info.width, written.info.height) == (257, 145)
    difference = next(written.frames()).rgb().astype(float) - next(clip.frames()).rgb()
    assert np.abs(difference).mean() < 4


def test_pictures_too_small_for_a_codec_are_refused_in_a_sentence(carphone_pictures, tmp_path):
    with pytest.raises(BadInput, match="dnxhr_hq needs pictures of at least 256x120 pixels, these have 176x144"):
        write_clip(PictureClip(carphone_pictures[:2]), tmp_path / "out.mov", "dnxhr_hq")
    assert not list(tmp_path.iterdir())


def test_ffv1_gives_back_what_it_took(carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:2])
    written = open_clip(write_clip(clip, tmp_path / "out.mkv", "ffv1").path)
    assert all(same_picture(a.picture, b.picture) for a, b in zip(clip.frames(), written.frames(), strict=True))
    assert tags_of(next(written.frames()).picture) == tags_of(carphone_pictures[0])


def test_x264_looks_as_far_ahead_as_ever_up_to_1080p_and_less_far_in_larger_pictures():
    assert lookahead("yuv420p", 1920, 1080) == lookahead("yuv420p", 176, 144) == {}
    four_k, deep, eight_k = (
        int(lookahead(name, *size)["rc-lookahead"])
        for name, size in (("yuv420p", (3840, 2160)), ("yuv420p10le", (3840, 2160)), ("yuv420p", (7680, 4320)))
    )
    assert 5 <= eight_k <= deep < four_k < 30


def test_on_many_cores_large_pictures_are_coded_by_fewer_threads_which_hold_pictures_each(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 32)
    assert threads.encoding_threads("yuv420p", 3840, 2160) * 65 <= 330  # MB: what one more takes of x264 at 4K, measured
    assert threads.decoding_threads("yuv420p", 3840, 2160) * 18 <= 170
    assert threads.encoding_threads("yuv422p10le", 7680, 4320) == threads.FEWEST
    monkeypatch.setattr(threads, "cores", lambda: 8)
    assert threads.encoding_threads("yuv420p", 1920, 1080) == threads.decoding_threads("yuv420p", 1920, 1080) == 0


def test_the_encoder_and_the_decoder_take_no_more_threads_than_memory_allows(carphone, tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 32)
    monkeypatch.setattr(threads, "ENCODING_BYTES", 5.3 * 3.1 * 176 * 144 * 1.5)
    monkeypatch.setattr(threads, "DECODING_BYTES", 1.5 * 4.1 * 176 * 144 * 1.5)
    clip = open_clip(carphone)
    encoding = Encoding(clip, str(tmp_path / "part.mp4"), load_format("h264"), {}, Fraction(1, 25))
    assert encoding._stream.codec_context.thread_count == 3
    encoding.close()
    with container.opened(str(carphone)) as opened:
        assert container.video_stream(opened, str(carphone)).codec_context.thread_count == 4
