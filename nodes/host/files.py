"""Paths as a host means them: relative ones lie in its input or output folder."""

from __future__ import annotations

import os
from typing import Any

from lpd_plugin.errors import BadInput
from lpd_plugin.graph.inputs import File, Model, Widget
from lpd_plugin.whole_files import numbered


def resolved(one: Widget, value: Any) -> Any:
    """A widget's value in the type that `run` gets; for a `File` the path with the host's folder before it.

    A file to read may carry the host's mark of a folder ("clip.mp4 [output]"); an absolute path stays.
    A file to write has to lie in the output folder: the host may be open to others than its owner.
    """
    if isinstance(one, Model) and value:
        from .models import resolved_model

        return resolved_model(one, value)
    if not isinstance(one, File) or not value:
        return one.converted(value)
    return _to_write(one, value) if one.writes else _to_read(value)


def _to_read(value: str) -> str:
    import folder_paths

    if os.path.isabs(os.path.expanduser(value)):
        return os.path.expanduser(value)
    name, folder = folder_paths.annotated_filepath(value)
    folder = folder or folder_paths.get_input_directory()
    path = os.path.normpath(os.path.join(folder, name.strip()))
    if not _inside(path, folder):
        raise BadInput(f"{value} leads out of the folder {folder}; give a path inside it, or an absolute one")
    return path


def _to_write(one: File, value: str) -> str:
    import folder_paths

    folder = folder_paths.get_output_directory()
    path = os.path.normpath(os.path.join(folder, os.path.expanduser(value)))
    if not _inside(path, folder):
        raise BadInput(f'input "{one.name}": {value} lies outside the output folder {folder}; give a path inside it')
    return numbered(path)


def taken(widgets: list[Widget], given: dict[str, Any]) -> str | None:
    """What is wrong with files to write that are there already, or None."""
    for one in widgets:
        path = given[one.name] if isinstance(one, File) and one.writes else None
        if path and os.path.isfile(path) and given.get("overwrite") is False:
            return f'input "{one.name}": {path} exists already; choose another name, one with %count%, or allow it to be overwritten'
    return None


def missing(one: Widget, path: Any) -> str | None:
    """What is wrong with a resolved path to read that nothing lies at, or None. Patterns of names are let through."""
    if not isinstance(one, File) or one.writes or not path or os.path.exists(path) or set("%#*?") & set(path):
        return None
    return f'input "{one.name}": {path} does not exist; check the name'


def _inside(path: str, folder: str) -> bool:
    folder = os.path.normpath(os.path.abspath(folder))
    return os.path.commonpath([folder, os.path.abspath(path)]) == folder
