"""What drawing one head costs: the generator as it ships, the same written plainly, and the released code where it is at hand.

    python benchmarks/generator.py [--released FOLDER] [--configurations compact published] [--threads 1] [--batch 1] [--repeats 9]

FOLDER is a checkout of the authors' code, which is not part of this repository; "plain" is the same network as its structure is: spectral
norms computed at every pass, maps upsampled before they are convolved, normalisation, scale and shift one by one. All draw the same
heads with the same (random) weights; they take turns, and the least time of the repeats counts, since other work only adds. FLOP are
the multiplications and additions that remain in convolutions and matrix products, bytes what all operations read and write; both
against what this machine reaches at a matrix product and at a copy, measured in the same run. "half": half precision, where the machine
has it. On a GPU (--device cuda, --batch 16 or a multiple of it) time is between CUDA events, and "compiled" is torch.compile with CUDA
graphs, whose FLOP and bytes are counted of "exact". Prints markdown; the committed table is generator.md.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lpd_plugin.learning.devices import advance_spectral_norm
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.generator import Generator
from lpd_plugin.networks.layers import INSTANCE_NORM_EPS, fold_spectral_norm
from lpd_plugin.networks.model import at_size
from lpd_plugin.reenactment.engines import compiled, generator_part
from lpd_plugin.reenactment.half import agreement, half_type
from lpd_plugin.weights.published_names import GENERATOR, released_state

Draw = Callable[[], tuple[torch.Tensor, torch.Tensor]]


class Traffic(TorchDispatchMode):
    """Bytes that operations read and write, views aside."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        result = operation(*arguments, **(keywords or {}))
        tensors = [t for t in tree_leaves((arguments, keywords, result)) if isinstance(t, torch.Tensor)]
        if not operation.is_view:
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return result


