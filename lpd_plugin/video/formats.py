"""Named output formats. Each is a YAML file: container, codec, options; users can bring their own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import av
import yaml

from ..errors import BadInput
from .pixel_formats import PLANAR_EQUIVALENTS

_FOLDER = Path(__file__).parent / "formats"


@dataclass(frozen=True)
class Format:
    """How a clip is written.

    pixel_format: "keep" for the clip's own, or one name, or names for "even" and "odd" sizes. audio_copy: names of
    codecs whose packets the container takes as they are (None: any); others are re-encoded to `audio_otherwise`,
    or left out where that is None. edit_lists: whether the container can hide audio before time 0.
    """

    name: str
    description: str
    container: str
    suffixes: tuple[str, ...]
    codec: str
    pixel_format: str | dict[str, str]
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    audio_copy: tuple[str, ...] | None = None
    audio_otherwise: str | None = None
    edit_lists: bool = False

    def pixel_format_for(self, own: str, width: int, height: int) -> str:
        """The pixel format to encode a clip of planar format `own` and this size in. Raises BadInput if none fits."""
        accepted = {accepted.name for accepted in av.Codec(self.codec, "w").video_formats or ()}
        if self.pixel_format == "keep":
            # RGB codecs often take only packed pixels; they hold the same samples.
            same = [own, *(packed for packed, planar in PLANAR_EQUIVALENTS.items() if planar == own)]
            chosen = next((name for name in same if name in accepted), None)
        elif isinstance(self.pixel_format, dict):
            chosen = self.pixel_format["odd" if width % 2 or height % 2 else "even"]
        else:
            chosen = self.pixel_format
        if chosen not in accepted:
            raise BadInput(
                f"the format {self.name} ({self.codec}) cannot hold {chosen or own} pictures: choose another format."
            )
        return chosen


def list_formats() -> dict[str, str]:
    """Name and description of every format that comes with LPD."""
    return {path.stem: load_format(path.stem).description for path in sorted(_FOLDER.glob("*.yaml"))}


def load_format(name: str | os.PathLike) -> Format:
    """A format by name, or from a YAML file of the user's. Raises BadInput naming the file and what is wrong in it."""
    text = os.fspath(name)
    if text.endswith((".yaml", ".yml")):
        path = Path(text).expanduser()
    else:
        path = _FOLDER / f"{text}.yaml"
    if not path.is_file() or os.path.basename(path.stem) != path.stem:
        known = ", ".join(entry.stem for entry in sorted(_FOLDER.glob("*.yaml")))
        raise BadInput(f"there is no output format {text!r}: choose one of {known}, or give the path of a YAML file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML ({' '.join(str(error).split())}): correct it there.") from None
    return _checked(content, path)


def _checked(content: object, path: Path) -> Format:
    """The format described by a file's content; every complaint names the file and the key."""

    def part(mapping: object, key: str, kinds: type | tuple, default=...):
        if not isinstance(mapping, dict):
            raise BadInput(f"{path}: expected keys and values around {key!r}: see the formats that come with LPD.")
        value = mapping.get(key, default)
        if value is ...:
            raise BadInput(f"{path}: the key {key!r} is missing: add it.")
        if not isinstance(value, kinds):
            raise BadInput(f"{path}: {key!r} is {value!r}, which is of the wrong kind: see the formats that come with LPD.")
        return value

    video, audio = part(content, "video", dict), part(content, "audio", dict, {})
    copied = part(audio, "copy", (list, str), [])
    fmt = Format(
        name=path.stem,
        description=part(content, "description", str, ""),
        container=part(content, "container", str),
        suffixes=tuple(str(suffix).lower() for suffix in part(content, "suffixes", list)),
        codec=part(video, "codec", str),
        pixel_format=part(video, "pixel_format", (str, dict)),
        options={str(key): str(value) for key, value in part(video, "options", dict, {}).items()},
        container_options={str(k): str(v) for k, v in part(content, "container_options", dict, {}).items()},
        audio_copy=None if copied == "any" else tuple(copied),
        audio_otherwise=part(audio, "otherwise", (str, type(None)), None),
        edit_lists=part(content, "edit_lists", bool, False),
    )
    if isinstance(fmt.pixel_format, dict) and set(fmt.pixel_format) != {"even", "odd"}:
        raise BadInput(f"{path}: 'pixel_format' needs the keys even and odd, or one name, or keep.")
    if not fmt.suffixes:
        raise BadInput(f"{path}: 'suffixes' is empty: name at least one, such as .mp4.")
    for codec in filter(None, (fmt.codec, fmt.audio_otherwise)):
        _require_encoder(codec, path)
    if fmt.container not in av.formats_available:
        raise BadInput(f"{path}: this FFmpeg knows no container {fmt.container!r}: use another, such as mp4.")
    return fmt


def _require_encoder(codec: str, path: Path) -> None:
    try:
        av.Codec(codec, "w")
    except ValueError:
        raise BadInput(f"{path}: this FFmpeg has no encoder {codec!r}: use another, such as libx264.") from None
