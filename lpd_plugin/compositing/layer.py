"""The new head over one frame's scene: the colours and the alpha that are laid over the footage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..reenactment.heads import Head
from .matte.edge import EdgeOptions, matte_on_rect, refine_matte, smoothstep
from .picture.region import Rect
from .picture.square import square_to_rect
from .plate.fill import push_pull
from .scene import Scene


@dataclass(frozen=True)
class Layer:
    """What is laid over a picture: rgb float32 (height, width, 3), straight, and alpha (height, width) on `rect`.

    head: the part of alpha that is the new head. alpha may also cover where the original head was.
    """

    rect: Rect
    rgb: np.ndarray
    alpha: np.ndarray
    head: np.ndarray


def lay_over(scene: Scene, head: Head | None, edge: EdgeOptions) -> Layer:
    """The new head in front of the scene's background; without a head the background alone (a clean plate)."""
    look = scene.look
    if head is None:
        return Layer(look.rect, scene.background, scene.removal, np.zeros_like(scene.removal))
    matte = refine_matte(matte_on_rect(head.matte, look.box, look.rect), edge)
    # Where the region fades out, the footage itself comes back, not its background: both parts fade alike.
    front, behind = matte * scene.allowed, (1 - matte) * scene.removal
    alpha = front + behind
    rgb = square_to_rect(_bled(head), look.box, look.rect)
    share = (front / np.maximum(alpha, 1e-6))[..., None]
    return Layer(look.rect, scene.background + share * (rgb - scene.background), alpha, front)


def _bled(head: Head) -> np.ndarray:
    """The head's colours carried on outwards over its edge: beyond the matte a generator draws anything, mostly
    black, and enlarging would mix that in."""
    certain = smoothstep((head.matte - 0.4) / 0.4)
    return head.rgb if certain.min() >= 1 else push_pull(head.rgb, certain)
