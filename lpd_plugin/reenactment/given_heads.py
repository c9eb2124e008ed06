"""Heads drawn elsewhere: pictures and masks of a host, as a performance over time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import BadInput
from .heads import END_POLICIES, Head, Heads
from .pose import folded


def as_array(values: Any) -> np.ndarray:
    """A tensor of whatever device and precision, or an array, as float32."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float().numpy()
    return np.asarray(values, np.float32)


class GivenHeads(Heads):
    """images (N, S, S, 3 or 4) float 0..1, RGB with straight alpha; masks (N, S, S), (1, S, S) or (S, S) float 0..1, or
    None: the pictures' alpha, else all of them. rate: frames a second.

    The batch is kept, not copied: leave it unchanged. Raises `BadInput` for pictures that are not square, and for masks of
    another size or number.
    """

    def __init__(self, images: Any, masks: Any, rate: float):
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[3] not in (3, 4) or 0 in shape:
            raise BadInput(f"heads are a batch of pictures (count, height, width, 3 or 4 channels), not one of the shape {shape}.")
        if shape[1] != shape[2]:
            raise BadInput(f"heads are square pictures; these are {shape[2]}x{shape[1]}: crop them to a square.")
        if masks is not None:
            masks = masks[None] if len(masks.shape) == 2 else masks
            if tuple(masks.shape[1:]) != shape[1:3]:
                size = "x".join(str(length) for length in reversed(masks.shape[1:]))
                raise BadInput(f"the masks are {size}, the pictures {shape[2]}x{shape[1]}: make them the same size.")
            if len(masks) not in (1, shape[0]):
                raise BadInput(f"there are {len(masks)} masks for {shape[0]} pictures: give one for all, or one each.")
        self._images, self._masks, self._rows = images, masks, np.arange(shape[0])
        self.size, self.rate = shape[1], rate
        self.times = self._rows / rate

    def retimed(self, times: np.ndarray, end_policy: str) -> "GivenHeads":
        if end_policy not in END_POLICIES:
            raise BadInput(f"Unknown end policy '{end_policy}'; choose one of: {', '.join(END_POLICIES)}.")
        wanted = np.asarray(times, np.float64)
        moments, alive = folded(wanted, len(self.times) / self.rate, float(self.times[-1]), end_policy)
        after = np.clip(np.searchsorted(self.times, moments), 1, max(1, len(self.times) - 1))
        after = np.minimum(after, len(self.times) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(moments - self.times[before] <= self.times[after] - moments, before, after)
        heads = GivenHeads(self._images, self._masks, self.rate)
        heads._rows, heads.times = np.where(alive, self._rows[nearest], -1), wanted
        return heads

    def __iter__(self) -> Iterator[Head | None]:
        for row in self._rows:
            if row < 0:
                yield None
                continue
            picture = as_array(self._images[row])
            if self._masks is not None:
                matte = as_array(self._masks[0 if len(self._masks) == 1 else row])
            else:
                matte = picture[..., 3] if picture.shape[2] == 4 else np.ones(picture.shape[:2], np.float32)
            yield Head(np.clip(picture[..., :3], 0, 1), np.clip(matte, 0, 1))

    def fingerprint(self) -> str:
        digest = hashlib.sha256(f"{self.rate!r}".encode() + self._rows.tobytes() + self.times.tobytes())
        for batch in (self._images, self._masks):
            for one in () if batch is None else batch:
                digest.update(np.ascontiguousarray(as_array(one)).tobytes())
        return digest.hexdigest()
