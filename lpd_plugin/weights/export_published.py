"""From a weights file of ours back to a checkpoint that the authors' code reads."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch
from safetensors import safe_open

from ..errors import BadInput
from ..whole_files import checked_target, written_whole
from .files import DISCRIMINATOR, OWN_IDENTITY, weights_info, weights_path
from .import_published import ARGS
from .published_checkpoint import OWN_IDENTITY as RELEASED_IDENTITY
from .published_names import DISCRIMINATOR as DISCRIMINATOR_NAMES
from .published_names import EMBEDDER, GENERATOR, released_state

# The options that the authors' code needs to build its networks, as its published configuration sets them.
DEFAULT_ARGS = {
    "embedder": "unsupervised_pose_separate_embResNeXt_segmentation",
    "generator": "vector_pose_unsupervised_segmentation_noBottleneck", "discriminator": "no_landmarks",
    "runner": "holycow", "dataloader": "voxceleb2_segmentation_nolandmarks", "metrics": "",
    "criterions": "idt_embed, perceptual, adversarial, featmat, dis_embed, dice",
    "in_channels": 3, "out_channels": 3, "num_channels": 64, "max_num_channels": 512, "embed_channels": 512,
    "pose_embedding_size": 256, "image_size": 256, "gen_constant_input_size": 4, "gen_num_residual_blocks": 2,
    "gen_padding": "zero", "norm_layer": "in", "average_function": "sum", "dis_padding": "zero", "dis_num_blocks": 7,
    "optimizer": "Adam", "lr_gen": 5e-5, "lr_dis": 2e-4, "beta1": 0.0, "set_eval_mode_in_test": True,
    "set_eval_mode_in_train": False, "weights_running_average": True, "inference": False, "iteration": 0,
    "img_dir": "images-cropped", "segm_dir": "segmentation-cropped", "kp_dir": "keypoints-cropped", "device": "cpu",
}  # fmt: skip
BUFFERS = ("weight_u", "weight_v", "running_mean", "running_var", "num_batches_tracked")


def export_released(weights: str | os.PathLike, output: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Write a weights file of the configuration "published" as the authors' training code saves its checkpoints.

    The file has to hold its discriminator, without which the authors' code cannot load a checkpoint. The same
    weights stand for the last step and for the running averages; the optimisers start anew. Float32.

    Raises `BadInput` for weights of another configuration or without discriminator, or an unwritable output.
    """
    output = checked_target(output, overwrite)
    path = weights_path(weights)
    info = weights_info(path)
    if info.configuration != "published":
        raise BadInput(f"{path} is of configuration '{info.configuration}'; only 'published' has the authors' shapes.")
    with safe_open(str(path), "pt") as file:
        args = _args(json.loads((file.metadata() or {}).get(ARGS, "{}")))
        state = {k: file.get_tensor(k) for k in file.keys()}
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items() if k != "pose_bank"}
    if not any(k.startswith(DISCRIMINATOR) for k in state):
        raise BadInput(f"{path} holds no discriminator, which the authors' code needs; import it again with --discriminator.")
    if "generator.to_image.weight_orig" not in state:
        raise BadInput(f"{path} has its spectral norm folded away and cannot become a checkpoint; use the file it came from.")
    own_identity = state.pop(OWN_IDENTITY, None)
    args.finetune = own_identity is not None
    with written_whole(output) as part:
        torch.save(_checkpoint(state, own_identity, args), part)
    return output


def _checkpoint(state: dict[str, torch.Tensor], own_identity: torch.Tensor | None, args: argparse.Namespace) -> dict:
    def part(prefix):
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    encoders = {k: v for k, v in state.items() if k.startswith(("identity_encoder.", "pose_encoder."))}
    embedder = released_state(encoders, EMBEDDER)
    generator = released_state(part("generator."), GENERATOR)
    if own_identity is not None:
        generator[RELEASED_IDENTITY] = own_identity[None]
    discriminator = released_state(part(DISCRIMINATOR), DISCRIMINATOR_NAMES)
    args.num_labels = len(discriminator["embed.weight_orig"])
    learning = (generator,) if args.finetune else (generator, embedder)
    return {
        "embedder": embedder, "generator": generator, "discriminator": discriminator,
        "optimizer_G": _fresh_optimiser(args.lr_gen, args, *learning),
        "optimizer_D": _fresh_optimiser(args.lr_dis, args, discriminator),
        "running_averages": {"embedder": embedder, "generator": generator}, "args": args,
    }  # fmt: skip


def _fresh_optimiser(rate: float, args: argparse.Namespace, *states: dict) -> dict:
    """The state dict of an Adam that has not stepped yet."""
    count = sum(not key.endswith(BUFFERS) for state in states for key in state)
    group = {"lr": rate, "betas": (args.beta1, 0.999), "eps": 1e-5, "weight_decay": 0, "amsgrad": False}
    return {"state": {}, "param_groups": [{**group, "params": list(range(count))}]}


def _args(saved: dict) -> argparse.Namespace:
    values = {k: Path(v["path"]) if isinstance(v, dict) and set(v) == {"path"} else v for k, v in saved.items()}
    return argparse.Namespace(**{**DEFAULT_ARGS, **values})
