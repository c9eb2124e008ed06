"""Drawing that gives way: to a device whose memory is full, and to numbers that half precision cannot hold."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import numpy as np
import torch

from ..ahead import networks_ahead
from ..errors import WorkFailed
from ..networks.model import ReenactmentModel
from ..weights.residency import at_work
from .half import tried
from .heads import Head
from .identity import Identity

Drawing = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class CarefulDrawing:
    """Draws one person's heads from pose descriptors.

    drawing_for: makes what draws, of identity and model, as `generate.drawing_for`. Where the device's memory is full, fewer
    heads are drawn at once, then on the CPU. half: in half precision where that is faster and, tried on a few poses, draws
    the same (half.py); what comes out not finite again in float32. `note` is told of all that, once.
    """

    def __init__(
        self, identity: Identity, model: ReenactmentModel, drawing_for: Callable[[Identity, ReenactmentModel], Drawing],
        half: bool = False, note: Callable[[str], None] | None = None,
    ):  # fmt: skip
        self._identity, self._model, self._drawing_for = identity, model, drawing_for
        self._half, self._note = half, note or (lambda _: None)
        self._half_type: torch.dtype | None = None
        self._drawing: Drawing | None = None
        self._said: set[str] = set()
        self._at_once: int | None = None  # None: as many as are asked for
        self._making_ready = threading.Lock()

    def ahead(self):
        """A block in which heads are drawn ahead, see `networks_ahead`."""
        return networks_ahead(self._device())

    def __call__(self, descriptors: np.ndarray) -> list[Head]:
        """Heads of descriptors (B, descriptor_size) float32. Raises `WorkFailed` where not even one can be drawn."""
        while True:
            try:
                step = self._at_once or len(descriptors)
                return [head for start in range(0, len(descriptors), step) for head in self._drawn(descriptors[start : start + step])]
            except torch.OutOfMemoryError:
                pass  # outside of this block nothing holds the tensors that filled the memory
            self._give_way(len(descriptors))

    @torch.inference_mode()
    def _drawn(self, descriptors: np.ndarray) -> list[Head]:
        at_work(self._model)
        device = self._device()
        with self._making_ready:
            if self._drawing is None:
                self._make_ready(device)
        poses = torch.from_numpy(descriptors).to(device)
        identity = self._identity.embedding.to(device).expand(len(poses), -1)
        with torch.autocast(device.type, self._half_type, enabled=self._half):
            rgb, mask = (part.float() for part in self._drawing(identity, poses))
        lost = ~(rgb.flatten(1).isfinite().all(1) & mask.flatten(1).isfinite().all(1))
        if lost.any():
            rgb, mask = self._redone(rgb, mask, lost, identity, poses)
        rgb, mask = rgb.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy(), mask[:, 0].cpu().numpy()
        return [Head(r, m) for r, m in zip(rgb, mask)]

    def _make_ready(self, device: torch.device) -> None:
        drawing, embedding = self._drawing_for(self._identity, self._model), self._identity.embedding.to(device)
        if self._half:  # tried on the bank's poses: on what is asked for first, it would depend on who asks first
            bank = self._model.pose_bank
            self._half_type, problem = tried(lambda poses: drawing(embedding.expand(len(poses), -1), poses), bank)
            self._half = self._half_type is not None
            if problem:
                self._say(problem)
        self._drawing = drawing

    def _redone(self, rgb, mask, lost, identity, poses) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch with its lost rows drawn in float32."""
        again = [part.float() for part in self._drawing(identity[lost], poses[lost])] if self._half else [rgb[lost], mask[lost]]
        if not all(part.isfinite().all() for part in again):
            raise WorkFailed("the weights draw values that are no numbers; fetch or make them again")
        self._say("some heads are too bright or dark for half precision and were drawn in full")
        rgb, mask = rgb.clone(), mask.clone()
        rgb[lost], mask[lost] = again
        return rgb, mask

    def _give_way(self, count: int) -> None:
        device, before = self._device(), self._at_once or count
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if before > 1:
            self._at_once = before // 2
            self._say(f"the memory of {device} is full: drawing {self._at_once} heads at once instead of {before}")
        elif device.type != "cpu":
            with torch.inference_mode(False):
                self._model = copy.deepcopy(self._model).to("cpu")
            self._drawing, self._half = None, False
            self._say(f"the memory of {device} is full: drawing on the CPU, which is slow; close other programs that use {device}")
        else:
            raise WorkFailed("out of memory while drawing heads; close other programs")

    def _device(self) -> torch.device:
        return self._model.generator.constant.device

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._note(message)
