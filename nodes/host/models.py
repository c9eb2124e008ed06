"""Model files as a host keeps them: in its models folder `lpd`, and wherever its extra_model_paths say."""

from __future__ import annotations

import os

import folder_paths

from lpd_plugin.errors import BadInput
from lpd_plugin.graph.inputs import Model

KEY, SUFFIXES = "lpd", {".safetensors"}


def register_folder() -> None:
    """Make `models/lpd` a folder of the host's, and let it list safetensors files only."""
    folder_paths.add_model_folder_path(KEY, os.path.join(folder_paths.models_dir, KEY))
    paths = folder_paths.folder_names_and_paths[KEY][0]
    folder_paths.folder_names_and_paths[KEY] = (paths, set(SUFFIXES))  # a new key would list every file


def listed_models(one: Model) -> tuple[str, ...]:
    """What to choose from: the embedded ones first, then the files."""
    return (*one.listed(), *(name for name in folder_paths.get_filename_list(KEY) if not name.endswith(".lpd.safetensors")))


def resolved_model(one: Model, value: str) -> str:
    """The embedded name, or the file's path. Raises `BadInput` where there is neither."""
    if value in one.listed() or os.path.isfile(os.path.expanduser(value)) and os.path.isabs(os.path.expanduser(value)):
        return os.path.expanduser(value)
    if path := folder_paths.get_full_path(KEY, value):
        return path
    folders = " or ".join(folder_paths.get_folder_paths(KEY))
    raise BadInput(f'input "{one.name}": there is no {value} in {folders}; choose one of {", ".join(listed_models(one))}')
