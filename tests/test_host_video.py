"""Footage passes through a host as a handle: streamed out, trimmed, stopped, and taken in from the host's own videos."""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import weakref
from fractions import Fraction

import av
import fake_comfyui
import numpy as np
import pytest
import torch

from lpd_plugin.errors import BadInput
from lpd_plugin.graph import types
from lpd_plugin.graph.node import Input, Node, Output
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.clip import Clip, Frame
from lpd_plugin.video.file_clip import FileClip


@pytest.fixture
def host(monkeypatch, tmp_path):
    yield from fake_comfyui.hosted(monkeypatch, tmp_path / "host")


@pytest.fixture
def video(host):
    return importlib.import_module("lpd_plugin.nodes.host.video")


class Lazy(Clip):
    """Stands for a rendered clip: pictures are made when pulled, and counted."""

    def __init__(self, clip):
        self.source, self.info, self.audio, self.pulled = clip, clip.info, clip.audio, 0
        self.given, self.most_alive = [], 0

    def frames(self, start=0):
        for frame in self.source.frames(start):
            self.pulled += 1
            made = Frame(frame.index, frame.time, frame.picture)
            self.given.append(weakref.ref(made))
            self.most_alive = max(self.most_alive, sum(one() is not None for one in self.given))
            yield made

    def timestamps(self):
        return self.source.timestamps()

    def trimmed(self, in_point, out_point):
        return Lazy(self.source.trimmed(in_point, out_point))

    def fingerprint(self):
        return hashlib.sha256(self.source.fingerprint().encode()).hexdigest()


@pytest.fixture
def lazy(carphone):
    return Lazy(FileClip(carphone, None, Fraction(1)))


def test_a_clip_answers_for_itself_without_decoding(video, lazy):
    value = video.ClipVideo(lazy)
    assert value.get_dimensions() == (176, 144) and value.get_frame_count() == 30
    assert value.get_duration() == pytest.approx(1.0, abs=0.04) and value.get_bit_depth() == 8
    assert value.get_frame_rate() == lazy.info.rate and value.get_color_space() == "sRGB"
    assert len(repr(value)) < 100 and "176x144" in repr(value)
    assert weakref.ref(value)() is value and len({value, value}) == 1
    assert lazy.pulled == 0


def test_saving_streams_the_frames_and_keeps_times_and_metadata(video, host, lazy):
    path = host.folders["output"] / "a_00001_.mp4"
    video.ClipVideo(lazy).save_to(str(path), format="auto", codec="auto", metadata={"prompt": {"1": {}}}, crf=20)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert [frame.pts * frame.time_base for frame in frames] == lazy.timestamps()
        assert container.metadata["prompt"] == '{"1": {}}' and "ynthetic" in container.metadata["comment"]
    assert lazy.most_alive <= 4 and lazy.pulled == 30
    assert host.bars[-1][-1][0] == 30  # the host's bar saw every frame
    assert [one.name for one in path.parent.iterdir()] == ["a_00001_.mp4"]


def test_a_host_can_have_the_file_in_memory(video, lazy, host):
    buffer = io.BytesIO()
    video.ClipVideo(lazy).save_to(buffer)
    buffer.seek(0)
    with av.open(buffer) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30
    assert list(host.folders["temp"].iterdir()) == []


def test_containers_that_cannot_be_written_are_refused_in_words(video, lazy, host):
    path = host.folders["output"] / "a.webm"
    with pytest.raises(BadInput, match="^av1 in webm cannot be written from here; choose mp4 with h264 or av1"):
        video.ClipVideo(lazy).save_to(str(path), format="webm", codec="av1")
    assert not list(path.parent.iterdir()) and lazy.pulled == 0


def test_a_stopped_save_leaves_nothing_and_raises_the_hosts_exception(video, lazy, host):
    host.stop_after = 5
    with pytest.raises(fake_comfyui.InterruptProcessingException):
        video.ClipVideo(lazy).save_to(str(host.folders["output"] / "a.mp4"))
    assert list(host.folders["output"].iterdir()) == [] and 5 <= lazy.pulled < 10


def test_components_are_the_whole_clip_as_pictures(video, lazy, carphone):
    components = video.ClipVideo(lazy).get_components()
    assert components.images.shape == (30, 144, 176, 3) and components.images.dtype == torch.float32
    expected = next(FileClip(carphone).frames(7)).rgb() / 255
    assert np.abs(components.images[7].numpy() - expected).max() < 1e-6
    assert components.frame_rate == lazy.info.rate and components.audio is None


@pytest.mark.parametrize("newer", [False, True])
def test_alpha_goes_along_where_the_host_knows_of_it_and_ten_bits_stay_ten(video, carphone, monkeypatch, newer):
    import dataclasses

    pictures = torch.linspace(0, 1, 2 * 8 * 8 * 4).reshape(2, 8, 8, 4)
    if newer:
        known = dataclasses.make_dataclass("VideoComponents", ["images", "frame_rate", ("audio", object, None), ("alpha", object, None)])
        monkeypatch.setattr(sys.modules["comfy_api.util"], "VideoComponents", known)
    components = video.ClipVideo(BatchClip(pictures, 25, depth=16)).get_components()
    assert (components.images - pictures[..., :3]).abs().max() < 2e-5  # eight bits would be off by 2e-3
    assert not newer or (components.alpha - pictures[..., 3]).abs().max() < 2e-5


