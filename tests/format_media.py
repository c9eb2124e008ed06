"""What the tests of output formats share: a phone's clip, colour patches, and how far they came back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_makers import PictureClip

from lpd_plugin.video.clip import ColourTags
from lpd_plugin.video.colour import coded_picture, coded_rgb
from lpd_plugin.video.formats import list_formats, load_format

VIDEO_FORMATS = [name for name in list_formats() if not load_format(name).is_sequence]
SEQUENCE_FORMATS = [name for name in list_formats() if load_format(name).is_sequence]
PATCHES = (4, 8)  # rows, columns


def target(folder: Path, name: str) -> Path:
    """A path to write the format `name` to."""
    fmt = load_format(name)
    return folder / name / f"shot.####{fmt.suffixes[0]}" if fmt.is_sequence else folder / f"{name}{fmt.suffixes[0]}"


def phone_clip(path: Path, pictures: Sequence[av.VideoFrame], rotation: float = 90, size=(320, 256)) -> Path:
    """H.264 at an uneven rate, held sideways, with a tone that begins 20 ms before the pictures do."""
    ticks = [0, 3001, 6003, 9004, 12010, 18015, 21016, 24018, 27019, 30020, 33021, 36025]  # 1/90000 s, one frame dropped
    ticks = [1800 + tick for tick in ticks]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"bf": "2"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        video.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for picture, tick in zip(pictures, ticks):
            picture = picture.reformat(*size, format="yuv420p")
            picture.pict_type, picture.time_base, picture.pts = 0, Fraction(1, 90000), tick
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(48000 // 2) / 48000 * 2 * np.pi * 440) * 9000
        sound = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
        sound.sample_rate, sound.pts = 48000, 0
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


def patches(pixel_format: str, tags: ColourTags, alpha: bool = False, size: int = 32) -> av.VideoFrame:
    """Flat colours, each `size` pixels wide; with alpha a ramp across them, 0 and 1 included."""
    random = np.random.default_rng(1)
    rgb = np.kron(random.uniform(0.15, 0.85, (*PATCHES, 3)), np.ones((size, size, 1))).astype(np.float32)
    ramp = np.kron(np.linspace(0, 1, PATCHES[0] * PATCHES[1]).reshape(PATCHES), np.ones((size, size)))
    return coded_picture(rgb, ramp.astype(np.float32) if alpha else None, pixel_format, tags)


def patch_clip(pixel_format: str, tags: ColourTags, alpha: bool = False, count: int = 3) -> PictureClip:
    return PictureClip([patches(pixel_format, tags, alpha)] * count)


def patch_means(picture: av.VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """Every patch's mean colour (32, 3), and alpha (32,), away from its borders."""
    rgb, alpha = coded_rgb(picture)
    return _means(rgb).reshape(-1, 3), None if alpha is None else _means(alpha[..., None]).ravel()


def _means(values: np.ndarray) -> np.ndarray:
    rows, columns = PATCHES
    side = values.shape[0] // rows
    cells = values.reshape(rows, side, columns, side, -1)
    return cells[:, side // 4 : -side // 4, :, side // 4 : -side // 4].mean((1, 3))


def ffprobe(path: Path) -> dict:
    """What ffprobe says of a file's video; skips the test where there is none."""
    tool = shutil.which("ffprobe")
    if tool is None:
        pytest.skip("ffprobe is not installed on this machine")
    command = [tool, "-v", "error", "-count_packets", "-show_streams", "-show_format", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
