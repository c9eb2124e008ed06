"""Training of the head finder: `python -m lpd_plugin.learning.train_finder HEADS YUNET.onnx OUT.safetensors`."""

from __future__ import annotations

import copy
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from ..networks.finder import SIZE_UNIT, STRIDE, HeadFinder
from ..progress import Progress
from ..whole_files import write_tensors
from .finder_cut_outs import read_cut_outs
from .finder_scenes import SceneMaker


METADATA = {
    "network": "HeadFinder",
    "use": "Research and evaluation only: trained on filmed people whose recordings have owners with other terms.",
}


def finder_targets(faces: np.ndarray, hidden: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heat (h, w), geometry (4, h, w) and the geometry's weight (h, w) for one scene.

    Cells of hidden faces get heat -1: not judged. Every face's peak is exactly 1 at its centre's cell.
    """
    cells = size // STRIDE
    heat = np.zeros((cells, cells), np.float32)
    geometry = np.zeros((4, cells, cells), np.float32)
    weight = np.zeros((cells, cells), np.float32)
    y, x = np.mgrid[:cells, :cells].astype(np.float32)
    for left, top, right, bottom in hidden / STRIDE:
        heat[(x + 0.5 > left) & (x + 0.5 < right) & (y + 0.5 > top) & (y + 0.5 < bottom)] = -1
    for left, top, right, bottom in faces:
        width, height = right - left, bottom - top
        centre = np.array([(left + right) / 2, (top + bottom) / 2]) / STRIDE
        column, row = np.minimum(centre.astype(int), cells - 1)
        sigma = max(0.45, 0.09 * max(width, height) / STRIDE)
        bell = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
        nearer = bell > weight
        size_log = np.log(np.array([width, height]) / SIZE_UNIT)
        values = np.stack([np.full_like(x, size_log[0]), np.full_like(x, size_log[1]), centre[0] - x - 0.5, centre[1] - y - 0.5])
        geometry[:, nearer] = values[:, nearer]
        weight = np.maximum(weight, np.where(bell > 0.3, bell, 0))
        heat = np.where(heat < 0, heat, np.maximum(heat, bell))
        heat[row, column] = 1
    return heat, geometry, weight


def finder_loss(maps: Tensor, heat: Tensor, geometry: Tensor, weight: Tensor) -> Tensor:
    """Penalty-reduced focal loss on the heat (Law and Deng, "CornerNet", 2018) plus L1 on the geometry."""
    logit = maps[:, 0]
    probability = logit.sigmoid()
    centre = heat == 1
    judged = heat >= 0
    hit = F.softplus(-logit) * (1 - probability) ** 2
    miss = F.softplus(logit) * probability**2 * (1 - heat.clamp(min=0)) ** 4
    focal = torch.where(centre, hit, miss * judged).sum() / centre.sum().clamp(min=1)
    difference = (maps[:, 1:] - geometry).abs() * torch.tensor([1.0, 1.0, 0.3, 0.3])[:, None, None]
    return focal + (difference.sum(dim=1) * weight).sum() / weight.sum().clamp(min=1)


def _batch(scenes: SceneMaker, count: int) -> list[Tensor]:
    pictures, heats, geometries, weights = [], [], [], []
    for _ in range(count):
        picture, faces, hidden = scenes.scene()
        heat, geometry, weight = finder_targets(faces, hidden, scenes.size)
        pictures.append(picture.transpose(2, 0, 1).astype(np.float32) / 255)
        heats.append(heat), geometries.append(geometry), weights.append(weight)
    return [torch.from_numpy(np.stack(parts)) for parts in (pictures, heats, geometries, weights)]


def train_finder(
    heads: Path,
    yunet_onnx: Path,
    out: Path,
    backgrounds: list[Path] = (),
    minutes: float = 15.0,
    batch: int = 32,
    learning_rate: float = 2e-3,
    seed: int = 0,
    go_on_from: Path | None = None,
    progress: Progress | None = None,
) -> HeadFinder:
    """Train on `heads`/train for so many minutes and write the averaged weights to `out`, half precision.

    go_on_from: weights of an earlier training to start with.
    """
    progress = progress or Progress()
    torch.manual_seed(seed)
    pictures = [cv2.imread(str(path))[..., ::-1] for path in backgrounds]
    scenes = SceneMaker(read_cut_outs(heads / "train", yunet_onnx), pictures, seed=seed)
    progress.note(f"{len(scenes.cut_outs)} cut-outs, {len(pictures)} further backgrounds")
    finder = HeadFinder()
    if go_on_from is not None:
        earlier = {name: value.float() for name, value in load_file(go_on_from).items()}
        finder.load_state_dict(earlier, strict=False)
    finder = finder.to(memory_format=torch.channels_last)
    average = copy.deepcopy(finder)
    optimizer = torch.optim.AdamW(finder.parameters(), learning_rate, weight_decay=1e-3)
    begun, step, mean_loss = time.monotonic(), 0, None
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        rate = learning_rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate
        picture, *targets = _batch(scenes, batch)
        loss = finder_loss(finder(picture.contiguous(memory_format=torch.channels_last)), *targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(finder.parameters(), 5.0)
        optimizer.step()
        step += 1
        blend = min(0.995, step / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.state_dict().values(), finder.state_dict().values()):
                kept.copy_(kept * blend + new * (1 - blend) if kept.is_floating_point() else new)
        mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
        if step % 100 == 0:
            progress.note(f"step {step}, loss {mean_loss:.3f}, {100 * share:.0f} % of the time")
            save_finder(average, out)
    save_finder(average, out)
    return average


def save_finder(finder: HeadFinder, out: Path) -> None:
    """Half precision; under its name only when complete."""
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in finder.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    write_tensors(out, state, METADATA)


class _Printed(Progress):
    def note(self, message: str) -> None:
        print(message, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    heads_folder, yunet, target, *further = (Path(argument) for argument in sys.argv[1:])
    minutes = float(os.environ.get("MINUTES", "15"))
    earlier = os.environ.get("GO_ON_FROM")
    train_finder(
        heads_folder,
        yunet,
        target,
        further,
        minutes=minutes,
        seed=int(earlier is not None),
        go_on_from=Path(earlier) if earlier else None,
        progress=_Printed(),
    )
