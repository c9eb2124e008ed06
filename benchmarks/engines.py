"""What the engines take for a head: the parts that they take over, and a whole head as it is drawn.

    OMP_NUM_THREADS=1 python benchmarks/engines.py CLIP [--pictures 20] [--heads 8] [--repeats 15] [--device cuda]

CLIP shows one person, whose identity is made of `pictures` frames, spread over pose; drawn are heads in the first `heads` poses of
the weights' bank, which are strangers'. Measured is the time of the drawing thread, by torch and by each other engine that works
on the device, in turns: the least of the repeats, and the median, which says what else the machine did; on a GPU, the time until
all is done, of batches of 16 (so give --heads 64 or so). `paint` is torch's in every engine. Agreement is the PSNR of
premultiplied heads with torch's. Prints a table; the committed one is engines.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from lpd_plugin.allocator import keep_freed
from lpd_plugin.learning.devices import advance_spectral_norm
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.layers import fold_spectral_norm
from lpd_plugin.reenactment.crops import chosen_crops
from lpd_plugin.reenactment.engine_choice import VARIABLE
from lpd_plugin.reenactment.engines import AT_ONCE, ENGINES, generator_part, motion_part
from lpd_plugin.reenactment.generate import drawing_for
from lpd_plugin.reenactment.half import agreement
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.painting import Painting
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

Works = dict[str, Callable[[], object]]  # by engine


def milliseconds(works: Works, repeats: int) -> dict[str, list[float]]:
    """Of one call of each; they take turns, and the first round does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            begun = clock()
            work()
            taken[name].append(1000 * (clock() - begun))
    return {name: many[1:] for name, many in taken.items()}


def clock() -> float:
    """Seconds: of this thread's work, or until a GPU has done all that it was asked for."""
    if not torch.cuda.is_initialized():
        return time.thread_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def drawings(identity: Identity, names: list[str], device: torch.device) -> dict[str, Painting]:
    """The person as each engine draws it."""
    found = {}
    for name in names:
        os.environ[VARIABLE] = name
        found[name] = drawing_for(identity, load_model(device=str(device)), print)
    return found


@torch.inference_mode(False)  # as weights are loaded: kernels are then kept for the next head
def random_published() -> Generator:
    """A generator of the published configuration, as `load_model` lays it out."""
    generator = Generator(configuration("published")).eval().requires_grad_(False)
    for _ in range(20):
        advance_spectral_norm(generator)  # norms of fresh weights are far too small
    return fold_spectral_norm(generator).requires_grad_(False).to(memory_format=torch.channels_last)


def parts(painting: Painting, names: list[str]) -> dict[str, Works]:
    """What each engine does, by the part that it takes over."""
    model = painting.model
    torch.manual_seed(0)
    device = model.generator.constant.device
    published = random_published().to(device)
    rows = 1 if device.type == "cpu" else AT_ONCE
    identities = torch.randn(rows, model.configuration.identity_size, device=device)
    compact = generator_part(model.generator, identities, model.pose_bank[:1].expand(rows, -1))
    motion = motion_part(model.painter)
    motion = replace(motion, sample=tuple(one.expand(rows, *one.shape[1:]) for one in motion.sample))
    found = {"motion": motion, "generator, compact": compact}
    identities, poses = torch.randn(rows, 512, device=device), torch.randn(rows, 256, device=device)
    found["generator, published"] = generator_part(published, identities, poses)
    made = {label: {name: ENGINES[name].computation(part, 1) for name in names} for label, part in found.items()}
    return {label: {n: lambda c=c, p=found[label]: c(*p.sample) for n, c in many.items()} for label, many in made.items()}


def heads(drawn: dict[str, Painting], identity: Identity, poses: torch.Tensor) -> Works:
    """All heads, one by one; on a GPU as many at once as are drawn there."""
    rows = 1 if poses.device.type == "cpu" else AT_ONCE
    one = identity.embedding.to(poses.device)

    def draw(painting: Painting) -> list:
        return [painting(one.expand(len(some), -1), some) for some in poses.split(rows)]

    return {name: partial(draw, painting) for name, painting in drawn.items()}


def row(label: str, works: Works, repeats: int, names: list[str], agreed: str = "", pieces: int = 1) -> str:
    taken = {name: [one / pieces for one in many] for name, many in milliseconds(works, repeats).items()}
    columns = [f"{min(taken[n]):.1f} / {statistics.median(taken[n]):.1f}" if n in taken else "" for n in names]
    others = [min(many) for name, many in taken.items() if name != "torch"]
    faster = f"{min(taken['torch']) / min(others):.2f}" if others else ""
    return f"| {label} | {' | '.join(columns)} | {faster} | {agreed} |"


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    keep_freed()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    names = [name for name, engine in ENGINES.items() if device.type in engine.devices and not engine.missing]
    clip, model = open_clip(options.clip), load_model(device=options.device)
    identity = encode_identity(model, chosen_crops([(clip, track_head(clip))], options.pictures, model))
    drawn, poses = drawings(identity, names, device), model.pose_bank[: options.heads]
    used = (drawn["torch"].shares(poses).sum(0) > 0).sum().item() / len(poses)
    print(f"1 thread on {device}; {', '.join(f'{name} {ENGINES[name].version}' for name in names)}; {len(identity.pictures)} pictures, "
          f"{used:.1f} of them to a head; ms, least / median of {options.repeats}.\n")  # fmt: skip
    print(f"| | {' | '.join(names)} | times as fast, by the least | agreement |")
    print("|---" * (len(names) + 3) + "|")
    for label, works in parts(drawn["torch"], names).items():
        print(row(label, works, options.repeats if "published" not in label else 5, names), flush=True)
    one = identity.embedding.to(device)
    whole = {name: painting(one.expand(len(poses), -1), poses) for name, painting in drawn.items()}
    agreed = ", ".join(f"{agreement(whole['torch'], one):.0f} dB" for name, one in whole.items() if name != "torch")
    print(row("a whole head", heads(drawn, identity, poses), options.repeats, names, agreed, len(poses)))


if __name__ == "__main__":
    main()
