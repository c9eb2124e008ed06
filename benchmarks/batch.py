"""What a batch costs beside rendering, and what a second process gains.

    python benchmarks/batch.py CLIP [--jobs 6] [--frames 96] [--segment 120] [--kind reenact|encode]

Renders the same jobs (a) one by one as graphs in one process, (b) as a batch of one worker, (c) of two, and, where processes can be
held to a core (Linux), (d) of one worker on one core; one thread of torch each. No two jobs share a driver, nor anything else that
is kept. Wall-clock and processor time (of the processes and their children) are measured: on a machine that does other work, only
the latter compares (a) with (b), and only an idle machine says how (c) scales. One worker alone already uses more than one core,
since decoding and encoding have threads of their own: (c) against (b) says what a second process gains, (c) against (d) how two
cores do against one. Prints a table; the committed one is batch.md.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from lpd_plugin.video.open import open_clip
from lpd_plugin.video.writer import write_clip

ONE_BY_ONE = """
import sys, yaml
from lpd_plugin.allocator import keep_freed
keep_freed()
from lpd_plugin.progress import Progress
from lpd_plugin.rendering.run import render_preset
import torch
torch.set_num_threads(1)
for values in yaml.safe_load(open(sys.argv[1]))["jobs"]:
    render_preset(sys.argv[2], values, Progress())
"""
ENCODE = {
    "name": "encode", "description": "A clip as H.264",
    "parameters": {"footage": {"type": "file"}, "output": {"type": "file"}, "footage_out": {"type": "text"}},
    "graph": {
        "load": {"class_type": "LPDLoadClip", "inputs": {"file": "$footage", "out_point": "$footage_out"}},
        "save": {"class_type": "LPDSaveClip", "inputs": {"clip": ["load", 0], "file": "$output"}},
    },
}  # fmt: skip


def measured(command: list[str], cache: Path, cores: set[int] | None = None) -> tuple[float, float]:
    """Wall-clock and processor seconds of a command and all its children; what graphs keep lies in `cache`. cores: it may use."""
    hold = functools.partial(os.sched_setaffinity, 0, cores) if cores else None
    own = os.environ | {"OMP_NUM_THREADS": "1", "LPD_CACHE": str(cache)}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=hold)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return time.monotonic() - begun, used


def jobs_of(clip: Path, count: int, frames: int, kind: str, folder: Path) -> list[dict]:
    """The same work a few times over, with a moment's worth of difference, so that nothing is shared."""
    jobs, rate = [], float(open_clip(clip).info.rate)
    for number in range(count):
        values = {"footage": str(clip), "footage_out": f"{(frames + 0.5) / rate + number * 1e-4:.5f}"}
        if kind == "reenact":
            driver = open_clip(clip, f"{(number - 0.5) / rate:.5f}" if number else None, f"{(number + frames - 0.5) / rate:.5f}")
            write_clip(driver, folder / f"driver-{number}.mp4", "h264")
            values |= {"driver": str(folder / f"driver-{number}.mp4"), "adapt_steps": 0, "reverse_driver": True}
        jobs.append(values | {"output": f"{number}.mp4"})
    return jobs


def runs(folder: Path, jobs: list[dict], preset: str, segment: int) -> Iterator[tuple[str, list[str], Path, set[int] | None]]:
    """What is measured: its label, command, kept results' folder and cores."""
    kinds = [("one by one", 0, None), ("batch, 1 worker", 1, None), ("batch, 2 workers", 2, None)]
    if hasattr(os, "sched_setaffinity"):
        kinds.append(("batch, 1 worker, 1 core", 1, {min(os.sched_getaffinity(0))}))
    for label, workers, cores in kinds:
        home = folder / label.replace(" ", "-")
        (home / "out").mkdir(parents=True)
        if workers:
            listed = [{"preset": preset, "set": {k: v for k, v in j.items() if k != "output"}, "output": j["output"]} for j in jobs]
            (home / "jobs.yaml").write_text(yaml.safe_dump({"folder": "out", "jobs": listed}))
            command = [sys.executable, "-m", "lpd_plugin", "batch", str(home / "jobs.yaml")]
            command += ["--jobs", str(workers), "--threads", "1", "--segment-frames", str(segment)]
        else:
            placed = [job | {"output": str(home / "out" / job["output"])} for job in jobs]
            (home / "jobs.yaml").write_text(yaml.safe_dump({"jobs": placed}))
            command = [sys.executable, "-c", ONE_BY_ONE, str(home / "jobs.yaml"), preset]
        yield label, command, home / "cache", cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--kind", choices=("reenact", "encode"), default="reenact")
    parser.add_argument("--segment", type=int, default=120)
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory(prefix="lpd-benchmark-") as name:
        folder, preset = Path(name), "reenact"
        jobs = jobs_of(options.clip.absolute(), options.jobs, options.frames, options.kind, folder)
        if options.kind == "encode":
            preset = str(folder / "encode.yaml")
            Path(preset).write_text(yaml.safe_dump(ENCODE))
        for label, command, cache, cores in runs(folder, jobs, preset, options.segment):
            wall, used = rows[label] = measured(command, cache, cores)
            print(f"{label}: {wall:.1f} s, {used:.1f} s of processor time", file=sys.stderr, flush=True)
    print(f"| {options.jobs} jobs of {options.frames} frames, {options.kind} | wall clock | processor | against one by one |")
    print("|---|---|---|---|")
    plain_wall, plain_used = rows["one by one"]
    for label, (wall, used) in rows.items():
        beside = f"{used / plain_used - 1:+.1%} processor, {plain_wall / wall:.2f} times as fast"
        print(f"| {label} | {wall:.1f} s | {used:.1f} s | {beside} |")


if __name__ == "__main__":
    main()
