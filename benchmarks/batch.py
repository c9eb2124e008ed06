"""What a batch costs beside rendering, and what a second process gains.

    python benchmarks/batch.py CLIP [--jobs 4] [--frames 48] [--kind reenact|encode]

Renders the same jobs (a) one by one as graphs in one process, (b) as a batch of one worker, (c) of two; one thread of torch
each. Wall-clock and processor time (of the processes and their children) are measured: on a machine that does other work, only
the latter compares (a) with (b), and only an idle machine says how (c) scales. Both keep tracks, identities and performances.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

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


def measured(command: list[str], cache: Path) -> tuple[float, float]:
    """Wall-clock and processor seconds of a command and all its children; what graphs keep lies in `cache`."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1", "LPD_CACHE": str(cache)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return time.monotonic() - begun, used


def jobs_of(clip: Path, count: int, frames: int, rate: float, kind: str) -> list[dict]:
    """The same work a few times over, with a seed's worth of difference, so that nothing is shared."""
    jobs = []
    for number in range(count):
        values = {"footage": str(clip), "footage_out": f"{(frames + 0.5) / rate + number * 1e-4:.5f}"}
        if kind == "reenact":
            values |= {"driver": str(clip), "reverse_driver": True, "adapt_steps": 0, "pictures": 4 + number, "grain": 1 - number / 100}
        jobs.append(values | {"output": f"{number}.mp4"})
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--kind", choices=("reenact", "encode"), default="reenact")
    parser.add_argument("--segment", type=int, default=120)
    options = parser.parse_args()
    from lpd_plugin.video.open import open_clip

    rate = float(open_clip(options.clip).info.rate)
    jobs = jobs_of(options.clip.absolute(), options.jobs, options.frames, rate, options.kind)
    rows = []
    with tempfile.TemporaryDirectory(prefix="lpd-benchmark-") as name:
        folder = Path(name)
        preset = "reenact"
        if options.kind == "encode":
            preset = str(folder / "encode.yaml")
            Path(preset).write_text(yaml.safe_dump(ENCODE))
        for label, workers in (("one by one", 0), ("batch, 1 worker", 1), ("batch, 2 workers", 2)):
            home = folder / str(workers)
            (home / "out").mkdir(parents=True)
            if workers:
                listed = [{"preset": preset, "set": {k: v for k, v in j.items() if k != "output"}, "output": j["output"]} for j in jobs]
                (home / "jobs.yaml").write_text(yaml.safe_dump({"folder": "out", "jobs": listed}))
                command = [sys.executable, "-m", "lpd_plugin", "batch", str(home / "jobs.yaml"), "--jobs", str(workers), "--threads", "1"]
                command += ["--segment-frames", str(options.segment)]
            else:
                (home / "jobs.yaml").write_text(yaml.safe_dump({"jobs": [j | {"output": str(home / "out" / j["output"])} for j in jobs]}))
                command = [sys.executable, "-c", ONE_BY_ONE, str(home / "jobs.yaml"), preset]
            wall, used = measured(command, home / "cache")
            rows.append((label, wall, used))
            print(f"{label}: {wall:.1f} s, {used:.1f} s of processor time", file=sys.stderr, flush=True)
    print(f"| {options.jobs} jobs of {options.frames} frames, {options.kind} | wall clock | processor | against one by one |")
    print("|---|---|---|---|")
    for label, wall, used in rows:
        print(f"| {label} | {wall:.1f} s | {used:.1f} s | {used / rows[0][2] - 1:+.1%} processor, {rows[0][1] / wall:.2f} times as fast |")


if __name__ == "__main__":
    main()
