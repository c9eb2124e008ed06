"""Sound beside written pictures: copied packet by packet, cut to the sample, in step."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from clip_makers import PictureClip

from lpd_plugin.video.open import open_clip
from lpd_plugin.video.writer import write_clip


def audio_packets(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def sound(path) -> tuple[np.ndarray, int]:
    """All samples from time 0 on, shape (channels, samples), and their rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].pts * frames[0].time_base == 0
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].sample_rate


def test_sound_is_copied_packet_by_packet(footage, tmp_path):
    source = footage / "foot_01_static_1080p.mp4"
    small = PictureClip([av.VideoFrame(64, 36, "yuv420p")] * 300, Fraction(2997, 100))
    small.audio = open_clip(source).audio
    result = write_clip(small, tmp_path / "out.mp4")
    assert audio_packets(tmp_path / "out.mp4") == audio_packets(source)
    before, rate = sound(source)
    after, same_rate = sound(tmp_path / "out.mp4")
    assert rate == same_rate and before.shape == after.shape
    assert np.abs(before - after).max() < 0.01
    assert result.notes == ()


def test_a_cut_takes_its_own_sound_to_the_sample(footage, tmp_path):
    source = footage / "foot_02_static_hands.mp4"
    clip = open_clip(source).trimmed(Fraction("1.52"), Fraction("2.52"))
    small = PictureClip([av.VideoFrame(64, 36, "yuv420p")] * 25)
    small.audio = clip.audio
    write_clip(small, tmp_path / "cut.mp4")
    before, rate = sound(source)
    after, _ = sound(tmp_path / "cut.mp4")
    start = round(1.52 * rate)
    assert rate <= after.shape[1] <= rate + 2048
    same = np.abs(after[:, :rate] - before[:, start : start + rate])
    shifted = np.abs(after[:, :rate] - before[:, start + 1 : start + 1 + rate])
    assert same.max() < 0.01 < shifted.max()
    copied = audio_packets(tmp_path / "cut.mp4")
    whole = audio_packets(source)
    first = whole.index(copied[0])
    assert copied == whole[first : first + len(copied)]


def test_a_cut_in_matroska_stays_in_step(footage, tmp_path):
    source = footage / "foot_02_static_hands.mp4"
    small = PictureClip([av.VideoFrame(64, 36, "yuv420p")] * 25)
    small.audio = open_clip(source, Fraction("1.52"), Fraction("2.52")).audio
    write_clip(small, tmp_path / "cut.mkv", "ffv1")
    with av.open(str(source)) as container:
        times = {bytes(packet): packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.size}
    with av.open(str(tmp_path / "cut.mkv")) as container:
        kinds = [(packet.stream.type, packet) for packet in container.demux() if packet.size]
    pictures = [packet for kind, packet in kinds if kind == "video"]
    packets = [packet for kind, packet in kinds if kind == "audio"]
    assert pictures[0].pts == 0 and len(packets) > 20
    for packet in packets:
        time = times[bytes(packet)] - Fraction("1.52")
        assert abs(packet.pts * packet.time_base - time) <= Fraction(1, 1000)


def tone(path: Path, codec: str, seconds: int = 1) -> Path:
    """A 440 Hz tone from 0.5 s on, beside black pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 32
        audio = container.add_stream(codec, rate=48000, layout="mono")
        for index in range(25 * seconds):
            container.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(video.encode(None))
        moments = np.arange(48000 * seconds) / 48000
        wave = np.where(moments < 0.5, 0, np.sin(2 * np.pi * 440 * moments) * 0.5)
        frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def test_sound_a_container_cannot_carry_is_reencoded_in_step_and_said(tmp_path):
    source = tone(tmp_path / "in.avi", "pcm_s16le")
    clip = open_clip(source)
    result = write_clip(clip, tmp_path / "out.mp4")
    assert result.notes == ("the audio is pcm_s16le, which mp4 cannot hold, and is re-encoded as aac.",)
    samples, rate = sound(tmp_path / "out.mp4")
    loud = np.flatnonzero(np.abs(samples[0]) > 0.1)
    assert abs(loud[0] / rate - 0.5) < 0.005
    assert abs(len(samples[0]) / rate - 1) < 0.05
    write_clip(clip.trimmed(Fraction(2, 5), None), tmp_path / "cut.mp4")
    samples, rate = sound(tmp_path / "cut.mp4")
    assert abs(np.flatnonzero(np.abs(samples[0]) > 0.1)[0] / rate - 0.1) < 0.03
    assert write_clip(clip, tmp_path / "out.mkv", "ffv1").notes == ()
    assert b"".join(audio_packets(tmp_path / "out.mkv")) == b"".join(audio_packets(source))


def test_sound_is_left_out_and_said_where_a_format_has_no_codec_for_it(tmp_path):
    custom = tmp_path / "mute.yaml"
    custom.write_text(
        "container: mp4\nsuffixes: [.mp4]\nvideo: {codec: libx264, pixel_format: yuv420p}\naudio: {copy: [aac]}\n"
    )
    result = write_clip(open_clip(tone(tmp_path / "in.avi", "pcm_s16le")), tmp_path / "out.mp4", custom)
    assert result.format == "mute" and "is left out" in result.notes[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
