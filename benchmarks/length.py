"""Time and memory of `lpd render reenact` against the length of the footage.

    python benchmarks/length.py [--times 10] [--seconds 2] [--footage FILE]

A clip and the same clip repeated are rendered, each in a process of its own (peak memory is a process's), by one thread of torch.
Of the long render, every pass over the footage (found, removed, drawn and written) is cut into tenths, which hold the same pictures
if `times` is a multiple of ten. Time is linear if a frame's processor time in the ninth is that in the second: the first also makes
things ready, and in the last nothing is worked on ahead any more. Without --footage: the demo's clip. Prints tables; the committed
ones are length.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lpd_plugin.allocator import keep_freed
from lpd_plugin.progress import Progress, Task
from lpd_plugin.rendering.demo import demo_media
from lpd_plugin.rendering.run import render_preset
from lpd_plugin.video.clip import Clip, Frame
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.writer import write_clip


class Repeated(Clip):
    """A clip several times over."""

    def __init__(self, clip: Clip, times: int):
        self.clip, self.times = clip, times
        stamps = clip.timestamps()
        self.period = stamps[-1] + 1 / Fraction(clip.info.rate)
        self.info = replace(clip.info, frame_count=len(stamps) * times, duration=self.period * times)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        index = 0
        for turn in range(self.times):
            for frame in self.clip.frames():
                if index >= start:
                    yield Frame(index, frame.time + turn * self.period, frame.picture)
                index += 1

    def timestamps(self) -> list[Fraction]:
        return [t + turn * self.period for turn in range(self.times) for t in self.clip.timestamps()]

    def trimmed(self, in_point, out_point):
        raise NotImplementedError("not needed here")

    def fingerprint(self) -> str:
        return f"{self.clip.fingerprint()}x{self.times}"


class Clocked(Progress):
    """Notes processor and wall-clock time whenever a frame of a task is done."""

    def __init__(self):
        self.times: dict[str, list[tuple[float, float]]] = {}

    def started(self, task: Task) -> None:
        self.times[task.label] = [self._now()]

    def advanced(self, task: Task) -> None:
        self.times[task.label].append(self._now())

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.process_time(), time.monotonic()


def render(footage: Path, driver: Path, output: Path) -> None:
    """Render in this process and print as JSON what was found out."""
    clocked = Clocked()
    values = {"footage": str(footage), "driver": str(driver), "adapt_steps": 0, "end": "loop", "reverse_driver": True}
    done = render_preset("reenact", values | {"output": str(output)}, clocked)
    print(json.dumps({"frames": done.frames, "seconds": done.seconds, "peak": done.peak_megabytes, "times": clocked.times}))


def measured(footage: Path, driver: Path, folder: Path) -> dict:
    command = [sys.executable, __file__, "--render", str(footage), str(driver), str(folder / f"{footage.stem}-out.mp4")]
    alone = os.environ | {"LPD_CACHE": str(folder / footage.stem), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=alone)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def tenths(times: list[list[float]]) -> list[list[float]]:
    """Processor and wall-clock milliseconds a frame in every tenth of a task."""
    edges = [times[round(part * (len(times) - 1) / 10)] for part in range(11)]
    count = (len(times) - 1) / 10
    return [[1000 * (b - a) / count for a, b in zip(before, after)] for before, after in zip(edges, edges[1:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=str, default="2")
    parser.add_argument("--footage", type=Path, default=None)
    parser.add_argument("--render", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.render:
        keep_freed()  # as the command line does
        render(*options.render)
        return
    clip = open_clip(options.footage or demo_media()[1], None, options.seconds)
    with tempfile.TemporaryDirectory() as temporary:
        folder, results = Path(temporary), {}
        for times in (1, options.times):
            path = folder / f"times{times}.mkv"
            write_clip(Repeated(clip, times), path, "ffv1")
            results[times] = measured(path, folder / "times1.mkv", folder)
    print("| length | frames | peak memory MB | frames a second |\n|---|---|---|---|")
    for times, result in results.items():
        print(f"| {times}x | {result['frames']} | {result['peak']:.0f} | {result['frames'] / result['seconds']:.1f} |")
    print(f"\nGrowth: {100 * (results[options.times]['peak'] / results[1]['peak'] - 1):+.1f} %\n")
    long = results[options.times]
    print("| processor ms a frame, by tenth | " + " | ".join(map(str, range(1, 11))) + " | ninth against second |")
    print("|---|" + "---|" * 11)
    for label, times in long["times"].items():
        if len(times) > long["frames"] / 2:
            parts = [processor for processor, _ in tenths(times)]
            print(f"| {label} | " + " | ".join(f"{part:.1f}" for part in parts) + f" | {100 * (parts[8] / parts[1] - 1):+.1f} % |")


if __name__ == "__main__":
    main()
