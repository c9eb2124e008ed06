"""Where an image sequence goes: the names of its files, and a folder that is whole or not there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput

_NUMBER = re.compile(r"#+|%0?\d*d")


def is_numbered(path: str | os.PathLike) -> bool:
    """Whether a path's last part has one place for frame numbers: shot.####.exr or shot_%04d.png."""
    return len(_NUMBER.findall(os.path.basename(os.fspath(path)))) == 1


@dataclass(frozen=True)
class SequenceTarget:
    """Files folder/prefix NUMBER suffix, numbers of at least `digits` digits."""

    folder: Path
    prefix: str
    digits: int
    suffix: str

    @classmethod
    def checked(cls, path: str | os.PathLike, overwrite: bool = False) -> SequenceTarget:
        """Ask before the work. The files' own folder may be missing, the one around it may not.

        Raises BadInput for a name without a place for numbers, a folder that is missing or cannot be written to, and
        files of that name (unless `overwrite`).
        """
        whole = Path(os.path.abspath(os.path.expanduser(os.fspath(path))))
        if not is_numbered(whole):
            raise BadInput(
                f"{whole} has no place for frame numbers: put #### into the name, such as {whole.stem}.####{whole.suffix}."
            )
        place = _NUMBER.search(whole.name)
        text = place[0]
        digits = len(text) if text.startswith("#") else int(text[1:-1] or 1)
        target = cls(whole.parent, whole.name[: place.start()], max(1, digits), whole.name[place.end() :])
        target._check(whole, overwrite)
        return target

    def _check(self, whole: Path, overwrite: bool) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput(f"{self.folder} is a file, not a folder: choose another.")
        existing = self.folder if self.folder.exists() else self.folder.parent
        if not existing.is_dir():
            raise BadInput(f"The folder {existing} does not exist: make it first or choose another.")
        if not os.access(existing, os.W_OK):
            raise BadInput(f"The folder {existing} cannot be written to: change its permissions or choose another.")
        present = self.present()
        if present and not overwrite:
            raise BadInput(
                f"{len(present)} images of the name {whole} exist already, such as {present[0].name}: choose another "
                "name or folder, or allow them to be overwritten."
            )

    def present(self) -> list[Path]:
        """The files of this name that are there, by number."""
        if not self.folder.is_dir():
            return []
        expression = re.compile(re.escape(self.prefix) + rf"(\d{{{self.digits},}})" + re.escape(self.suffix))
        found = ((expression.fullmatch(entry.name), entry) for entry in self.folder.iterdir())
        return [entry for _, entry in sorted((int(match[1]), entry) for match, entry in found if match)]

    def name(self, number: int) -> str:
        return f"{self.prefix}{number:0{self.digits}}{self.suffix}"

    def number(self, name: str) -> int:
        """The number in the name of one of the files."""
        return int(name[len(self.prefix) : len(name) - len(self.suffix)])

    @contextlib.contextmanager
    def written_whole(self) -> Iterator[Path]:
        """Give an empty folder beside the target to write the files to; they take their place when the block ends well.

        A folder of its own (missing or empty before) appears in one step. In a folder that holds other things the
        files are moved one by one, and taken out again if one cannot be. Old files of this name go. After an error
        nothing stays and what was there is untouched.
        """
        part = self.folder.with_name(f".{self.folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            yield part
            if not self.folder.exists() or not any(self.folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    self.folder.rmdir()
                os.replace(part, self.folder)
            else:
                self._move_in(part)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _move_in(self, part: Path) -> None:
        aside = part / "replaced"
        aside.mkdir()
        moved: list[tuple[Path, Path]] = []
        try:
            # The new ones are named first: the old ones are then moved into the same folder.
            fresh = sorted(entry for entry in part.iterdir() if entry != aside)
            for source, place in [
                *((old, aside / old.name) for old in self.present()),
                *((new, self.folder / new.name) for new in fresh),
            ]:
                os.replace(source, place)
                moved.append((source, place))
        except OSError:
            for source, place in reversed(moved):
                with contextlib.suppress(OSError):
                    os.replace(place, source)
            raise
