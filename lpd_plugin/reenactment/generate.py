"""Heads from an identity and a performance, computed in micro-batches when they are pulled."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn

from ..networks.model import ReenactmentModel
from .careful import CarefulDrawing
from .engine_choice import asked_for, computed_by
from .engines import AT_ONCE, generator_part, motion_part
from .heads import Head, Heads
from .identity import Identity, require_same_weights
from .painting import Painting
from .pose import Pose

ON_CPU = 4  # heads at once: beyond that a CPU gains nothing


def drawing_for(identity: Identity, model: ReenactmentModel, note: Callable[[str], None] | None = None) -> Callable:
    """What draws this person: called with identities (B, identity_size) and poses (B, descriptor_size), gives rgb
    (B, 3, S, S), straight, and mask (B, 1, S, S), in [0, 1].

    The model's generator or its painter with the person's pictures; copies with the person's parameters if adapted. On a CPU
    computed by the engine that is fastest there (engine_choice.py); `note` is told, once, why one does not work. Raises `BadInput`
    where the engine that is asked for is not there.
    """
    said: list[str] = []
    generator = _adapted(model.generator, "generator", identity)
    device, size = generator.constant.device, model.configuration.descriptor_size
    pose = model.pose_bank[:1] if len(model.pose_bank) else torch.zeros(1, size, device=device)
    render_by = computed_by(generator_part(generator, identity.embedding[None].to(device), pose), said.append)
    draw = partial(generator, render_by=render_by) if render_by else generator
    if model.painter is not None:
        painter = _adapted(model.painter, "painter", identity)
        draw = Painting(identity, model, draw, painter, computed_by(motion_part(painter), said.append))
    for message in dict.fromkeys(said if note else ()):  # each part may say the same
        note(message)
    return draw


def _adapted(part: nn.Module, name: str, identity: Identity) -> nn.Module:
    changed = {k.removeprefix(name + "."): v for k, v in identity.adapted.items() if k.startswith(name + ".")}
    if not changed:
        return part
    with torch.inference_mode(False):
        part = copy.deepcopy(part)
        state = part.state_dict()
        for key, value in changed.items():
            state[key].copy_(value.to(state[key]))
    return part.eval().requires_grad_(False)


class GeneratedHeads(Heads):
    """Lazy heads of one identity performing one pose track; see `Heads`. half, note: see `CarefulDrawing`.

    Raises `BadInput` if identity and performance come from other weights than `model`, or where an engine is asked for that is
    not there.
    """

    def __init__(
        self, identity: Identity, pose: Pose, model: ReenactmentModel, micro_batch: int = 0, half: bool = False,
        note: Callable[[str], None] | None = None,
    ):  # fmt: skip
        require_same_weights(identity, model, "The identity")
        asked_for()  # said before the work
        self.identity, self.pose, self.model = identity, pose, model
        on_cpu = model.generator.constant.device.type == "cpu"
        self.micro_batch = self.together = micro_batch or (ON_CPU if on_cpu else AT_ONCE)
        self.size, self.times = model.configuration.image_size, pose.times
        self.half = half
        self._draw = CarefulDrawing(identity, model, partial(drawing_for, note=note), half, note)

    def retimed(self, times: np.ndarray, end_policy: str) -> "GeneratedHeads":
        heads = GeneratedHeads(self.identity, self.pose.sampled(times, end_policy), self.model, self.micro_batch, self.half)
        heads._draw = self._draw  # what it made ready, and what it learned of the device's memory
        return heads

    @property
    def moments(self) -> np.ndarray:
        return self.pose.moments

    def fingerprint(self) -> str:
        digest = hashlib.sha256(f"heads 8 {self.identity.response} {self.pose.fingerprint()} {self.model.digest}{' half' * self.half}".encode())
        digest.update(self.identity.pictures.tobytes() + self.identity.mattes.tobytes())
        digest.update(self.identity.embedding.numpy().tobytes())
        for name in sorted(self.identity.adapted):
            digest.update(self.identity.adapted[name].numpy().tobytes())
        return digest.hexdigest()

    def __iter__(self) -> Iterator[Head | None]:
        starts = range(0, len(self), self.micro_batch)
        with self._draw.ahead() as drawn_ahead:
            for heads in drawn_ahead(self._batch, starts):
                yield from heads

    def _batch(self, start: int) -> list[Head | None]:
        """The micro-batch that begins at a moment."""
        stop = min(start + self.micro_batch, len(self))
        here = np.flatnonzero(self.pose.present[start:stop])
        drawn = dict(zip(here, self._draw(self.pose.descriptors[start:stop][here]))) if len(here) else {}
        return [drawn.get(index) for index in range(stop - start)]
