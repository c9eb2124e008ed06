"""Peak memory of `lpd render reenact` on a clip and on the same clip repeated.

    python benchmarks/memory_against_length.py [--times 10] [--seconds 2] [--footage FILE]

Each render runs in a process of its own (peak memory is a process's). Without --footage: the demo's clip.
Prints a table; the committed one is memory_against_length.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lpd_plugin.rendering.demo import demo_media
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


def peak(footage: Path, driver: Path, folder: Path) -> dict:
    command = [
        sys.executable, "-m", "lpd_plugin.cli.main", "render", "reenact", "--json", "--set", f"footage={footage}",
        "--set", f"driver={driver}", "--set", "adapt_steps=0", "--set", "end=loop", "--set", "reverse_driver=true",
        "-o", str(folder / f"{footage.stem}-out.mp4"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=str, default="2")
    parser.add_argument("--footage", type=Path, default=None)
    options = parser.parse_args()
    clip = open_clip(options.footage or demo_media()[1], None, options.seconds)
    with tempfile.TemporaryDirectory() as temporary:
        folder, results = Path(temporary), {}
        for times in (1, options.times):
            path = folder / f"times{times}.mkv"
            write_clip(Repeated(clip, times), path, "ffv1")
            results[times] = peak(path, folder / "times1.mkv", folder)
    print("| length | frames | peak memory MB | frames a second |\n|---|---|---|---|")
    for times, result in results.items():
        print(f"| {times}x | {result['frames']} | {result['peak_megabytes']:.0f} | {result['frames_per_second']:.1f} |")
    growth = results[options.times]["peak_megabytes"] / results[1]["peak_megabytes"] - 1
    print(f"\nGrowth: {100 * growth:+.1f} %")


if __name__ == "__main__":
    main()
