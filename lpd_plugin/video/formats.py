"""Named output formats. Each is a YAML file: container, codec, options; users can bring their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import yaml

from ..errors import BadInput
from .pixel_choice import has_alpha, is_subsampled, nearest_format
from .pixel_formats import PLANAR_EQUIVALENTS

_FOLDER = Path(__file__).parent / "formats"
SEQUENCE = "sequence"  # the container of formats that write one image file a frame


@dataclass(frozen=True)
class Format:
    """How a clip is written.

    container: FFmpeg's name of it, or "sequence" for one image file a frame. pixel_format: "keep" for the clip's own,
    or names of which the one that loses least is taken, or such names for "even" and "odd" sizes (none: sizes of that
    kind cannot be written). limited_range: full-range YUV is converted, since the container cannot tag it. matrices:
    the ones that can be tagged (H.273 code points; none: any), others are converted to the first. linear: pictures are
    written in linear light, premultiplied (OpenEXR). smallest: width and height that the codec needs.
    audio_copy: names of codecs whose packets the container takes as they are (None: any); others are re-encoded to
    `audio_otherwise`, or left out where that is None. edit_lists: whether the container can hide audio before time 0.
    """

    name: str
    description: str
    container: str
    suffixes: tuple[str, ...]
    codec: str
    pixel_format: str | tuple[str, ...] | dict[str, tuple[str, ...]]
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    limited_range: bool = False
    matrices: tuple[int, ...] = ()
    linear: bool = False
    smallest: tuple[int, int] = (1, 1)
    audio_copy: tuple[str, ...] | None = None
    audio_otherwise: str | None = None
    edit_lists: bool = False

    @property
    def is_sequence(self) -> bool:
        return self.container == SEQUENCE

    @property
    def has_alpha(self) -> bool:
        """Whether it can hold transparency."""
        if self.pixel_format == "keep":
            return any(has_alpha(accepted) for accepted in self._accepted())
        return any(has_alpha(name) for name in self._candidates("even"))

    def pixel_format_for(self, own: str, width: int, height: int) -> str:
        """The pixel format to encode a clip of planar format `own` and this size in. Raises BadInput if none fits."""
        if width < self.smallest[0] or height < self.smallest[1]:
            least = "x".join(map(str, self.smallest))
            raise BadInput(
                f"the format {self.name} needs pictures of at least {least} pixels, these have {width}x{height}: "
                "choose another format."
            )
        accepted = self._accepted()
        if self.pixel_format == "keep":
            # RGB codecs often take only packed pixels; they hold the same samples.
            same = [own, *(packed for packed, planar in PLANAR_EQUIVALENTS.items() if planar == own)]
            wanted = same[:1]
            fitting = [name for name in same if name in accepted][:1]
        else:
            wanted = self._candidates("odd" if width % 2 or height % 2 else "even")
            fitting = [name for name in wanted if name in accepted]
            if not wanted:
                raise BadInput(
                    f"the format {self.name} cannot hold {width}x{height} pictures, only even sizes: choose another "
                    "format, or crop a line."
                )
        if not fitting:
            raise BadInput(
                f"the format {self.name} ({self.codec}) cannot hold {wanted[0]} pictures: choose another format."
            )
        return nearest_format(own, fitting)

    def changes_for_odd_sizes(self, width: int, height: int) -> bool:
        """Whether an odd size is why 4:4:4 is written where an even one would be subsampled."""
        odd = bool(width % 2 or height % 2) and isinstance(self.pixel_format, dict)
        return odd and any(map(is_subsampled, self._candidates("even")))

    def _accepted(self) -> set[str]:
        return {accepted.name for accepted in av.Codec(self.codec, "w").video_formats or ()}

    def _candidates(self, parity: str) -> tuple[str, ...]:
        names = self.pixel_format[parity] if isinstance(self.pixel_format, dict) else self.pixel_format
        return (names,) if isinstance(names, str) else names


def user_folder() -> Path:
    """Where a user's own formats lie: `lpd/formats` in the configuration folder of the XDG specification."""
    base = os.environ.get("XDG_CONFIG_HOME", "")  # by the specification, a relative path is to be ignored
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "lpd" / "formats"


