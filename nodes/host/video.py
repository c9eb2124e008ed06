"""Footage in ComfyUI: an engine clip as the host's VIDEO, streaming, and any VIDEO as an engine clip."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import tempfile
from fractions import Fraction
from typing import Any

import folder_paths
import torch
from comfy_api.input import VideoInput

from lpd_plugin.errors import BadInput, Cancelled
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.clip import Clip
from lpd_plugin.video.colour import coded_rgb
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.pixel_choice import has_alpha
from lpd_plugin.video.planes import bit_depth
from lpd_plugin.video.writer import write_clip

from .running import HostProgress, interrupted
from .sound import decoded_audio


class ClipVideo(VideoInput):
    """An engine clip as the host's VIDEO. Frames are computed when a consumer pulls them, one by one.

    Nothing but `get_components`, which the host defines as the whole clip in memory, holds more than a few.
    """

    def __init__(self, clip: Clip):
        self.clip = clip
        self._rendered: str | None = None

    def __repr__(self) -> str:
        info = self.clip.info
        return f"<ClipVideo {info.width}x{info.height} {self.clip.describe()}>"

    def get_dimensions(self) -> tuple[int, int]:
        return self.clip.info.width, self.clip.info.height

    def get_duration(self) -> float:
        info = self.clip.info
        return float(self.get_frame_count() / info.rate if info.duration is None else info.duration)

    def get_frame_count(self) -> int:
        count = self.clip.info.frame_count
        return len(self.clip.timestamps()) if count is None else count

    def get_frame_rate(self) -> Fraction:
        return self.clip.info.rate

    def get_bit_depth(self) -> int:
        return bit_depth(self.clip.info.pixel_format)

    def get_color_space(self) -> str:
        return {16: "HDR PQ", 18: "HDR"}.get(self.clip.info.colour.transfer, "sRGB")

    @property
    def _has_alpha(self) -> bool:
        return has_alpha(self.clip.info.pixel_format)

    def get_container_format(self) -> str:
        return "mov,mp4,m4a,3gp,3g2,mj2"

    def get_components(self) -> Any:
        """The whole clip: images (N, H, W, 3) float32 0..1, the sound, and alpha (N, H, W) where the host knows of it.

        24 MB a 1080p frame.
        """
        from comfy_api.util import VideoComponents

        width, height = self.get_dimensions()
        images = torch.empty((self.get_frame_count(), height, width, 3), dtype=torch.float32)
        index, more, alphas = -1, {}, None
        if self._has_alpha and "alpha" in {field.name for field in dataclasses.fields(VideoComponents)}:
            alphas = torch.empty(images.shape[:3], dtype=torch.float32)
        with _stoppable() as progress:
            for index, frame in enumerate(progress.track(self.clip.frames(), "frames", len(images))):
                if alphas is None and self.get_bit_depth() == 8:
                    images[index] = torch.from_numpy(frame.rgb()).float() / 255
                    continue
                rgb, alpha = coded_rgb(frame.picture)
                images[index] = torch.from_numpy(rgb).clamp(0, 1)
                if alphas is not None:
                    alphas[index] = torch.from_numpy(alpha)
        if alphas is not None:
            more["alpha"] = alphas[: index + 1]
        audio = decoded_audio(self.clip.audio) if self.clip.audio else None
        return VideoComponents(images=images[: index + 1], audio=audio, frame_rate=self.get_frame_rate(), **more)

    def save_to(
        self, path: str | io.BytesIO, format: Any = None, codec: Any = None, metadata: dict | None = None, **newer: Any
    ) -> None:
        """Write the clip; `newer` takes what later hosts add (quality, depth), which the format decides here."""
        if isinstance(path, (str, os.PathLike)):
            self._write(os.fspath(path), format, codec, metadata)
            return
        with tempfile.TemporaryDirectory(prefix="lpd-", dir=_temp_folder()) as folder:
            part = os.path.join(folder, "clip.mkv" if _name(format) == "mkv" else "clip.mp4")
            self._write(part, format, codec, metadata)
            with open(part, "rb") as file:
                shutil.copyfileobj(file, path)

    def _write(self, path: str, format: Any, codec: Any, metadata: dict | None) -> None:
        with _stoppable() as progress:
            write_clip(self.clip, path, _format(path, format, codec, self._has_alpha), progress, metadata, overwrite=True)

    def get_stream_source(self) -> str:
        """A file with the clip: its own where it is one, else rendered once and kept in the temporary folder."""
        if isinstance(self.clip, FileClip) and self.clip.fingerprint() == FileClip(self.clip.path).fingerprint():
            return self.clip.path
        if self._rendered is None or not os.path.exists(self._rendered):
            path = os.path.join(_temp_folder(), f"lpd-{self.clip.fingerprint()[:32]}.mp4")
            if not os.path.exists(path):
                self._write(path, None, None, None)
            self._rendered = path
        return self._rendered

    def as_trimmed(
        self, start_time: float | None = None, duration: float | None = None, strict_duration: bool = False
    ) -> ClipVideo | None:
        """The part from `start_time` (negative: from the end) of `duration` seconds (0: all); None if too short."""
        length = self.get_duration()
        start = max(0.0, length + start_time) if start_time and start_time < 0 else start_time or 0.0
        if start >= length or (duration or 0.0) < 0 or (strict_duration and start + (duration or 0.0) > length):
            return None
        if not start and not duration:
            return self
        end = Fraction(start + duration) if duration else None
        return ClipVideo(self.clip.trimmed(Fraction(start) if start else None, end))


def as_clip(video: Any) -> Clip:
    """Any VIDEO of the host as a clip: streamed from its file where it has one, with its trims."""
    if isinstance(video, ClipVideo):
        return video.clip
    if type(video).__name__ == "VideoFromFile":
        source = video.get_stream_source()
        path = source if isinstance(source, (str, os.PathLike)) else _kept(source)
        return _trimmed(FileClip(path), *_trims(video))
    components = video.get_components()
    return BatchClip(components.images, components.frame_rate)


def _trims(video: Any) -> tuple[float, float]:
    """Start (negative: from the end) and duration (0: to the end) of a host's file video, in seconds."""
    if hasattr(video, "get_active_trim_window"):
        return video.get_active_trim_window()
    # Up to 0.21 the host keeps them to itself; before 0.4 there are none.
    names = ("_VideoFromFile__start_time", "_VideoFromFile__duration")
    start, duration = (float(getattr(video, name, 0) or 0) for name in names)
    return start, duration


