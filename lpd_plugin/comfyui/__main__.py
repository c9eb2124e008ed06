"""Writes, or with --check compares, everything that is made for ComfyUI's editor."""

from __future__ import annotations

import sys
from pathlib import Path

from ..whole_files import written_whole
from .pages import pages
from .templates import templates
from .translations import translations

ROOT = Path(__file__).resolve().parents[2]


def made() -> dict[str, str]:
    """Every file by its path in the checkout, as it has to be."""
    return {**templates(), **pages(ROOT), **translations(ROOT)}


def differing(root: Path = ROOT) -> list[str]:
    """Files that are missing or not as they have to be, and those left from nodes and presets that are gone."""
    wanted = made()
    changed = [name for name, text in wanted.items() if not _is(root / name, text)]
    found = [*root.glob("example_workflows/*.json"), *root.glob("web/docs/**/*.md"), *root.glob("locales/*/*.json")]
    names = [path.relative_to(root).as_posix() for path in found if path.name != "words.json"]
    return changed + [name for name in names if name not in wanted]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them. Returns the exit code."""
    names = differing()
    if "--check" in arguments:
        for name in names:
            print(f"{name} is out of date: run python -m lpd_plugin.comfyui")
        return 1 if names else 0
    wanted = made()
    for name in names:
        path = ROOT / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_text(wanted[name], encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