def _files() -> dict[str, Path]:
    """Every named format's file; a user's takes the place of one of the same name that comes with LPD."""
    found = {path.stem: path for folder in (_FOLDER, user_folder()) for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def list_formats() -> dict[str, str]:
    """Name and description of every format: those that come with LPD, and the user's in `user_folder()`.

    A format that cannot be used here (its encoder is missing, its file is wrong) is described by the reason.
    """
    described = {}
    for name in _files():
        try:
            described[name] = load_format(name).description or f"a format of your own, in {user_folder()}"
        except BadInput as error:
            described[name] = f"not available: {error}"
    return described


def formats_with_alpha() -> list[str]:
    """Names of the formats that can be used here and hold transparency."""
    return [fmt.name for fmt in _usable() if fmt.has_alpha]


def _usable() -> Iterator[Format]:
    for name in _files():
        try:
            yield load_format(name)
        except BadInput:
            continue


def load_format(name: str | os.PathLike) -> Format:
    """A format by name, or from a YAML file of the user's. Raises BadInput naming the file and what is wrong in it."""
    text = os.fspath(name)
    path = Path(text).expanduser() if text.endswith((".yaml", ".yml")) else _files().get(text)
    if path is None or not path.is_file():
        known = ", ".join(_files())
        raise BadInput(f"there is no output format {text!r}: choose one of {known}, or give the path of a YAML file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML ({' '.join(str(error).split())}): correct it there.") from None
    return _checked(content, path)


def _part(path: Path, mapping: object, key: str, kinds: type | tuple, default=...):
    """A key's value; every complaint names the file and the key."""
    if not isinstance(mapping, dict):
        raise BadInput(f"{path}: expected keys and values around {key!r}: see the formats that come with LPD.")
    value = mapping.get(key, default)
    if value is ...:
        raise BadInput(f"{path}: the key {key!r} is missing: add it.")
    if not isinstance(value, kinds):
        raise BadInput(f"{path}: {key!r} is {value!r}, which is of the wrong kind: see the formats that come with LPD.")
    return value


def _checked(content: object, path: Path) -> Format:
    def part(mapping: object, key: str, kinds: type | tuple, default=...):
        return _part(path, mapping, key, kinds, default)

    video, audio = part(content, "video", dict), part(content, "audio", dict, {})
    copied = part(audio, "copy", (list, str), [])
    fmt = Format(
        name=path.stem,
        description=part(content, "description", str, ""),
        container=part(content, "container", str),
        suffixes=tuple(str(suffix).lower() for suffix in part(content, "suffixes", list)),
        codec=part(video, "codec", str),
        pixel_format=_pixel_formats(part(video, "pixel_format", (str, list, dict)), path),
        options={str(key): str(value) for key, value in part(video, "options", dict, {}).items()},
        container_options={str(k): str(v) for k, v in part(content, "container_options", dict, {}).items()},
        limited_range=part(video, "limited_range", bool, False),
        matrices=tuple(part(video, "matrices", list, [])),
        linear=part(video, "linear", bool, False),
        smallest=_size(part(video, "smallest", list, [1, 1]), path),
        audio_copy=None if copied == "any" else tuple(copied),
        audio_otherwise=part(audio, "otherwise", (str, type(None)), None),
        edit_lists=part(content, "edit_lists", bool, False),
    )
    if not fmt.suffixes:
        raise BadInput(f"{path}: 'suffixes' is empty: name at least one, such as .mp4.")
    for codec in filter(None, (fmt.codec, fmt.audio_otherwise)):
        _require_encoder(codec, path)
    if not fmt.is_sequence and fmt.container not in av.formats_available:
        raise BadInput(f"{path}: this FFmpeg knows no container {fmt.container!r}: use another, such as mp4.")
    return fmt


def _pixel_formats(value: object, path: Path) -> str | tuple[str, ...] | dict[str, tuple[str, ...]]:
    """As `Format.pixel_format` has them, every name known to FFmpeg."""
    if value == "keep":
        return "keep"
    if isinstance(value, dict):
        if set(value) != {"even", "odd"}:
            raise BadInput(f"{path}: 'pixel_format' needs the keys even and odd, or one name, or a list, or keep.")
        return {parity: _named(names, path) for parity, names in value.items()}
    names = _named(value, path)
    if not names:
        raise BadInput(f"{path}: 'pixel_format' is empty: name at least one, such as yuv420p.")
    return names


def _named(names: object, path: Path) -> tuple[str, ...]:
    names = tuple(str(name) for name in (names if isinstance(names, list) else [names]))
    for name in names:
        try:
            av.VideoFormat(name)
        except ValueError:
            raise BadInput(f"{path}: FFmpeg knows no pixel format {name!r}: use another, such as yuv420p.") from None
    return names


def _size(value: list, path: Path) -> tuple[int, int]:
    if len(value) != 2 or not all(isinstance(number, int) and number > 0 for number in value):
        raise BadInput(f"{path}: 'smallest' is {value!r}: give width and height in pixels, such as [256, 120].")
    return value[0], value[1]


def _require_encoder(codec: str, path: Path) -> None:
    try:
        av.Codec(codec, "w")
    except ValueError:
        raise BadInput(f"{path}: this FFmpeg has no encoder {codec!r}: use another, such as libx264.") from None
