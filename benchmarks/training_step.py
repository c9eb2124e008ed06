"""Samples a second of a meta-learning step: the product's, as configured in several ways, and the same step written plainly.

    python benchmarks/training_step.py [--configurations compact published] [--steps 3] [--videos 2] [--threads 0]

All losses of the paper play, with VGG weights of random numbers: the speed does not depend on what they are. The plain step
is what the released code's structure gives: everything in float32 and in the default layout, spectral norms computed at every
forward pass, the discriminator run on generated and real pictures once for the generator and again for itself, with gradients
everywhere. Variants take turns, step by step; medians. Needs no data: pictures are noise. Prints markdown; the committed
table is training_step.md.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from lpd_plugin.learning.data.store import HeadClip, HeadStore
from lpd_plugin.learning.losses.adversarial import discriminator_hinge, generator_hinge
from lpd_plugin.learning.losses.embedding_match import embedding_match
from lpd_plugin.learning.losses.feature_matching import feature_matching
from lpd_plugin.learning.losses.vgg import PLANS
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.running_average import follow, memory
from lpd_plugin.learning.training_config import TrainingConfig
from lpd_plugin.networks.configurations import configuration

VARIANTS = {
    "plain": {},
    "float32": {},
    "float32, channels last": {"channels_last": True},
    "bfloat16, channels last": {"channels_last": True, "precision": "bfloat16"},
}
FRAMES = 12  # a video


def noise(side: int, videos: int) -> HeadStore:
    """As many videos of as many people, of random pixels."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (videos * FRAMES, side, side, 3), np.uint8)
    masks = random.integers(0, 2, (videos * FRAMES, side, side), np.uint8) * 255
    clips = [HeadClip(f"p{k}", "0", k * FRAMES, (k + 1) * FRAMES) for k in range(videos)]
    return HeadStore(frames, masks, clips)


def vgg_file(kind: str, folder: Path) -> str:
    """Weights of the right shapes that keep activations in range."""
    torch.manual_seed(0)
    tensors, channels = {}, 3
    for block, (count, width) in enumerate(PLANS[kind], 1):
        for position in range(1, count + 1):
            tensors[f"conv{block}_{position}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            tensors[f"conv{block}_{position}.bias"] = torch.zeros(width)
            channels = width
    path = folder / f"{kind}.safetensors"
    save_file(tensors, path)
    return str(path)


def plain_step(run: MetaLearning) -> None:
    """One step of `run` without anything that makes it fast."""
    sample, losses = run.shown.at(run.step, 0), run.losses
    model, discriminator = run.model.train(), run.discriminator.train()
    each = model.identity_encoder.per_picture(sample["identity"])
    rgb, mask = model.generator(each.mean(1), model.pose_encoder(sample["pose"]))
    picture, label, weights = rgb * mask, sample["label"], losses.weights
    score, fake_features = discriminator(picture, label)
    _, real_features = discriminator(sample["target"], label)
    terms = losses.generator_terms(picture, mask, sample, each[:, 0])
    total = sum(terms.values()) + weights["adversarial"] * generator_hinge(score)
    total = total + weights["feature_matching"] * feature_matching(fake_features, real_features)
    labels = discriminator.label_embedding(label)
    total = total + weights["embedding_match"] * embedding_match(each[:, 0], labels)
    run.optimisers["generator"].zero_grad()
    total.backward()
    run.optimisers["generator"].step()
    run.optimisers["discriminator"].zero_grad()
    fake, real = (discriminator(p, label)[0] for p in (picture.detach(), sample["target"]))
    discriminator_hinge(fake, real).backward()
    run.optimisers["discriminator"].step()
    follow(run.average, run.model, memory(run.config.average, run.step))
    run.step += 1


def runs(name: str, videos: int, folder: Path, device: str) -> dict[str, MetaLearning]:
    """A run of every variant, none of which has made a step."""
    side = configuration(name).drawn_size or configuration(name).image_size
    files = {key: vgg_file(kind, folder) for key, kind in (("vgg19", "VGG-19"), ("vgg_face", "VGG-16"))}
    store, made = noise(max(side, 128), max(8, videos)), {}
    for variant, changes in VARIANTS.items():
        config = TrainingConfig(
            configuration=name, side=side, videos=videos, identity_pictures=8, augmentation="published", adversarial_from=0,
            held_out="", **files, **changes,
        )  # fmt: skip
        made[variant] = MetaLearning(config, store, folder / name / variant, device)
    return made


def seconds_a_step(made: dict[str, MetaLearning], steps: int) -> dict[str, float]:
    """Medians; the variants take turns, and the first round does not count."""
    taken: dict[str, list[float]] = {variant: [] for variant in made}
    for _ in range(steps + 1):
        for variant, run in made.items():
            begun = time.perf_counter()
            plain_step(run) if variant == "plain" else run.step_once()
            if run.device.type == "cuda":
                torch.cuda.synchronize()
            taken[variant].append(time.perf_counter() - begun)
    return {variant: float(np.median(times[1:])) for variant, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", nargs="+", default=["compact", "published"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--videos", type=int, default=2, help="samples a step: videos with 8 identity pictures and a target each")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"{torch.get_num_threads()} threads on {arguments.device}, {arguments.videos} samples a step, torch {torch.__version__}.\n")
    print("| configuration | step | seconds a step | samples a second | times the plain step |\n|---|---|---|---|---|", flush=True)
    for name in arguments.configurations:
        with tempfile.TemporaryDirectory() as folder:
            taken = seconds_a_step(runs(name, arguments.videos, Path(folder), arguments.device), arguments.steps)
        for variant, seconds in taken.items():
            ratio = taken["plain"] / seconds
            print(f"| {name} | {variant} | {seconds:.2f} | {arguments.videos / seconds:.2f} | {ratio:.2f} |", flush=True)
    print(f"\nPeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB.")


if __name__ == "__main__":
    main()
