"""Footage and what became of it in one clip: a wipe, an onion skin, side by side, or the difference."""

from __future__ import annotations

import bisect
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

from ...errors import BadInput
from ...video.clip import AudioSource, Clip, ClipInfo, Frame
from ...video.colour import converted
from ...video.planes import plane_views, set_tags, tags_of
from ...video.regions.components import Component, components_of
from ...video.regions.region import copy_picture

MODES = ("wipe", "onion", "side by side", "difference")
GAIN = 8  # times a difference is shown
LINE = 1 / 400  # of the width: how wide the line of a wipe is


@dataclass(frozen=True)
class ComparisonOptions:
    """mode: one of MODES. position: in a wipe, where the line stands, a share of the width, `before` left of it; in an
    onion skin, how much `after` counts. sweep: seconds in which the line goes from the left border to the right one and
    back, 0 to stand still."""

    mode: str = "wipe"
    position: float = 0.5
    sweep: float = 0.0

    def __post_init__(self):
        if self.mode not in MODES:
            raise BadInput(f'the comparison "{self.mode}" does not exist; choose one of: {", ".join(MODES)}.')
        if not 0 <= self.position <= 1:
            raise BadInput(f"position is {self.position}; it has to lie between 0 and 1.")
        if not 0 <= self.sweep <= 3600:
            raise BadInput(f"sweep is {self.sweep} seconds; it has to lie between 0 and 3600.")

    def line_at(self, seconds: float) -> float:
        """Where a wipe's line stands, a share of the width."""
        if not self.sweep:
            return self.position
        return 1 - abs(2 * (seconds / self.sweep % 1) - 1)


class ComparisonClip(Clip):
    """`before` and `after` in one picture: lazy, as long and with the sound of `after`, in the pixel format, colour tags
    and size of `before` (twice as wide side by side).

    The frame of `before` is the one shown at each moment of `after`; a still holds. Left and right of a wipe's line, and
    side by side, samples are the originals'. A difference is `GAIN` times the absolute one of luma or RGB, on black, and
    of chroma the signed one. Raises `BadInput` where the sizes differ.
    """

    def __init__(self, before: Clip, after: Clip, options: ComparisonOptions = ComparisonOptions()):
        sizes = [(clip.info.width, clip.info.height) for clip in (before, after)]
        if sizes[0] != sizes[1]:
            one, other = (f"{clip.describe()} is {width}x{height}" for clip, (width, height) in zip((before, after), sizes))
            raise BadInput(f"{one} and {other}: give two clips of the same size to compare.")
        self.before, self.after, self.options = before, after, options
        self._offset = Fraction(0)  # of this part's in point in the whole comparison, for the sweep and for `before`

    @property
    def info(self) -> ClipInfo:
        before, after = self.before.info, self.after.info
        own = replace(
            after, pixel_format=before.pixel_format, colour=before.colour, sample_aspect_ratio=before.sample_aspect_ratio
        )
        return replace(own, width=2 * own.width) if self.options.mode == "side by side" else own

    @property
    def audio(self) -> AudioSource | None:
        return self.after.audio

    def timestamps(self) -> list[Fraction]:
        return self.after.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> "ComparisonClip":
        part = copy.copy(self)
        part.after = self.after.trimmed(in_point, out_point)
        part._offset = self._offset + (in_point or 0)
        return part

    def fingerprint(self) -> str:
        parts = (self.before.fingerprint(), self.after.fingerprint(), self.options, self._offset)
        return hashlib.sha256(f"comparison 1 {parts!r}".encode()).hexdigest()

    def describe(self) -> str:
        return f"{self.options.mode} of {self.before.describe()} and {self.after.describe()}"

    def frames(self, start: int = 0) -> Iterator[Frame]:
        times = self.timestamps()
        if start >= len(times):
            return
        old = _Shown(self.before, self._offset + times[start])
        new = self.after.frames(start)
        try:
            for frame in new:
                seconds = self._offset + frame.time
                yield Frame(frame.index, frame.time, self._compared(old.at(seconds), frame.picture, float(seconds)))
        finally:
            old.close()
            if hasattr(new, "close"):
                new.close()

    def _compared(self, before: av.VideoFrame, after: av.VideoFrame, seconds: float) -> av.VideoFrame:
        after = converted(after, before.format.name, tags_of(before))
        planes = list(zip(plane_views(before), plane_views(after), strict=True))
        if self.options.mode == "side by side":
            return _beside(planes, before)
        parts = {part.plane: part for part in components_of(before).parts}
        line = self.options.line_at(seconds)
        picture = copy_picture(before)
        for number, (view, pair) in enumerate(zip(plane_views(picture), planes)):
            view[:] = self._mixed(*pair, parts.get(number), line, before.width)
        return picture

    def _mixed(self, old: np.ndarray, new: np.ndarray, part: Component | None, line: float, width: int) -> np.ndarray:
        """One plane; part None: alpha, which stays `before`'s."""
        if part is None:
            return old
        if self.options.mode == "wipe":
            return _wiped(old, new, part, line, width)
        if self.options.mode == "onion":
            share = np.float32(self.options.position)
            return np.rint(old + share * (new.astype(np.float32) - old)).astype(old.dtype)
        difference = GAIN * (new.astype(np.float32) - old)
        shown = part.zero + (difference if part.lowest < part.zero else np.abs(difference))
        return np.clip(np.rint(shown), part.lowest, part.highest).astype(old.dtype)


def _wiped(old: np.ndarray, new: np.ndarray, part: Component, line: float, width: int) -> np.ndarray:
    step = 1 << part.shift_x
    thick = max(1, round(width * LINE / step / 2)) * 2 * step  # luma pixels, whole chroma samples on both sides
    middle = round(line * width / step) * step
    first, last = (max(0, edge // step) for edge in (middle - thick // 2, middle + thick // 2))
    chroma = part.lowest < part.zero
    wiped = np.concatenate((old[:, :first], new[:, first:]), 1)
    wiped[:, first:last] = round(part.zero) if chroma else part.highest
    return wiped


def _beside(planes: list[tuple[np.ndarray, np.ndarray]], like: av.VideoFrame) -> av.VideoFrame:
    """Pairs of planes as one picture twice as wide; chroma of an odd width loses its last column."""
    wide = av.VideoFrame(2 * like.width, like.height, like.format.name)
    for view, (old, new) in zip(plane_views(wide), planes, strict=True):
        view[:, : old.shape[1]] = old
        view[:, old.shape[1] :] = new[:, : view.shape[1] - old.shape[1]]
    set_tags(wide, tags_of(like))
    wide.pts, wide.time_base = like.pts, like.time_base
    return wide


class _Shown:
    """The picture of a clip that is shown at ascending moments, decoding forwards."""

    def __init__(self, clip: Clip, begin: Fraction):
        self.times = clip.timestamps()
        self.number = max(0, bisect.bisect_right(self.times, begin) - 1)
        self.frames = clip.frames(self.number)
        self.picture = next(self.frames).picture

    def at(self, seconds: Fraction) -> av.VideoFrame:
        """The last frame that began before or at `seconds`; the first one before all."""
        while self.number + 1 < len(self.times) and self.times[self.number + 1] <= seconds:
            frame = next(self.frames, None)
            if frame is None:
                break
            self.number, self.picture = self.number + 1, frame.picture
        return self.picture

    def close(self) -> None:
        if hasattr(self.frames, "close"):
            self.frames.close()