def plain(generator: Generator, identity: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What `generator` draws, without anything that makes it fast; its spectral norms not folded."""
    norms = iter(generator._split(generator.affine_parameters(identity, pose)))

    def normalised(x: torch.Tensor) -> torch.Tensor:
        bias, scale = next(norms)
        return F.relu(F.instance_norm(x, eps=INSTANCE_NORM_EPS) * scale[:, :, None, None] + bias[:, :, None, None])

    x = generator.constant.expand(len(identity), -1, -1, -1)
    for block in generator.blocks:
        out, skip = normalised(x), x
        if block.upsample:
            out, skip = (F.interpolate(maps, scale_factor=2, mode="nearest") for maps in (out, skip))
        out = block.convolution2(normalised(block.convolution1(out)))
        x = out + (skip if block.skip is None else block.skip(skip))
    x = torch.tanh(generator.to_image(normalised(x)))
    return 0.75 * x[:, :3] + 0.5, 0.5 * x[:, 3:] + 0.5


def released(folder: Path, generator: Generator, identity: torch.Tensor, pose: torch.Tensor) -> Draw:
    """The released code with the weights of `generator`, of the published configuration."""
    sys.path.insert(0, str(folder))
    from generators.vector_pose_unsupervised_segmentation_noBottleneck import Generator as Released

    network = Released("zero", 3, 4, 64, 512, 512, 256, "in", 4, 2, 256).eval().requires_grad_(False)
    network.load_state_dict(released_state(generator.state_dict(), GENERATOR))
    network.to(identity.device)

    def draw():
        data = {"embeds": identity, "pose_embedding": pose}
        network(data)  # gives the picture times its mask
        return data["fake_rgbs"], data["fake_segm"]

    return draw


def seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    work()
    ended.record()
    torch.cuda.synchronize()
    return begun.elapsed_time(ended) / 1000


def least(works: dict[str, Callable[[], object]], device: torch.device, repeats: int) -> dict[str, float]:
    """Seconds of each; they take turns, and the first round does not count."""
    taken = [{name: seconds(work, device) for name, work in works.items()} for _ in range(repeats + 1)][1:]
    return {name: min(row[name] for row in taken) for name in works}


@torch.inference_mode()
def machine(device: torch.device, repeats: int) -> tuple[float, float]:
    """FLOP a second of float32 matrix products, the best of three sizes, and bytes a second of a copy, read and written."""
    rates = []
    for side in (512, 1024, 2048):
        one, other = torch.randn(2, side, side, device=device)
        rates.append(2 * side**3 / least({"product": lambda: one @ other}, device, repeats)["product"])
    block = torch.randn(64 << 20, device=device)
    target = torch.empty_like(block)
    return max(rates), 2 * block.numel() * 4 / least({"copy": lambda: target.copy_(block)}, device, repeats)["copy"]


def variants(name: str, batch: int, device: torch.device, folder: Path | None) -> dict[str, Draw]:
    """What draws the same heads, the slowest first. To be called outside inference mode, as weights are loaded."""
    torch.manual_seed(0)
    kind = configuration(name)
    kind = at_size(kind, kind.drawn_size) if kind.drawn_size else kind  # what a painter paints over is drawn smaller
    slow = Generator(kind).eval().requires_grad_(False)
    for key, value in slow.named_parameters():
        if key.endswith("bias") or key == "constant":  # as after training: no norm sees a flat map
            value.add_(0.1 * torch.randn_like(value))
    for _ in range(20):
        advance_spectral_norm(slow)  # norms of fresh weights are far too small, and every pixel would be black or white
    slow.to(device)
    identity, pose = (torch.randn(batch, size, device=device) for size in (slow.configuration.identity_size, slow.configuration.pose_size))
    fast = fold_spectral_norm(copy.deepcopy(slow)).requires_grad_(False)
    if device.type == "cpu":  # as `load_model` lays it out
        fast.to(memory_format=torch.channels_last)
    works: dict[str, Draw] = {}
    if folder is not None and name == "published":
        works["released code"] = released(folder, slow, identity, pose)
    works |= {"plain": lambda: plain(slow, identity, pose), "exact": lambda: fast(identity, pose)}
    if (half_precision := half_type(device)) is not None:

        def half():
            with torch.autocast(device.type, half_precision):
                return tuple(part.float() for part in fast(identity, pose))

        works["half"] = half
    if device.type == "cuda":
        whole = compiled(generator_part(fast, identity[:1], pose[:1]))
        works["compiled"] = lambda: fast(identity, pose, whole)
        with_compiled_half = compiled(generator_part(fast, identity[:1], pose[:1]))

        def compiled_half():
            with torch.autocast(device.type, half_precision):
                return tuple(part.float() for part in fast(identity, pose, with_compiled_half))

        works["compiled, half"] = compiled_half
    return works


@torch.inference_mode()
def table(name: str, works: dict[str, Draw], options: argparse.Namespace, device: torch.device, rates: tuple[float, float]) -> None:
    taken = least(works, device, options.repeats)
    reference = next(iter(works))
    wanted = premultiplied(reference, works[reference]())
    for variant, draw in works.items():
        drawn = premultiplied(variant, draw())
        counted = works["exact"] if variant.startswith("compiled") else draw  # into what is compiled, counters do not see
        with FlopCounterMode(display=False) as counter:
            counted()
        with Traffic() as traffic:
            counted()
        heads, once = options.batch, taken[variant]
        flop, moved = counter.get_total_flops(), traffic.bytes
        psnr = agreement(drawn, wanted)
        close = "" if variant == reference else "same bits" if math.isinf(psnr) else f"{psnr:.0f} dB"
        print(
            f"| {name} | {variant} | {1000 * once / heads:.0f} | {taken[reference] / once:.2f} | {flop / heads / 1e9:.1f} "
            f"| {flop / once / rates[0]:.0%} | {moved / heads / 1e6:.0f} | {moved / once / rates[1]:.0%} | {close} |",
            flush=True,
        )  # fmt: skip


def premultiplied(variant: str, drawn: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """As `agreement` takes them: colours that a mask of ones leaves as they are, and the mask beside them."""
    rgb, mask = drawn
    rgb = rgb if variant == "released code" else rgb * mask
    return torch.cat((rgb, mask.expand_as(rgb)), 2), torch.ones_like(torch.cat((mask, mask), 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", nargs="+", default=["compact", "published"])
    parser.add_argument("--released", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    rates = machine(device, options.repeats)
    print(f"{options.threads} threads on {device}, {options.batch} heads at once, torch {torch.__version__}; float32 matrix products "
          f"{rates[0] / 1e9:.0f} GFLOP/s, copies {rates[1] / 1e9:.1f} GB/s read and written.\n")  # fmt: skip
    print("| configuration | generator | ms a head | times as fast | GFLOP a head | of the matrix rate | MB a head | of the copy rate "
          "| agreement |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name in options.configurations:
        table(name, variants(name, options.batch, device, options.released), options, device, rates)


if __name__ == "__main__":
    main()
