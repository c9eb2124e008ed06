"""How near a 256 pixel head comes to the filmed one on the footage's pixels, and what each step costs.

    python benchmarks/texture.py CLIP [CLIP ...]

Per clip: a frame's head square is brought down to 256 pixels by area and back, by cubic interpolation and by
`enlarge.enlarged`, then sharpened to the footage's edge spread, or with detail of the frame before and of the frame a
second later; PSNR in dB and SSIM against the filmed square, edge spread in pixels. "Other" is the greatest weight that
detail of another clip's person gets. Then grain of known strength, in 255ths, added to that square and found again, from
one frame and from three. Then milliseconds a step takes on 1000 x 1000 pixels, one thread, best of twenty.
Prints tables; the committed ones are texture.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from lpd_plugin.compositing.head.detail import DetailBank, Reference, inject, steady_weights
from lpd_plugin.compositing.head.enlarge import enlarged, enlarged_matte
from lpd_plugin.compositing.head.footage_heads import whole_square
from lpd_plugin.compositing.head.grain import Grain, measure_grain
from lpd_plugin.compositing.head.sharpness import edge_spread, match_sharpness
from lpd_plugin.compositing.head.texture import Texture, TextureOptions
from lpd_plugin.compositing.picture.look import Look, frames_at, look_at
from lpd_plugin.compositing.picture.square import square_to_rect
from lpd_plugin.evaluation.measures import pictures
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect
from lpd_plugin.video.track import CropBox
from lpd_plugin.video.tracking.tracker import track_head

FRAME, NEAR, FAR = 10, 9, 35
ALL = np.ones((256, 256), np.float32)


def squares(path: Path) -> list[np.ndarray]:
    """The head's square in three frames, on whole pixels."""
    clip = open_clip(path).trimmed(None, Fraction(3, 2))
    track = track_head(clip, "largest").snapped()
    looks = {f.index: look_at(f.picture, track.box(f.index)) for f in frames_at(clip, sorted((FRAME, NEAR, FAR)))}
    return [whole_square(looks[number]).clip(0, 1) for number in (FRAME, NEAR, FAR)]


def place(square: np.ndarray) -> tuple[CropBox, Rect]:
    side = square.shape[0]
    return CropBox(0, 0, side), Rect(0, 0, side, side)


def reference(square: np.ndarray) -> Reference:
    return Reference.of(Look(*place(square), square))


def cells(made: np.ndarray, truth: np.ndarray) -> str:
    tensors = [torch.from_numpy(np.ascontiguousarray(one.clip(0, 1))).permute(2, 0, 1) for one in (made, truth)]
    everywhere = torch.ones(truth.shape[:2], dtype=torch.bool)
    return f"{pictures.psnr(*tensors, everywhere):.1f} / {pictures.ssim(*tensors, everywhere):.3f} / {edge_spread(made):.2f}"


def likeness_row(name: str, frames: list[np.ndarray], other: Reference) -> str:
    truth, (box, rect) = frames[0], place(frames[0])
    small = cv2.resize(truth, (256, 256), interpolation=cv2.INTER_AREA)
    cubic, ours = square_to_rect(small, box, rect), enlarged(small, box, rect)
    sharp = match_sharpness(ours, edge_spread(ours), edge_spread(truth))
    detailed = [inject(ours, [DetailBank([reference(one)]).agreements(small, ALL)], box, rect) for one in frames[1:]]
    stranger = steady_weights([DetailBank([other]).agreements(small, ALL)])[0].max()
    columns = [cells(one, truth) for one in (cubic, ours, sharp, *detailed)]
    return f"| {name} | {rect.width} | " + " | ".join([*columns, f"{edge_spread(truth):.2f}", f"{stranger:.2f}"]) + " |"


def grain_rows(square: np.ndarray) -> list[str]:
    clean, rows = cv2.GaussianBlur(square, (0, 0), 1.2), []
    for blur in (0.0, 0.7, 1.3):
        for codes in (1.0, 3.0, 6.0):
            noisy = []
            for seed in range(3):
                noise = np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32)
                noise = cv2.GaussianBlur(noise, (0, 0), blur) if blur else noise
                noisy.append(clean + noise / noise.std() * np.float32(codes / 255))
            found = [float(measure_grain(part).sigma.mean() * 255) for part in (noisy[:1], noisy)]
            rows.append(f"| {blur} | {codes:.0f} | {found[0]:.2f} | {found[1]:.2f} |")
    return rows


def milliseconds(work: Callable) -> float:
    work()
    times = []
    for _ in range(20):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times) * 1000


def cost_rows(square: np.ndarray) -> list[str]:
    box, rect = CropBox(100.3, 50.7, 999.6), Rect(100, 50, 1100, 1051)
    small = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)
    rgb, matte = enlarged(small, box, rect), enlarged_matte(ALL, box, rect)
    texture = Texture(TextureOptions(), 2.0 / box.side, 1.0, Grain(np.full((8, 3), 4 / 255)))
    bank, own = DetailBank([]), reference(cv2.resize(square, (1000, 1000)))
    window = [bank.agreements(small, ALL, own)] * 5
    steps = {
        "cubic interpolation (`square_to_rect`)": lambda: square_to_rect(small, box, rect),
        "`enlarged`": lambda: enlarged(small, box, rect),
        "`enlarged_matte`": lambda: enlarged_matte(ALL, box, rect),
        "sharpening, matte everywhere": lambda: texture.sharpened(rgb, matte, box, rect),
        "grain, alpha everywhere": lambda: texture.grained(rgb, matte, 1, rect),
        "detail: one reference compared": lambda: bank.agreements(small, ALL, own),
        "detail: a reference made": lambda: reference(square),
        "detail: one reference added": lambda: inject(rgb, window, box, rect),
    }
    return [f"| {name} | {milliseconds(work):.0f} |" for name, work in steps.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = {path.stem: squares(path) for path in arguments.clips}
    names = list(found)
    print("| clip | side | cubic | enlarged | sharpened | detail, frame before | detail, 1 s later | filmed | other |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, name in enumerate(names):
        print(likeness_row(name, found[name], reference(found[names[number - 1]][0])), flush=True)
    print("\n| blur of the grain | added | found in one | found in three |\n|---|---|---|---|")
    print("\n".join(grain_rows(found[names[0]][0])), flush=True)
    print("\n| step | ms |\n|---|---|\n" + "\n".join(cost_rows(found[names[0]][0])))


if __name__ == "__main__":
    main()
