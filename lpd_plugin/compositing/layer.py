"""The new head over one frame's scene: the colours and the alpha that are laid over the footage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import av
import cv2
import numpy as np

from ..reenactment.heads import Head
from ..video.track import CropBox
from .head.dressing import Dressing
from .matte.edge import EdgeOptions, border_falloff, refine_matte, region_weight
from .picture.region import Rect, box_rect, read_region
from .scene import Scene
from .seamless import met


@dataclass(frozen=True)
class Layer:
    """What is laid over a picture: rgb float32 (height, width, 3), straight, and alpha (height, width) on `rect`.

    head: the part of alpha that is the new head; alpha may also cover where the original head was. colour
    (height, width, 3): the new head's own colours, without the background that rgb mixes in; rgb where there is no head.
    """

    rect: Rect
    rgb: np.ndarray
    alpha: np.ndarray
    head: np.ndarray
    colour: np.ndarray

    def faded(self, weight: float) -> Layer:
        """Less of it, by a weight from 0 to 1."""
        weight = np.float32(weight)
        return self if weight == 1 else replace(self, alpha=weight * self.alpha, head=weight * self.head)


def removal_layer(scene: Scene) -> Layer:
    """The scene's background alone: a clean plate."""
    return Layer(scene.rect, scene.background, scene.removal, np.zeros_like(scene.removal), scene.background)


def lay_over(
    scene: Scene, picture: av.VideoFrame, head: Head, box: CropBox, dressing: Dressing, edge: EdgeOptions, blend: str,
    number: int,
) -> Layer:  # fmt: skip
    """The new head in front of the scene's background.

    box: the square that the head is laid on, mostly the original's own; number: of the frame in the whole composite, which
    seeds its grain; blend: see `seamless`.
    """
    scene = _covering(scene, picture, box)
    rect = scene.rect
    rgb, matte = dressing.drawn(head, box, rect)
    matte = refine_matte(matte, edge)
    # Beyond the square the matte's border repeats: where the new head is cut off there, the old one's hair goes on.
    # Where the region fades out, the footage itself comes back, not its background: both parts fade alike.
    front, behind = matte * _allowed(scene, box, edge), (1 - matte) * scene.removal
    alpha = front + behind
    if blend != "straight":
        under = over(scene.background, scene.rgb, behind / np.maximum(1 - front, 1e-6))
        rgb = met(rgb, under, front, blend)
    mixed = over(rgb, scene.background, front / np.maximum(alpha, 1e-6))
    mixed = dressing.grained(mixed, alpha, front, number, rect)
    return Layer(rect, mixed, alpha, front, rgb)


def over(front: np.ndarray, background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """front over background, (h, w, 3), by alpha (h, w): in OpenCV, which takes half of NumPy's time for three planes."""
    result = cv2.subtract(front, background)
    cv2.multiply(result, cv2.merge([alpha, alpha, alpha]), result)
    return cv2.add(result, background, result)


def _allowed(scene: Scene, box: CropBox, edge: EdgeOptions) -> np.ndarray:
    """Where the head's own square lets it change the footage."""
    if box == scene.look.box:
        return scene.allowed
    inside = box_rect(box, scene.rect.right, scene.rect.bottom)
    weight = region_weight(edge.region, box, scene.rect, scene.neck) * border_falloff(box, scene.rect, edge.border)
    allowed = np.zeros_like(weight)
    place = inside.slices(scene.rect)
    place = tuple(slice(max(0, one.start), max(0, one.stop)) for one in place)
    allowed[place] = weight[place]
    return allowed


def _covering(scene: Scene, picture: av.VideoFrame, box: CropBox) -> Scene:
    """The scene on a rectangle that holds the head's own square, too."""
    rect = scene.rect.union(box_rect(box, picture.width, picture.height))
    if box == scene.look.box or rect == scene.rect:
        return scene
    place, shape = scene.rect.slices(rect), (rect.height, rect.width)
    rgb = read_region(picture, rect)
    background = rgb.copy()
    background[place] = scene.background
    parts = {}
    for name in ("allowed", "confidence", "removal"):
        parts[name] = np.zeros(shape, np.float32)
        parts[name][place] = getattr(scene, name)
    return replace(scene, rect=rect, rgb=rgb, background=background, **parts)
