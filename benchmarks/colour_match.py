"""What the colour match takes back of a known change of light, how steady it is, and what it costs.

    python benchmarks/colour_match.py CLIP [CLIP ...]

Heads cut from each clip (its first SECONDS) are shown under another light and laid back half a clip later, so that no
two of a pair show the same pose; the match has to bring them to the clip's own light. Per clip and light: mean distance
in OKLab, hundredths, from the head's true colours inside its matte, before and after the match; the same for hair and
other dark parts; the largest change between two frames of what is done to the face, 1/255, where a steady light should
give 0. Then the costs on this machine, one thread. Prints a table; the committed one is colour_match.md.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from lpd_plugin.compositing.head.colour_match import ColourTransfer, measure_transfer, probe_frames
from lpd_plugin.compositing.head.oklab import to_oklab
from lpd_plugin.compositing.picture.look import frames_at, look_at, person_mattes
from lpd_plugin.compositing.seamless import MODES, blended
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_matte

SECONDS = 6
LIGHTS = {
    "a third darker": lambda rgb, t: _lamp(rgb, (0.67, 0.67, 0.67)),
    "warm lamp": lambda rgb, t: _lamp(rgb, (1.1, 0.85, 0.55)),
    "flat": lambda rgb, t: (0.5 + 0.75 * (rgb - 0.45)).astype(np.float32),
    "fading by half": lambda rgb, t: _lamp(rgb, (1 - t / 2,) * 3),
}
HEADER = "| clip | light | before | after | dark parts before | after | largest step |"


def _lamp(rgb: np.ndarray, factors) -> np.ndarray:
    linear = np.clip(rgb, 0, 1) ** 2.2 * np.float32(factors)
    return (np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.float32)


def moments_of(path: Path) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Seconds, crop and matte at the moments that a composite would measure."""
    clip = open_clip(path).trimmed(Fraction(0), Fraction(SECONDS))
    track = track_head(clip)
    chosen = probe_frames(track.times, track.present)
    looks = [look_at(frame.picture, track.box(frame.index)) for frame in frames_at(clip, chosen.tolist())]
    mattes = person_mattes(looks, load_matte(device="cpu"))
    return [(float(track.times[n]), look.crop(), matte) for n, look, matte in zip(chosen, looks, mattes)]


def rows_of(path: Path) -> list[str]:
    moments = moments_of(path)
    later = moments[len(moments) // 2 :] + moments[: len(moments) // 2]
    length = max(time for time, _, _ in moments) or 1
    rows = []
    for name, light in LIGHTS.items():
        pairs = [
            (t, crop, matte, light(other, t / length), own)
            for (t, crop, matte), (_, other, own) in zip(moments, later)
        ]
        transfer = measure_transfer(pairs)
        far = np.array([_distances(transfer, t, crop, light(crop, t / length), matte) for t, crop, matte in moments])
        step = "" if "fading" in name else f"{_largest_step(transfer, length):.2f}"
        cells = [path.stem, name, *(f"{value:.1f}" for value in np.nanmean(far, 0)), step]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _distances(transfer: ColourTransfer, t: float, true: np.ndarray, shown: np.ndarray, matte: np.ndarray) -> list[float]:
    wanted = to_oklab(true)
    inside = matte > 0.95
    parts = inside, inside & (wanted[..., 0] < 0.35)
    far = [100 * np.linalg.norm(to_oklab(rgb) - wanted, axis=2) for rgb in (shown, transfer.apply(shown, t))]
    return [float(one[part].mean()) if part.sum() > 200 else np.nan for part in parts for one in far]


def _largest_step(transfer: ColourTransfer, length: float) -> float:
    """Of a mid-tone skin colour between two frames at 25 a second, 1/255."""
    skin = np.full((1, 1, 3), (0.72, 0.55, 0.46), np.float32)
    seen = np.array([transfer.apply(skin, t)[0, 0] for t in np.arange(0, length, 0.04)])
    return 255 * float(np.abs(np.diff(seen, axis=0)).max())


def costs(moment: tuple[float, np.ndarray, np.ndarray]) -> list[str]:
    t, crop, matte = moment
    transfer = measure_transfer([(t, crop, matte, LIGHTS["warm lamp"](crop, 0), matte)])
    large = [cv2.resize(picture, (1000, 1000), interpolation=cv2.INTER_CUBIC) for picture in (crop, 0.9 * crop, matte)]
    rows = [
        f"| measuring one moment | {_milliseconds(lambda: measure_transfer([(t, crop, matte, crop, matte)])):.1f} |",
        f"| applying to a head of 256 px | {_milliseconds(lambda: transfer.apply(crop, t)):.1f} |",
    ]
    for mode in MODES:
        spent = _milliseconds(lambda: blended(large[1], large[0], np.clip(large[2], 0, 1), mode))
        rows.append(f"| blend of 1000 x 1000 px, {mode} | {spent:.1f} |")
    return rows


def _milliseconds(work) -> float:
    """The fastest of twenty: the machine does other things too."""
    spent = []
    for _ in range(20):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return 1000 * min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(HEADER + "\n" + "|---" * (HEADER.count("|") - 1) + "|", flush=True)
    for path in arguments.clips:
        print("\n".join(rows_of(path)), flush=True)
    print("\n| step | ms |\n|---|---|")
    print("\n".join(costs(moments_of(arguments.clips[0])[0])))


if __name__ == "__main__":
    main()