def test_sound_arrives_as_samples_between_minus_one_and_one_from_the_in_point_on(video, tmp_path):
    path = tmp_path / "tone.mkv"
    rate, seconds = 48000, 2
    samples = np.zeros((1, rate * seconds), np.float32)
    samples[0, rate:] = 0.5  # silence, then a step at 1 s
    with av.open(str(path), "w") as container:
        picture = container.add_stream("ffv1", rate=25)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for index in range(25 * seconds):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts = index
            container.mux(picture.encode(frame))
        block = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16), format="s16", layout="mono")
        block.sample_rate, block.pts = rate, 0
        container.mux(sound.encode(block))
        container.mux(picture.encode())
        container.mux(sound.encode())
    audio = video.ClipVideo(FileClip(path, Fraction(1, 2), Fraction(3, 2))).get_components().audio
    wave = audio["waveform"]
    assert audio["sample_rate"] == rate and wave.shape == (1, 1, rate)
    assert wave[0, 0, : rate // 2].abs().max() == 0 and torch.allclose(wave[0, 0, rate // 2 :], torch.tensor(0.5), atol=1e-4)


def test_the_stream_source_is_the_file_itself_or_is_rendered_once(video, lazy, carphone, host):
    assert video.ClipVideo(FileClip(carphone)).get_stream_source() == str(carphone)
    value = video.ClipVideo(lazy)
    first = value.get_stream_source()
    assert value.get_stream_source() == first and video.ClipVideo(lazy).get_stream_source() == first
    assert lazy.pulled == 30 and str(host.folders["temp"]) in first
    trimmed = video.ClipVideo(FileClip(carphone, None, Fraction(1)))
    assert trimmed.get_stream_source() != str(carphone)


@pytest.mark.parametrize(
    ("given", "times"),
    [
        ((0.5, 0.25), (15, 8)),
        ((-0.5, None), (15, 15)),
        ((None, 0.5), (0, 15)),
        ((0.5, 0), (15, 15)),
    ],
)
def test_trimming_gives_a_part_that_starts_at_its_own_zero(video, lazy, given, times):
    part = video.ClipVideo(lazy).as_trimmed(*given)
    first, count = times
    whole = lazy.timestamps()
    assert abs(part.get_frame_count() - count) <= 1
    start = next(iter(part.clip.source.frames()))
    reference = next(lazy.source.frames(first))
    assert abs(start.rgb().astype(int) - reference.rgb()).max() == 0
    assert part.clip.timestamps()[0] < whole[1]


def test_trims_that_leave_nothing_give_none_and_no_trim_gives_the_same_value(video, lazy):
    value = video.ClipVideo(lazy)
    assert value.as_trimmed() is value and value.as_trimmed(0, 0) is value
    assert value.as_trimmed(2.0) is None and value.as_trimmed(0, -1) is None
    assert value.as_trimmed(0.9, 0.5, strict_duration=True) is None
    assert value.as_trimmed(0.5, 5.0).get_frame_count() == 15


def test_the_hosts_own_file_is_streamed_with_its_trims(video, carphone):
    whole = video.as_clip(fake_comfyui.VideoFromFile(str(carphone)))
    assert isinstance(whole, FileClip) and whole.info.frame_count == 120
    part = video.as_clip(fake_comfyui.VideoFromFile(str(carphone), 1.0, 0.5))
    assert abs(part.info.frame_count - 15) <= 1
    end = video.as_clip(fake_comfyui.VideoFromFile(str(carphone), -1.0, 0.0))
    assert abs(end.info.frame_count - 30) <= 1
    newer = fake_comfyui.VideoFromFile(str(carphone))
    newer.get_active_trim_window = lambda: (2.0, 0.0)
    assert abs(video.as_clip(newer).info.frame_count - 60) <= 1


def test_a_file_that_the_host_has_in_memory_becomes_one_in_its_temporary_folder(video, carphone, host):
    clip = video.as_clip(fake_comfyui.VideoFromFile(io.BytesIO(carphone.read_bytes())))
    assert clip.info.frame_count == 120 and clip.path.startswith(str(host.folders["temp"]))


def test_any_other_video_is_taken_as_the_pictures_it_gives(video):
    class Made:
        def get_components(self):
            return fake_comfyui.VideoComponents(torch.full((3, 8, 8, 3), 0.5), Fraction(24))

    clip = video.as_clip(Made())
    assert isinstance(clip, BatchClip) and clip.info.frame_count == 3 and clip.info.rate == 24


def test_a_node_gets_clips_and_gives_videos_and_a_clip_comes_back_as_itself(video, carphone):
    seen = []

    class Pass(Node):
        id = "LPDTestPass"
        inputs = (Input("clip", (types.VIDEO, types.IMAGE)), Input("mask", types.MASK, optional=True))
        outputs = (Output("clip", types.VIDEO), Output("image", types.IMAGE))

        def run(self, context, clip, mask):
            seen.append(clip)
            return clip, mask

    made = importlib.import_module("lpd_plugin.nodes.host.comfyui").host_class(Pass)
    value, mask = made.execute(clip=fake_comfyui.VideoFromFile(str(carphone))).args
    again, _ = made.execute(clip=value).args
    assert isinstance(seen[0], FileClip) and seen[1] is seen[0] and again.clip is seen[0] and mask is None
    batch = torch.zeros(1, 4, 4, 3)
    made.execute(clip=batch)
    assert seen[2] is batch  # an IMAGE stays what it is
