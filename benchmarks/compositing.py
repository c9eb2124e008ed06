"""What compositing costs over decoding and encoding, how much memory it takes, and whether it is exact.

    python benchmarks/compositing.py CLIP [--frames 60] [--long 600] [--rounds 5]

CLIP is scaled to pictures of 1920 and of 3840 pixels on the longer side (8-bit 4:2:0). Its own heads at 256 pixels are kept
in memory, so that no generation is counted, and are laid over it with all defaults of the composite node together (steady
mattes, fit, colour, sharpness, grain, clean plate with grain). Per frame: processor milliseconds added to decoding, by stage,
next to decoding and encoding alone, all held to one core where the system can do that (elsewhere threads that decode meanwhile
share its caches), the least of some rounds. Then the peak memory of 4K renders of both lengths, the clip
repeated, and of decoding and encoding alone, each in a process of its own. Then the null test: native heads cut from the clip and put back, differences in codes
inside the square and whether all outside is the same bit by bit. Prints tables; the committed ones are compositing.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from length import Repeated

from lpd_plugin.allocator import keep_freed
from lpd_plugin.compositing import composite_clip
from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.head.dressing import HeadOptions
from lpd_plugin.compositing.head.footage_heads import FootageHeads
from lpd_plugin.compositing.head.texture import TextureOptions
from lpd_plugin.compositing.layer import Shown
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.matte.stable_heads import StableHeads
from lpd_plugin.compositing.plate import reach
from lpd_plugin.compositing.plate.clean_plate import plate_for
from lpd_plugin.compositing.views.frame_report import FrameTable, change_outside
from lpd_plugin.reenactment.heads import Head, Heads
from lpd_plugin.reenactment.mattes import crop_mattes
from lpd_plugin.video.clip import Clip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import plane_views
from lpd_plugin.video.regions.region import box_rect
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.video.writer import write_clip
from lpd_plugin.weights.files import load_matte

DEFAULTS = CompositeOptions(
    EdgeOptions(feather=3), HeadOptions(steady=1, fit=True, colour=1, texture=TextureOptions()), end_policy="loop"
)
WHOLE_SQUARE = CompositeOptions(EdgeOptions(region="square", border=0, feather=0))


class Kept(Heads):
    """Heads that lie in memory, by number; moments beyond the last begin again."""

    def __init__(self, heads: list[Head], times: np.ndarray, rate: float):
        self.kept, self.times, self.rate, self.size = heads, times, rate, heads[0].rgb.shape[0]

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Head]:
        return (self.kept[round(time * self.rate) % len(self.kept)] for time in self.times)

    def retimed(self, times: np.ndarray, end_policy: str) -> Kept:
        return Kept(self.kept, times, self.rate)

    def fingerprint(self) -> str:
        return "kept heads"


def scaled(path: Path, longest: int, frames: int, pixel_format: str, codec: str, target: Path) -> Path:
    """The first frames of a clip at another size and in another format."""
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = None
        for number, frame in enumerate(source.decode(video=0)):
            if number == frames:
                break
            scale = longest / max(frame.width, frame.height)
            size = tuple(2 * round(length * scale / 2) for length in (frame.width, frame.height))
            if stream is None:
                stream = out.add_stream(codec, rate=source.streams.video[0].average_rate or 25)
                stream.width, stream.height = size
                stream.pix_fmt = pixel_format
                stream.options = {"preset": "veryfast", "crf": "14"} if codec == "libx264" else {}
            rgb = cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_CUBIC)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)))
        out.mux(stream.encode(None))
    return target


def composite(clip: Clip, whole: Clip | None = None) -> CompositeClip:
    """The clip's own heads at 256 pixels over it; whole: the clip, repeated."""
    track, network = track_head(clip), load_matte()
    heads = [head for head in FootageHeads(clip, track, 256) if head is not None]
    mattes = crop_mattes(network, np.stack([np.rint(head.rgb.clip(0, 1) * 255).astype(np.uint8) for head in heads]))
    kept = [Head(head.rgb, matte.astype(np.float32) / 255) for head, matte in zip(heads, mattes)]
    plate = plate_for(clip, track, head_matte=network)
    if whole is not None:
        times = np.array([float(time) for time in whole.timestamps()])
        clip, track = whole, track.at(times % (times[len(track) - 1] + times[1]))
    heads = Kept(kept, np.asarray(track.times), float(clip.info.rate))
    return CompositeClip(clip, track, heads, plate, DEFAULTS, network)


@contextmanager
def clocked(stages: dict[str, list[tuple[object, str]]]) -> Iterator[dict[str, float]]:
    """Processor seconds spent in named functions while they are replaced by ones that measure."""
    spent, kept = dict.fromkeys(stages, 0.0), []

    def measured(work: Callable, name: str) -> Callable:
        def wrapped(*given, **more):
            begun = time.process_time()
            try:
                return work(*given, **more)
            finally:
                spent[name] += time.process_time() - begun

        return wrapped

    for name, places in stages.items():
        for owner, attribute in places:
            kept.append((owner, attribute, getattr(owner, attribute)))
            setattr(owner, attribute, measured(kept[-1][2], name))
    try:
        yield spent
    finally:
        for owner, attribute, work in kept:
            setattr(owner, attribute, work)


STAGES = {
    "matte of the original (network, its crop)": [(reach, "person_mattes")],
    "scene made ready, with that matte": [(composite_clip, "scenes_of")],
    "head's matte steadied": [(StableHeads, "_steadied"), (sys.modules[StableHeads.__module__], "_linked")],
    "head and background drawn, laid over": [(composite_clip, "lay_over")],
    "blended into the footage's samples": [(Shown, "over")],
    "measured for the report": [(FrameTable, "measure"), (FrameTable, "check_outside")],
}


