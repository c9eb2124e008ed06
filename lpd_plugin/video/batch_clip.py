"""An IMAGE batch of a host as a clip."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import cached_property

import av
import numpy as np

from ..errors import BadInput
from .clip import AudioSource
from .images import image_to_picture, unit_to_integers
from .indexed_clip import IndexedClip, as_rate
from .still_clip import info_of


def _as_array(image) -> np.ndarray:
    """A torch tensor, of whatever device and precision, or an array, as an array."""
    if hasattr(image, "detach"):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    return np.asarray(image)


class BatchClip(IndexedClip):
    """Frames of a torch tensor or numpy array (B, H, W, C): C is 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha).

    Floats run from 0 to 1, uint8 and uint16 over their whole range. Frames are converted when pulled, to `depth`
    (8 or 16) bits. The batch is kept, not copied: leave it unchanged. Raises BadInput for other shapes.
    """

    def __init__(self, images, rate: Fraction | float = 25, depth: int = 8):
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[3] not in (1, 3, 4) or 0 in shape:
            raise BadInput(f"an image batch has the shape (frames, height, width, 1, 3 or 4 channels), not {shape}.")
        self._images, self._depth = images, depth
        rate = as_rate(rate)
        info = info_of(image_to_picture(self.integers(0)), rate, shape[0])
        super().__init__(info, [index / rate for index in range(shape[0])], shape[0] / rate)

    def integers(self, position: int) -> np.ndarray:
        """One image: uint8 or uint16, shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."""
        image = _as_array(self._images[position])
        image = image[..., 0] if image.shape[-1] == 1 else image
        return image if image.dtype in (np.uint8, np.uint16) else unit_to_integers(image, self._depth)

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "BatchClip":
        part = super().trimmed(in_point, out_point)
        if self.audio is not None:
            part.audio = AudioSource(self.audio.path, *part._window)
        return part

    def _picture(self, position: int) -> av.VideoFrame:
        return image_to_picture(self.integers(position))

    @cached_property
    def _content(self) -> str:
        digest = hashlib.sha256()
        for position in range(len(self._images)):
            digest.update(np.ascontiguousarray(self.integers(position)))
        return digest.hexdigest()

    def _digest(self, window: tuple) -> str:
        parts = (self._content, tuple(self._images.shape), self._depth, str(self._whole_info.rate), window)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def describe(self) -> str:
        return f"a batch of {len(self._images)} images"


def with_alpha(images, masks):
    """An image batch (B, H, W, 1, 3 or 4) with masks (B, H, W), (1, H, W) or (H, W) as its straight alpha: (B, H, W, 4).

    A lazy view: pictures are joined when they are asked for. Raises BadInput for masks of another size or number.
    """
    masks = masks[None] if len(masks.shape) == 2 else masks
    if tuple(masks.shape[1:3]) != tuple(images.shape[1:3]):
        sizes = [f"{one.shape[2]}x{one.shape[1]}" for one in (masks, images)]
        raise BadInput(f"the masks are {sizes[0]}, the images {sizes[1]}: make them the same size.")
    if len(masks) not in (1, len(images)):
        raise BadInput(f"there are {len(masks)} masks for {len(images)} images: give one for all, or one each.")
    return _Joined(images, masks)


class _Joined:
    """A batch whose pictures get their alpha when they are asked for."""

    def __init__(self, images, masks):
        self._images, self._masks = images, masks
        self.shape = (*images.shape[:3], 4)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, position: int) -> np.ndarray:
        colour = _as_array(self._images[position])[..., :3]
        colour = np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour
        alpha = _as_array(self._masks[0 if len(self._masks) == 1 else position])
        return np.dstack([colour, alpha])
