"""The new head alone, with alpha, in the footage's frame: for a compositor to lay over it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np

from ..video.clip import AudioSource, Clip, ClipInfo, ColourTags, Frame
from ..video.colour import FULL, RGB_MATRIX, coded_picture, is_grey, is_rgb, sample_range, yuv_matrix
from ..video.planes import bit_depth, plane_views, set_tags
from .composite_clip import CompositeClip
from .layer import Layer

_BLEED = 16  # pixels that straight colours go on beyond the matte
_FAINT = 1 / 255  # alpha up to which a pixel is no edge


class ElementClip(Clip):
    """Pictures of the footage's size, transparent but for the new head.

    Over YUV footage 4:4:4 with alpha in its own matrix, range and transfer, at least 10 bits; over RGB and grey, RGB of
    16 bits. Straight: colours go on a little beyond the edge, so that filtering does not darken it. premultiplied:
    colours, as coded, times alpha. Laid over the footage without its head it gives the composite; the sound is the
    footage's.
    """

    needs_alpha = True

    def __init__(self, composite: CompositeClip, premultiplied: bool = False):
        self.composite, self.premultiplied = composite, premultiplied

    @property
    def info(self) -> ClipInfo:
        own = self.composite.info
        pixel_format, colour = _element_format(own)
        return replace(own, pixel_format=pixel_format, colour=colour, premultiplied=self.premultiplied)

    @property
    def audio(self) -> AudioSource | None:
        return self.composite.audio

    @property
    def report(self):
        """What happened to which frame, as the composite says."""
        return self.composite.report

    def timestamps(self) -> list[Fraction]:
        return self.composite.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> ElementClip:
        return ElementClip(self.composite.trimmed(in_point, out_point), self.premultiplied)

    def fingerprint(self) -> str:
        said = f"element {self.premultiplied} {self.composite.fingerprint()}"
        return hashlib.sha256(said.encode()).hexdigest()

    def describe(self) -> str:
        return f"head element over {self.composite.footage.describe()}"

    def frames(self, start: int = 0) -> Iterator[Frame]:
        info = self.info
        for frame, layer in self.composite.layers(start):
            yield Frame(frame.index, frame.time, self._picture(info, layer))

    def _picture(self, info: ClipInfo, layer: Layer | None) -> av.VideoFrame:
        picture = _transparent(info)
        if layer is None or not layer.head.any():
            return picture
        alpha = np.clip(layer.head, 0, 1)
        rgb = layer.colour * alpha[..., None] if self.premultiplied else layer.colour
        part = coded_picture(rgb.astype(np.float32), alpha, info.pixel_format, info.colour)
        shown = np.ones(alpha.shape, bool) if self.premultiplied else _widened(alpha > _FAINT) | (alpha > 0)
        for whole, samples in zip(plane_views(picture), plane_views(part), strict=True):
            np.copyto(whole[layer.rect.slices()], samples, where=shown)
        return picture


def _element_format(footage: ClipInfo) -> tuple[str, ColourTags]:
    """Pixel format and tags; matrix and range are named even where the footage leaves them open."""
    name, tags = footage.pixel_format, footage.colour
    if is_rgb(name) or is_grey(name):
        return "gbrap16le", replace(tags, range=FULL, matrix=RGB_MATRIX)
    depth = next(depth for depth in (10, 12, 16) if bit_depth(name) <= depth)
    tags = replace(tags, range=sample_range(tags, name), matrix=yuv_matrix(tags, footage.height))
    return f"yuva444p{depth}le", tags


def _transparent(info: ClipInfo) -> av.VideoFrame:
    """Black without any alpha."""
    picture = av.VideoFrame(info.width, info.height, info.pixel_format)
    black = coded_picture(np.zeros((1, 1, 3), np.float32), np.zeros((1, 1)), info.pixel_format, info.colour)
    for plane, sample in zip(plane_views(picture), plane_views(black), strict=True):
        plane[...] = sample[0, 0]
    set_tags(picture, info.colour)
    return picture


def _widened(inside: np.ndarray) -> np.ndarray:
    """With a margin of `_BLEED` pixels around."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BLEED + 1,) * 2)
    return cv2.dilate(inside.astype(np.uint8), kernel) > 0