def _trimmed(clip: Clip, start: float, duration: float) -> Clip:
    if start < 0:
        start = max(0.0, float(clip.info.duration or 0) + start)
    if not start and not duration:
        return clip
    end = Fraction(start + duration) if duration else None
    return clip.trimmed(Fraction(start) if start else None, end)


def _kept(source: io.BytesIO) -> str:
    """A video that the host has in memory, as a file in its temporary folder."""
    handle, path = tempfile.mkstemp(prefix="lpd-", suffix=".video", dir=_temp_folder())
    with os.fdopen(handle, "wb") as file:
        shutil.copyfileobj(source, file)
    return path


def _temp_folder() -> str:
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    return folder


def _name(choice: Any) -> str:
    """A container or codec as the host names it, as text."""
    return str(getattr(choice, "value", choice) or "auto").lower()


def _format(path: str, container: Any, codec: Any, alpha: bool = False) -> str:
    """The format that a host's choice of container and codec means for pictures with or without alpha."""
    container, codec = _name(container), _name(codec)
    if container == "auto":
        container = os.path.splitext(path)[1].lstrip(".").lower()
    if container in ("mp4", "m4v") and codec in ("auto", "h264", "h265", "av1"):
        return "h264" if codec == "auto" else codec
    if container == "webm" and codec in ("auto", "vp9") and alpha:
        return "vp9_alpha"
    if container == "mkv" and codec in ("auto", "ffv1"):
        return "ffv1"
    raise BadInput(
        f"{codec} in {container or 'a file without a suffix'} cannot be written from here;"
        " choose mp4 with h264 or av1, or the node Save clip, which lists all formats"
    )


class _stoppable:
    """The host's progress, and its own exception where the engine stops because of it."""

    def __enter__(self) -> HostProgress:
        return HostProgress()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Cancelled):
            raise interrupted() from None
