"""The pack in a real host: it loads, its footage goes through the host's own nodes, and its frames are those of `lpd run`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from real_host import ROOT, RealHost

from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.graph.validation import InvalidWorkflow
from lpd_plugin.graph.workflow import parse_workflow
from lpd_plugin.progress import Progress
from lpd_plugin.remote.run import run_on_host


@pytest.fixture(scope="module")
def host(tmp_path_factory, carphone, astronaut):
    os.environ["OMP_NUM_THREADS"] = "1"  # of the host and of `lpd run`: the order of sums, and so the last bit, depends on it
    with RealHost(tmp_path_factory.mktemp("host") / "base") as host:
        shutil.copy(carphone, host.base / "input" / "talking.mp4")
        shutil.copy(astronaut, host.base / "input" / "portrait.png")
        yield host


def driven(carphone, astronaut, **more):
    """A portrait driven for half a second, the composite as node 6."""
    return parse_workflow({
        "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(astronaut)}},
        "2": {"class_type": "LPDLoadClip", "inputs": {"file": str(carphone), "out_point": "0.3"}},
        "3": {"class_type": "LPDSourceIdentity", "inputs": {"source": ["1", 0]}},
        "4": {"class_type": "LPDDrivingPose", "inputs": {"driver": ["2", 0]}},
        "5": {"class_type": "LPDGenerator", "inputs": {"identity": ["3", 0], "pose": ["4", 0]}},
        "6": {"class_type": "LPDMaskComposite", "inputs": {"footage": ["1", 0], "heads": ["5", 0], "seed": 3}},
        **more,
    })  # fmt: skip


SAVE_VIDEO = {"filename_prefix": "video/made", "format": "auto", "codec": "auto"}


def frames_of(path):
    with av.open(str(path)) as container:
        return [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def outputs(host):
    return sorted(str(p.relative_to(host.base / "output")) for p in (host.base / "output").rglob("*") if p.is_file())


def test_it_lists_every_node_and_says_nothing_in_the_log(host):
    assert "IMPORT FAILED" not in host.log
    assert not re.search(r"(?i)(warning|error)[^\n]*(lpd|any name)", host.log)
    for key, node in node_classes().items():
        known = host.known[key]
        assert known["display_name"] == node.name and known["category"] == node.category
        listed = [*known["input"].get("required", {}), *known["input"].get("optional", {})]
        assert sorted(listed) == sorted(one.name for one in node.inputs)
        assert known["output"] == [output.type for output in node.outputs]
    weights = host.known["LPDSourceIdentity"]["input"]["required"]["weights"]
    assert (weights[1]["options"] if weights[0] == "COMBO" else weights[0])[0] == "compact"


def test_the_host_and_a_headless_run_write_the_same_frames(host, carphone, astronaut, tmp_path):
    def graph(name):
        save = {"clip": ["6", 0], "file": str(tmp_path / name), "format": "ffv1"}
        return driven(carphone, astronaut, **{"7": {"class_type": "LPDSaveClip", "inputs": save}})

    done = run_on_host(graph("there.mkv"), host.address, Progress())
    (tmp_path / "graph.json").write_text(json.dumps(graph("here.mkv").as_dict()))
    here = [sys.executable, "-m", "lpd_plugin", "run", str(tmp_path / "graph.json")]
    subprocess.run(here, check=True, capture_output=True, env={**os.environ, "LPD_CACHE": str(tmp_path / "cache")}, cwd=ROOT)
    there, here = frames_of(tmp_path / "there.mkv"), frames_of(tmp_path / "here.mkv")
    assert done.files == [tmp_path / "there.mkv"] and len(here) >= 8
    assert [time for time, _ in there] == [time for time, _ in here]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(there, here, strict=True))


def test_image_sequences_travel_to_a_host_elsewhere_and_back(host, carphone, tmp_path):
    def graph(source, target, format):
        return parse_workflow({
            "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(source), "out_point": "0.3", "rate": 30.0}},
            "2": {"class_type": "LPDSaveClip", "inputs": {"clip": ["1", 0], "file": str(target), "format": format}},
        })  # fmt: skip

    elsewhere = host.address.replace("127.0.0.1", "127.1")  # the same host, under a name that does not say so
    for source, folder in ((carphone, "first"), (tmp_path / "first", "second"), (tmp_path / "second" / "shot_%04d.png", "third")):
        done = run_on_host(graph(source, tmp_path / folder / "shot_####.png", "png"), elsewhere, Progress())
        assert done.files == [tmp_path / folder / "shot_0001.png"]
    made = [[one.to_ndarray() for path in sorted((tmp_path / folder).iterdir()) for one in pictures(path)] for folder in ("first", "third")]
    assert len(made[0]) == 9 and np.array_equal(*made)


def pictures(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_the_hosts_own_nodes_take_our_footage_and_give_it_and_two_of_them_draw_it_once(host, carphone, astronaut, tmp_path):
    graph = driven(
        carphone, astronaut,
        **{
            "1": {"class_type": "LoadImage", "inputs": {"image": "portrait.png"}},
            "2": {"class_type": "LoadVideo", "inputs": {"file": "talking.mp4"}},
            "7": {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], **SAVE_VIDEO}},
            "8": {"class_type": "GetVideoComponents", "inputs": {"video": ["6", 0]}},
            "9": {"class_type": "LPDContactSheet", "inputs": {"source": ["8", 0], "composite": ["6", 0]}},
        },
    )  # fmt: skip
    done = run_on_host(graph, host.address, Progress(), folder=tmp_path)
    (video,) = [path for path in done.files if path.suffix == ".mp4"]
    frames = frames_of(video)
    assert len(frames) == 120 and frames[1][0] == Fraction(1001, 30000) and frames[0][1].shape == (512, 512, 3)
    with av.open(str(video)) as container:
        assert "ynthetic" in container.metadata["comment"] and "LPDMaskComposite" in container.metadata["prompt"]
    assert host.log.count("120 of 120 frames composited") <= 1
    kept = list((host.base / "temp").glob("lpd-kept-*"))
    assert len(kept) == 1  # what two consumers share, until the host forgets the value


def test_a_run_that_is_stopped_leaves_nothing_in_the_output_folder(host, carphone, astronaut):
    before = outputs(host)

    class Impatient(Progress):
        """Presses stop when the third frame is written."""

        def __init__(self):
            self.stopped = threading.Event()

        def advanced(self, task):
            if "SaveVideo" in task.label and task.done >= 3:
                self.stopped.set()

        def check_cancelled(self):
            if self.stopped.is_set():
                raise Cancelled

    graph = driven(carphone, astronaut, **{"7": {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], **SAVE_VIDEO}}})
    graph.nodes["6"].inputs["seed"] = 4
    with pytest.raises(Cancelled):
        run_on_host(graph, host.address, Impatient())
    for _ in range(600):
        if not host.get("/queue")["queue_running"]:
            break
        threading.Event().wait(0.1)
    assert outputs(host) == before


def test_what_is_wrong_is_refused_before_anything_runs_on_the_node_that_is_wrong(host, carphone, astronaut, tmp_path):
    save = {"clip": ["6", 0], "file": str(tmp_path / "x.mp4"), "format": "h264"}
    foreign = {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], "filename_prefix": "x", "format": "tiff", "codec": "auto"}}
    graph = driven(carphone, astronaut, **{"7": {"class_type": "LPDSaveClip", "inputs": save}, "8": foreign})
    graph.nodes["2"].inputs["file"] = "not there.mp4"
    graph.nodes["3"].inputs["weights"] = "absent.safetensors"
    with pytest.raises(InvalidWorkflow) as raised:
        run_on_host(graph, host.address, Progress())
    said = [str(one) for one in raised.value.problems]
    assert any(one.startswith("node 2 (LPDLoadClip)") and "not there.mp4 does not exist; check the name" in one for one in said)
    assert any(one.startswith("node 3 (LPDSourceIdentity)") and "there is no absent.safetensors in" in one for one in said)
    assert len(said) == len(set(said))


def test_an_error_while_working_is_told_in_our_own_words(host, carphone, tmp_path):
    (host.base / "input" / "grey.png").unlink(missing_ok=True)
    black = tmp_path / "black.mp4"
    with av.open(str(black), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    graph = parse_workflow({
        "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(black)}},
        "2": {"class_type": "LPDSourceIdentity", "inputs": {"source": ["1", 0]}},
        "3": {"class_type": "LPDSaveIdentity", "inputs": {"identity": ["2", 0], "file": str(tmp_path / "a.lpd.safetensors")}},
    })  # fmt: skip
    with pytest.raises(BadInput, match=r"^node 2 \(LPDSourceIdentity\): No head was found in black.mp4; give a box by hand"):
        run_on_host(graph, host.address, Progress())
    assert not (tmp_path / "a.lpd.safetensors").exists()


def test_an_identity_goes_to_a_file_and_comes_back(host, astronaut, tmp_path):
    graph = parse_workflow({
        "1": {"class_type": "LPDLoadClip", "inputs": {"file": str(astronaut)}},
        "2": {"class_type": "LPDSourceIdentity", "inputs": {"source": ["1", 0]}},
        "3": {"class_type": "LPDSaveIdentity", "inputs": {"identity": ["2", 0], "file": str(tmp_path / "her.lpd.safetensors")}},
    })  # fmt: skip
    done = run_on_host(graph, host.address, Progress())
    from lpd_plugin.reenactment.identity import Identity

    assert len(Identity.load(done.files[0]).pictures) == 1


def test_its_pages_and_translations_are_served(host):
    texts = host.get("/i18n")
    assert {"ko", "zh"} <= set(texts)
    assert json.dumps(texts["ko"]).count("LPD") >= len(node_classes())
