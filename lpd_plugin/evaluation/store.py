"""Finished units in a folder: what a stopped run need not do again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from ..errors import BadInput
from ..whole_files import write_tensors, written_whole
from .protocols.unit import Unit

UNITS = "units"


@dataclass(frozen=True)
class Key:
    """A unit: what was done to whom."""

    protocol: str
    subject: str
    person: str


class UnitStore:
    """Units below `folder`/units, a JSON line each with its pictures and arrays beside; written whole or not at all.

    A unit counts as finished where its line has the fingerprint asked for and everything beside is there: what it was
    made of has not changed.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder) / UNITS

    def finished(self, key: Key, fingerprint: str) -> bool:
        """Whether it need not be done again."""
        record = self._line(key)
        if record.get("fingerprint") != fingerprint:
            return False
        return all(self.picture_file(key, name).is_file() for name in record["pictures"]) and (
            not record["arrays"] or self._stem(key, ".safetensors").is_file()
        )

    def write(self, key: Key, fingerprint: str, unit: Unit) -> None:
        """Keep a unit; the line, which makes it count, comes last. Raises `BadInput` like `written_whole`."""
        import torch

        self._stem(key, ".json").parent.mkdir(parents=True, exist_ok=True)
        for name, data in unit.pictures.items():
            with written_whole(self.picture_file(key, name)) as part:
                part.write_bytes(data)
        if unit.arrays:
            write_tensors(self._stem(key, ".safetensors"), {k: torch.from_numpy(v) for k, v in unit.arrays.items()})
        record = {
            "fingerprint": fingerprint, "protocol": key.protocol, "subject": key.subject, "person": key.person,
            "about": unit.about, "frames": unit.frames, "runs": unit.runs, "worst": unit.worst,
            "pictures": sorted(unit.pictures), "arrays": sorted(unit.arrays),
        }  # fmt: skip
        with written_whole(self._stem(key, ".json")) as part:
            part.write_text(json.dumps(record, allow_nan=False) + "\n", encoding="utf-8")

    def read(self, key: Key) -> Unit:
        """A finished unit, without its pictures. Raises `BadInput` where it is not there or damaged."""
        record, arrays = self._line(key), {}
        try:
            if record["arrays"]:
                arrays = load_file(self._stem(key, ".safetensors"))
            return Unit(record["about"], record["frames"], record["runs"], {}, record["worst"], arrays)
        except (KeyError, OSError, SafetensorError) as error:
            raise BadInput(f"{self._stem(key, '')} is damaged ({error}): delete it and run the same command again.") from error

    def picture_file(self, key: Key, name: str) -> Path:
        """Where a unit's picture lies."""
        return self._stem(key, f".{name}.jpg")

    def _line(self, key: Key) -> dict:
        try:
            return json.loads(self._stem(key, ".json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            return {}

    def _stem(self, key: Key, suffix: str) -> Path:
        return self.folder / key.protocol / file_name(key.subject) / (file_name(key.person) + suffix)


def file_name(name: str) -> str:
    """A name as a file's: where that changes it, with digits that keep different names different."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
