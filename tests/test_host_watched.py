"""Computed footage and heads are seen on the node that draws them, and are drawn once however many take them."""

from __future__ import annotations

import gc
import hashlib
import importlib
from fractions import Fraction
from types import SimpleNamespace

import av
import fake_comfyui
import numpy as np
import pytest

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Input, Node, Output
from lpd_plugin.reenactment.heads import Head, Heads
from lpd_plugin.video.clip import Clip, Frame
from lpd_plugin.video.colour import converted
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.planes import plane_views


@pytest.fixture
def host(monkeypatch, tmp_path):
    yield from fake_comfyui.hosted(monkeypatch, tmp_path)


@pytest.fixture
def watched(host):
    module = importlib.import_module("lpd_plugin.nodes.host.watched")
    module.PREVIEW_SECONDS = 0.0  # every frame is shown
    return module


class Rendered(Clip):
    """Stands for a composite: frames are computed, and counted."""

    def __init__(self, source, pixel_format=None):
        self.source, self.audio, self.computed = source, None, 0
        self.pixel_format, self.info, self.report = pixel_format, source.info, "of the composite"
        if pixel_format:
            self.info = importlib.import_module("dataclasses").replace(self.info, pixel_format=pixel_format)

    def frames(self, start=0):
        for frame in self.source.frames(start):
            self.computed += 1
            picture = frame.picture
            if self.pixel_format:
                picture = converted(picture, self.pixel_format, self.info.colour)
            yield Frame(frame.index, frame.time, picture)

    def timestamps(self):
        return self.source.timestamps()

    def trimmed(self, in_point, out_point):
        return Rendered(self.source.trimmed(in_point, out_point), self.pixel_format)

    def fingerprint(self):
        return hashlib.sha256(self.source.fingerprint().encode()).hexdigest()


@pytest.fixture
def rendered(carphone):
    return Rendered(FileClip(carphone, None, Fraction(1, 2)))


def samples(clip, start=0):
    return [(f.index, f.time, *(plane.tobytes() for plane in plane_views(f.picture))) for f in clip.frames(start)]


def left(host):
    return [one.name for one in host.folders["temp"].iterdir()] if host.folders["temp"].exists() else []


@pytest.mark.parametrize("pixel_format", [None, "yuv422p10le", "yuva444p10le", "gbrp", "gbrap", "gbrp16le", "gray"])
def test_with_two_consumers_frames_are_computed_once_and_are_the_same_to_the_last_bit(watched, host, carphone, pixel_format):
    clip = Rendered(FileClip(carphone, None, Fraction(1, 4)), pixel_format)
    expected = samples(clip)
    clip.computed = 0
    value = watched.watched(clip, "7", consumers=2)
    assert samples(value) == expected == samples(value) and samples(value, 3) == expected[3:]
    assert clip.computed == len(expected)
    assert value.report == "of the composite" and value.fingerprint() == clip.fingerprint()
    assert len(left(host)) == 1
    del value
    gc.collect()
    assert left(host) == []  # what was kept goes with the value


def test_with_one_consumer_nothing_is_put_aside(watched, host, rendered):
    samples(watched.watched(rendered, "7", consumers=1))
    assert left(host) == []


def test_a_consumer_that_stops_halfway_leaves_nothing_and_the_next_one_has_everything(watched, host, rendered):
    value = watched.watched(rendered, "7", consumers=2)
    frames = value.frames()
    next(frames)
    frames.close()
    assert left(host) == []
    assert len(samples(value)) == 15 and len(left(host)) == 1


def test_a_disk_that_is_full_costs_time_and_no_frames(watched, host, rendered, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watched.Encoding, "add", full)
    value = watched.watched(rendered, "7", consumers=2)
    assert len(samples(value)) == len(samples(value)) == 15 and rendered.computed == 30 and left(host) == []


def test_the_current_frame_is_shown_on_the_node_that_draws_it(watched, host, rendered):
    samples(watched.watched(rendered, "7", consumers=1))
    (steps,) = host.previews["7"]
    assert [step[:2] for step in steps] == [(n, 15) for n in range(1, 16)]
    kind, picture, side = steps[3][2]
    expected = [frame.rgb() for frame in rendered.frames()][3]
    assert (kind, side) == ("JPEG", 512) and np.array_equal(np.asarray(picture), expected)


def test_heads_are_shown_on_their_own_node_wherever_they_are_pulled(watched, host):
    class Two(Heads):
        size, times = 4, np.array([0.0, 0.1])

        def __iter__(self):
            yield None
            yield Head(np.ones((4, 4, 3), np.float32), np.full((4, 4), 0.5, np.float32))

        def retimed(self, times, end_policy):
            return self

        def fingerprint(self):
            return "f"

    heads = watched.watched(Two(), "5", consumers=1)
    assert [head is None for head in heads.retimed(heads.times, "trim")] == [True, False]
    (((done, total, (_, picture, _)),),) = host.previews["5"]
    assert (done, total) == (2, 2) and np.asarray(picture).tolist() == [[[128] * 3] * 4] * 4


def test_footage_from_a_file_passes_as_it_is(watched, carphone):
    clip = FileClip(carphone)
    assert watched.watched(clip, "1", consumers=3) is clip


def test_a_node_shows_its_pictures_and_what_it_noted(host):
    class Look(Node):
        id = "LPDTestLook"
        name = "Look"
        inputs = (Input("heads", types.HEADS, optional=True),)
        outputs = (Output("clip", types.VIDEO, tooltip="x"),)

        def run(self, context, heads):
            context.note("two of nine frames have no head")
            context.note("two of nine frames have no head")
            context.show(lambda: np.full((8, 4000, 3), 7, np.uint8))
            return (None,)

    made = importlib.import_module("lpd_plugin.nodes.host.comfyui").host_class(Look)
    made.hidden = SimpleNamespace(prompt={}, unique_id="3:1")
    ui = made.execute().ui
    (image,) = ui["images"]
    assert ui["text"] == ["two of nine frames have no head"] and image["type"] == "temp"
    with av.open(str(host.folders["temp"] / image["filename"])) as container:
        assert container.streams.video[0].width == 1600


def test_links_are_counted_in_the_running_graph(host):
    count = importlib.import_module("lpd_plugin.nodes.host.comfyui")._links_from
    prompt = {
        "6": {"inputs": {"footage": ["1", 0]}},
        "7": {"inputs": {"clip": ["6", 0], "file": "x"}},
        "8": {"inputs": {"video": ["6", 0], "matte": ["6", 1]}},
    }
    assert [count("6", 0, prompt), count("6", 1, prompt), count("6", 2, prompt), count("6", 0, None)] == [2, 1, 0, 0]
