"""Memory that a real ComfyUI needs beside itself for a long 1080p clip: through our nodes, and through its own for comparison.

    LPD_COMFYUI=/path/to/ComfyUI LPD_COMFYUI_PYTHON=its/python python benchmarks/comfyui_host.py [FRAMES ...]

Writes a row for each length to standard output, as benchmarks/comfyui_host.md holds them. The clip is the demo's talking man,
repeated, in the middle of 1920x1080; Linux only, since the peak is read from /proc.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from real_host import RealHost  # noqa: E402

from lpd_plugin.graph.workflow import Workflow, parse_workflow  # noqa: E402
from lpd_plugin.progress import Progress  # noqa: E402
from lpd_plugin.remote.run import run_on_host  # noqa: E402
from lpd_plugin.rendering.demo import demo_media  # noqa: E402

SIZE = 1920, 1080
OWN_NODES_AT_MOST = 300  # frames: the host's own nodes hold 24 MB a frame, several times over


def long_clip(source: Path, target: Path, frames: int) -> None:
    """The source's pictures, forwards and backwards again and again, four times as large, in the middle of a 1080p frame."""
    pictures, around = [], None  # around: the first frame, dark and large
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            if around is None:
                around = frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1]) // 3
            inner = frame.to_ndarray(format="rgb24", width=4 * frame.width, height=4 * frame.height, interpolation="BICUBIC")
            picture, left, top = around.copy(), (SIZE[0] - inner.shape[1]) // 2, (SIZE[1] - inner.shape[0]) // 2
            picture[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
            pictures.append(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p"))
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(frames):
            picture = pictures[order[index % len(order)]]
            picture.pict_type, picture.pts, picture.time_base = 0, index, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def ours(name: str) -> Workflow:
    """LoadVideo, the whole re-enactment, SaveVideo."""
    load = {"class_type": "LoadVideo", "inputs": {"file": name}}
    return parse_workflow({
        "1": load,
        "2": {"class_type": "LPDTrackHead", "inputs": {"clip": ["1", 0]}},
        "3": {"class_type": "LPDSourceIdentity", "inputs": {"source": ["1", 0], "track": ["2", 0]}},
        "4": {"class_type": "LPDDrivingPose", "inputs": {"driver": ["1", 0], "track": ["2", 0]}},
        "5": {"class_type": "LPDGenerator", "inputs": {"identity": ["3", 0], "pose": ["4", 0]}},
        "6": {"class_type": "LPDMaskComposite", "inputs": {"footage": ["1", 0], "heads": ["5", 0], "track": ["2", 0]}},
        "7": {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], "filename_prefix": "a", "format": "auto", "codec": "auto"}},
    })  # fmt: skip


def host_s_own(name: str) -> Workflow:
    """The same way through the host's own nodes, which change nothing."""
    return parse_workflow({
        "1": {"class_type": "LoadVideo", "inputs": {"file": name}},
        "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
        "3": {"class_type": "CreateVideo", "inputs": {"images": ["2", 0], "fps": 30.0}},
        "4": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "b", "format": "auto", "codec": "auto"}},
    })  # fmt: skip


def memory(process: int, entry: str) -> float:
    """VmRSS or VmHWM of a process in GB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(entry)).split()[1]) * 1024 / 1e9


def measured(host: RealHost, graph: Workflow, folder: Path) -> tuple[float, float]:
    """Added peak in GB, and seconds."""
    Path(f"/proc/{host.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    before, started = memory(host.process.pid, "VmRSS"), time.monotonic()
    run_on_host(graph, host.address, Progress(), folder=folder)
    return memory(host.process.pid, "VmHWM") - before, time.monotonic() - started


def main(lengths: list[int]) -> None:
    """A fresh host for every row, so that none profits from what another left."""
    _, talking = demo_media()
    print("| graph | frames | added memory, GB | seconds |\n| --- | --- | --- | --- |", flush=True)
    for frames in lengths:
        for label, graph in (("LPD between LoadVideo and SaveVideo", ours), ("the host's own nodes", host_s_own)):
            if graph is host_s_own and frames > OWN_NODES_AT_MOST:
                continue
            with tempfile.TemporaryDirectory(prefix="lpd-host-") as temporary, RealHost(Path(temporary) / "base") as host:
                long_clip(talking, host.base / "input" / "long.mp4", frames)
                added, seconds = measured(host, graph("long.mp4"), Path(temporary))
            print(f"| {label} | {frames} | {added:.2f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    if not os.environ.get("LPD_COMFYUI"):
        sys.exit("LPD_COMFYUI names no ComfyUI folder")
    main([int(one) for one in sys.argv[1:]] or [100, 2000])
