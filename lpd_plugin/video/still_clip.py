"""Photos and image sequences as clips."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from fractions import Fraction

import av
import numpy as np

from ..errors import BadInput
from .clip import ClipInfo
from .images import SUFFIXES, image_to_picture, read_picture
from .image_tags import rate_in
from .indexed_clip import IndexedClip, as_rate
from .metadata import ALPHA_TAG, PREMULTIPLIED, Metadata, carried
from .planes import tags_of
from .timecode import Timecode


def info_of(picture: av.VideoFrame, rate: Fraction, count: int, **more) -> ClipInfo:
    """The description of a clip of `count` pictures like this one."""
    return ClipInfo(
        width=picture.width,
        height=picture.height,
        rate=rate,
        frame_count=count,
        duration=count / rate,
        time_base=1 / rate,
        pixel_format=picture.format.name,
        colour=tags_of(picture),
        **more,
    )


def _state(path: str) -> tuple:
    status = os.stat(path)
    return (path, status.st_size, status.st_mtime_ns)


class StillClip(IndexedClip):
    """One picture without a time of its own: an image file, or an array.

    Arrays: uint8 or uint16, shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. `rate` is how long the frame lasts when
    written as it is. Raises BadInput when the file is missing or no image.
    """

    def __init__(self, source: str | os.PathLike | np.ndarray, rate: Fraction | float = 25):
        if isinstance(source, np.ndarray):
            self._name = "a picture"
            image = np.ascontiguousarray(source)
            self._only = image_to_picture(image)  # one picture is within any bound
            self._identity = (image.shape, image.dtype.str, hashlib.sha256(image).hexdigest())
        else:
            self._only, _ = read_picture(source)
            self._name = os.path.basename(source)
            self._identity = _state(os.path.abspath(source))
        rate = as_rate(rate)
        super().__init__(info_of(self._only, rate, 1, is_still=True), [Fraction(0)], 1 / rate)

    def _picture(self, position: int) -> av.VideoFrame:
        return self._only

    def trimmed(self, in_point: Fraction | None, out_point: Fraction | None) -> StillClip:
        """The same picture: a still has no time to cut."""
        return self

    def _digest(self, window: tuple) -> str:
        return hashlib.sha256(repr(self._identity).encode()).hexdigest()

    def describe(self) -> str:
        return self._name


class SequenceClip(IndexedClip):
    """Numbered images as frames: a folder, or a pattern such as shot_%04d.png, shot_####.png or shot_*.png.

    Frames follow their numbers: one that is missing leaves a gap in time, so that the rest stays in step, and is
    reported in `notes`. Images of other depth or channels are converted like the first; of another size: BadInput.
    Raises BadInput when no image matches.
    """

    def __init__(self, source: str | os.PathLike, rate: Fraction | float | None = None):
        """rate: frames a second; None: what the first image says, else 25."""
        self._source = os.path.abspath(os.fspath(source))
        self._paths, numbers = _matching(self._source)
        self._states = [_state(path) for path in self._paths]
        picture, texts = read_picture(self._paths[0])
        rate = as_rate(rate if rate is not None else rate_in(texts) or 25)
        times = [(number - numbers[0]) / rate for number in numbers]
        gaps = _gaps(numbers)
        if gaps:
            self.notes = (f"{self.describe()} lacks {gaps}: the frame before each gap lasts until the next.",)
        timecode = Timecode.parse(texts.get("timecode", ""), rate)
        metadata = Metadata(tuple(carried(texts).items()), timecode)
        info = info_of(
            picture, rate, len(times), variable_rate=bool(gaps), metadata=metadata,
            premultiplied=texts.get(ALPHA_TAG) == PREMULTIPLIED,
        )  # fmt: skip
        super().__init__(info, times, times[-1] + 1 / rate)

    def _picture(self, position: int) -> av.VideoFrame:
        path, info = self._paths[position], self._whole_info
        picture, _ = read_picture(path)
        if (picture.width, picture.height) != (info.width, info.height):
            raise BadInput(
                f"{path} is {picture.width}x{picture.height}, but {os.path.basename(self._paths[0])} is "
                f"{info.width}x{info.height}: give all images of a sequence the same size."
            )
        return picture if picture.format.name == info.pixel_format else picture.reformat(format=info.pixel_format)

    def _digest(self, window: tuple) -> str:
        return hashlib.sha256(repr((self._states, str(self._whole_info.rate), window)).encode()).hexdigest()

    def describe(self) -> str:
        return os.path.basename(self._source)


def is_pattern(path: str) -> bool:
    """Whether the last part of a path stands for many files (and names no existing file itself)."""
    name = os.path.basename(path)
    return not os.path.exists(path) and bool(re.search(r"%0?\d*d|#|\*|\?", name))


def sequence_files(source: str | os.PathLike) -> list[str]:
    """The images that a folder or a pattern stands for, in the order of their frames. Raises BadInput where there are none."""
    return _matching(os.path.abspath(os.fspath(source)))[0]


def _matching(source: str) -> tuple[list[str], list[int]]:
    """Image files in natural order and their frame numbers; 0, 1, 2, ... where names carry none."""
    if os.path.isdir(source):
        names = [entry.name for entry in os.scandir(source) if entry.is_file() and not entry.name.startswith(".")]
        folder, names = source, [name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]
        if not names:
            raise BadInput(f"the folder {source} has no images in it: choose a folder of PNG, JPEG, TIFF or WebP files.")
    else:
        folder, pattern = os.path.split(source)
        expression = re.compile(_pattern_expression(pattern))
        found = (os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(folder), "*")))
        names = [name for name in found if expression.fullmatch(name)]
        if not names:
            raise BadInput(f"no file matches {source}: check the folder, the name and the number of digits.")
    names.sort(key=_natural)
    return [os.path.join(folder, name) for name in names], _numbers(names)


def _pattern_expression(pattern: str) -> str:
    """shot_%04d.png and shot_####.png: four digits or more; %d: any digits; * and ? as in a shell."""
    parts = re.split(r"(%0?\d*d|#+|\*|\?)", pattern)
    expressions = []
    for part in parts:
        if part.startswith("%") and part.endswith("d") or part.startswith("#"):
            digits = len(part) if part.startswith("#") else int(part[1:-1] or 1)
            expressions.append(rf"\d{{{max(1, digits)},}}")
        else:
            expressions.append({"*": ".*", "?": "."}.get(part, re.escape(part)))
    return "".join(expressions)


def _natural(name: str) -> list:
    return [(int(part), part) if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]


def _numbers(names: list[str]) -> list[int]:
    last_number = re.compile(r"(.*?)(\d+)(\D*)")
    matches = [last_number.fullmatch(name) for name in names]
    numbers = [int(match[2]) for match in matches if match]
    alike = len(numbers) == len(names) and len({(match[1], match[3]) for match in matches}) == 1
    ascending = all(a < b for a, b in zip(numbers, numbers[1:]))
    return numbers if alike and ascending else list(range(len(names)))


def _gaps(numbers: list[int]) -> str:
    """ "frames 12-14 and 20", at most five runs named."""
    runs = [(a + 1, b - 1) for a, b in zip(numbers, numbers[1:]) if b > a + 1]
    named = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs[:5]]
    more = f" and {len(runs) - 5} more runs" if len(runs) > 5 else ""
    total = sum(last - first + 1 for first, last in runs)
    return f"frame{'s' if total > 1 else ''} {', '.join(named)}{more}" if runs else ""
