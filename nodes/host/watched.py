"""Computed values on their way through a host: what is drawn is seen on the node that draws it, and drawn once."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import comfy.utils
import folder_paths
import numpy as np

from lpd_plugin.errors import LpdError
from lpd_plugin.reenactment.heads import Head, Heads
from lpd_plugin.video.clip import Clip, Frame
from lpd_plugin.video.encoding import Encoding
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.formats import load_format
from lpd_plugin.video.indexed_clip import IndexedClip
from lpd_plugin.video.timing import exact_time_base

PREVIEW_SIZE = 512  # pixels along the longer side, as the host's own previews
PREVIEW_SECONDS = 0.5


class NodePreview:
    """The picture a node shows while somebody else pulls from it: a few a second, from the thread that runs a node."""

    def __init__(self, node_id: str):
        self.node_id = node_id
        self._bar: Any = None
        self._last = 0.0

    def show(self, picture, done: int, total: int) -> None:
        """picture: called for uint8 RGB (H, W, 3) when it is time for one."""
        now = time.monotonic()
        if not self.node_id or now - self._last < PREVIEW_SECONDS:
            return
        from PIL import Image  # the host's own dependency

        self._last = now
        if self._bar is None:
            self._bar = comfy.utils.ProgressBar(max(total, 1), node_id=self.node_id)
        self._bar.update_absolute(done, max(total, 1), preview=("JPEG", Image.fromarray(picture()), PREVIEW_SIZE))

    def done(self) -> None:
        """The node no longer works; where the host keeps book of that, it is told."""
        if self._bar is None:
            return
        self._bar = None
        with contextlib.suppress(ImportError, AttributeError):
            from comfy_execution.progress import get_progress_state

            get_progress_state().finish_progress(self.node_id)


def watched(value: Any, node_id: str, consumers: int) -> Any:
    """A clip or heads that a node computes, as the host passes them on; `consumers`: how many links lead away."""
    if isinstance(value, Heads):
        return WatchedHeads(value, NodePreview(node_id))
    if isinstance(value, Clip) and not isinstance(value, (FileClip, IndexedClip, WatchedClip)):
        return WatchedClip(value, NodePreview(node_id), keep=consumers > 1)
    return value


class WatchedClip(Clip):
    """A computed clip that is seen while it is computed. With `keep` its frames are put aside losslessly in the host's
    temporary folder as the first consumer pulls them, for the others; the file goes with this object."""

    def __init__(self, clip: Clip, preview: NodePreview, keep: bool):
        self.clip, self.preview, self.keep = clip, preview, keep
        self._kept: str | None = None

    info = property(lambda self: self.clip.info)
    audio = property(lambda self: self.clip.audio)
    notes = property(lambda self: self.clip.notes)
    needs_alpha = property(lambda self: self.clip.needs_alpha)

    def __getattr__(self, name: str) -> Any:  # a composite's report and matte
        if name == "clip":
            raise AttributeError(name)
        return getattr(self.clip, name)

    def timestamps(self) -> list[Fraction]:
        return self.clip.timestamps()

    def fingerprint(self) -> str:
        return self.clip.fingerprint()

    def describe(self) -> str:
        return self.clip.describe()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> Clip:
        return WatchedClip(self.clip.trimmed(in_point, out_point), self.preview, keep=False)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        if self._kept is not None and os.path.exists(self._kept):
            yield from self._kept_frames(start)
            return
        total = self.info.frame_count or 0
        with self._keeping(start) as keep:
            try:
                for frame in self.clip.frames(start):
                    keep(frame)
                    self.preview.show(frame.rgb, frame.index + 1, total)
                    yield frame
            finally:
                self.preview.done()

    def _kept_frames(self, start: int) -> Iterator[Frame]:
        times = self.timestamps()
        for frame in FileClip(self._kept).frames(start):
            yield Frame(frame.index, times[frame.index], frame.picture)

    @contextlib.contextmanager
    def _keeping(self, start: int) -> Iterator[Any]:
        """Something that takes every frame. The file counts only when the last frame has gone through it."""
        if not self.keep or start:
            yield lambda frame: None
            return
        folder = folder_paths.get_temp_directory()
        os.makedirs(folder, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix="lpd-kept-", suffix=".mkv", dir=folder)
        os.close(handle)
        spool = _Spool(self.clip, part)
        try:
            yield spool.add
            if spool.finished():
                self._kept = part
                weakref.finalize(self, _remove, part)
        finally:
            if self._kept != part:
                spool.drop()


class _Spool:
    """A file of frames that may fail: then it is given up, and whoever wants them again has them computed again."""

    def __init__(self, clip: Clip, path: str):
        self.path, self._end = path, clip.info.duration
        self._encoding: Encoding | None = None
        with self._given_up_on_errors():
            time_base = exact_time_base(clip.timestamps(), clip.info.rate)
            self._encoding = Encoding(_Silent(clip), path, load_format("ffv1"), {}, time_base)

    def add(self, frame: Frame) -> None:
        if self._encoding is not None:
            with self._given_up_on_errors():
                self._encoding.add(frame)

    def finished(self) -> bool:
        if self._encoding is not None:
            with self._given_up_on_errors():
                self._encoding.finish(self._end)
        whole, self._encoding = self._encoding is not None, None
        return whole

    def drop(self) -> None:
        if self._encoding is not None:
            with contextlib.suppress(Exception):
                self._encoding.close()
            self._encoding = None
        _remove(self.path)

    @contextlib.contextmanager
    def _given_up_on_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, LpdError) as error:  # a full disk, or a picture that the codec does not know
            logging.getLogger("lpd").info("frames are not kept for the next consumer: %s", error)
            self.drop()


class _Silent(Clip):
    """A clip's pictures without its sound."""

    def __init__(self, clip: Clip):
        self.info, self._clip = clip.info, clip

    def frames(self, start: int = 0) -> Iterator[Frame]:
        return self._clip.frames(start)

    def timestamps(self) -> list[Fraction]:
        return self._clip.timestamps()

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> Clip:
        return _Silent(self._clip.trimmed(in_point, out_point))

    def fingerprint(self) -> str:
        return self._clip.fingerprint()


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(path)


class WatchedHeads(Heads):
    """Heads that are seen on their node while they are drawn."""

    def __init__(self, heads: Heads, preview: NodePreview):
        self.heads, self.preview = heads, preview

    size = property(lambda self: self.heads.size)
    times = property(lambda self: self.heads.times)
    reach = property(lambda self: self.heads.reach)
    together = property(lambda self: self.heads.together)
    moments = property(lambda self: self.heads.moments)

    def __getattr__(self, name: str) -> Any:
        if name == "heads":
            raise AttributeError(name)
        return getattr(self.heads, name)

    def retimed(self, times: np.ndarray, end_policy: str) -> Heads:
        return WatchedHeads(self.heads.retimed(times, end_policy), self.preview)

    def fingerprint(self) -> str:
        return self.heads.fingerprint()

    def __iter__(self) -> Iterator[Head | None]:
        try:
            for index, head in enumerate(self.heads):
                if head is not None:
                    self.preview.show(lambda: _seen(head), index + 1, len(self))
                yield head
        finally:
            self.preview.done()


def _seen(head: Head) -> np.ndarray:
    return (np.clip(head.rgb * head.matte[..., None], 0, 1) * 255).round().astype(np.uint8)