@contextmanager
def one_core() -> Iterator[None]:
    """Holds the process and the threads that it begins to one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def per_frame(frames: Iterator) -> float:
    """Processor milliseconds a frame, the first not counted: it measures the clip."""
    next(frames)
    begun, count = time.process_time(), 0
    for _ in frames:
        count += 1
    return (time.process_time() - begun) / count * 1000


def by_stage(made: CompositeClip) -> tuple[float, dict[str, float]]:
    """As `per_frame`, with the milliseconds of every stage."""
    pulled = made.frames()
    next(pulled)
    with clocked(STAGES) as spent:
        begun, count = time.process_time(), sum(1 for _ in pulled)
        total = (time.process_time() - begun) / count * 1000
    return total, {name: seconds / count * 1000 for name, seconds in spent.items()}


def speed_rows(path: Path, frames: int, rounds: int, folder: Path) -> list[str]:
    columns = []
    for longest in (1920, 3840):
        clip = open_clip(scaled(path, longest, frames, "yuv420p", "libx264", folder / f"{longest}.mp4"))
        made = composite(clip)
        decode = min(per_frame(clip.frames()) for _ in range(rounds))
        total = min(per_frame(made.frames()) for _ in range(rounds))
        _, stages = min((by_stage(made) for _ in range(rounds)), key=lambda one: one[0])
        begun = time.process_time()
        write_clip(clip, folder / f"{longest}-again.mp4", "h264")
        encode = (time.process_time() - begun) / len(clip.timestamps()) * 1000 - decode
        side, size = float(np.median(made.track.side)), f"{clip.info.width} x {clip.info.height}"
        values = {name: f"{spent:.1f}" for name, spent in stages.items()}
        values |= {
            "**added by compositing**": f"**{total - decode:.1f}**", "decoding alone": f"{decode:.1f}",
            "encoding alone (h264)": f"{encode:.1f}",
            "added, as a share of decoding and encoding": f"{(total - decode) / (decode + encode):.2f}",
        }  # fmt: skip
        columns.append((f"{size}, square of {side:.0f}", values))
    rows = ["| ms a frame | " + " | ".join(name for name, _ in columns) + " |", "|---|" + "---|" * len(columns)]
    return rows + [f"| {name} | " + " | ".join(values[name] for _, values in columns) + " |" for name in columns[0][1]]


def memory_row(path: Path, times: int) -> str:
    """The peak memory of decoding and encoding alone and of a composite's render, each from a process of its own."""
    command = [sys.executable, __file__, str(path), "--memory", str(times)]
    peaks = [
        float(subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout)
        for more in (["--plain"], [])
    ]
    return f"| {times * len(open_clip(path).timestamps())} | {peaks[0]:.0f} | {peaks[1]:.0f} |"


def render_and_weigh(path: Path, times: int, plain: bool) -> float:
    """Megabytes at the peak of writing a clip, repeated, as it is or composited."""
    clip = open_clip(path)
    whole = Repeated(clip, times)
    with tempfile.TemporaryDirectory() as folder:
        write_clip(whole if plain else composite(clip, whole), Path(folder) / "out.mp4", "h264")
    return own_peak()


def own_peak() -> float:
    """Megabytes at the peak of this process. Of a process begun by another one, `getrusage` tells the other's on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024


def null_row(path: Path, name: str, pixel_format: str, folder: Path) -> str:
    clip = open_clip(scaled(path, 1920, 10, pixel_format, "ffv1", folder / f"{pixel_format}.mkv"))
    track = track_head(clip).snapped()
    made = CompositeClip(clip, track, FootageHeads(clip, track), None, WHOLE_SQUARE)
    inside, outside = [], 0
    for before, after in zip(clip.frames(), made.frames(), strict=True):
        rect = box_rect(track.box(before.index), clip.info.width, clip.info.height)
        outside = max(outside, change_outside(before.picture, after.picture, rect))
        for old, new in zip(plane_views(before.picture), plane_views(after.picture), strict=True):
            fx, fy = clip.info.width // old.shape[1], clip.info.height // old.shape[0]
            place = np.s_[rect.top // fy : rect.bottom // fy, rect.left // fx : rect.right // fx]
            inside.append(np.abs(new[place].astype(int) - old[place]).ravel())
    codes = np.concatenate(inside)
    same = "yes" if outside == 0 else f"no, {outside}"
    return f"| {name} | {codes.mean():.4f} | {np.percentile(codes, 99.9):.0f} | {codes.max()} | {same} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--long", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed()  # as the command line does
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if options.memory:
        print(render_and_weigh(options.clip, options.memory, options.plain))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with one_core():
            print("\n".join(speed_rows(options.clip, options.frames, options.rounds, folder)), flush=True)
        print("\n| frames at 4K | peak MB, decoded and encoded alone | peak MB, composited |\n|---|---|---|")
        for times in (1, max(1, options.long // options.frames)):
            print(memory_row(folder / "3840.mp4", times), flush=True)
        print("\n| null test in ffv1 | mean, codes | 99.9th percentile | largest | outside the same |\n|---|---|---|---|---|")
        for name, pixel_format in (("8-bit 4:2:0", "yuv420p"), ("10-bit 4:2:2", "yuv422p10le"), ("RGB", "bgr0")):
            print(null_row(options.clip, name, pixel_format, folder), flush=True)


if __name__ == "__main__":
    main()
