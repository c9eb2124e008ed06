"""A node's surroundings in ComfyUI: progress bars, the stop button, device, folders, what is shown after a run."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths

from lpd_plugin.cache_folder import default_cache_folder
from lpd_plugin.graph.node import Context, Node
from lpd_plugin.progress import Progress, Task

from . import residency

_PREVIEW_SIZE = 512  # pixels along the longer side, as the host's own previews
_SHOWN_SIZE = 1600  # of what a node shows after its run
_PICTURES, _MOVIES = {".png", ".jpg", ".jpeg", ".webp", ".gif"}, {".mp4", ".m4v", ".webm", ".mov", ".mkv"}


class HostProgress(Progress):
    """Reports to the host's bar on the node, and lets the host's stop button stop the work.

    To be used from the thread that runs the node: the host knows the node by the thread's context.
    """

    def __init__(self, name: str = "LPD"):
        self._name = name
        self._bars: dict[Task, Any] = {}
        self.notes: list[str] = []

    def started(self, task: Task) -> None:
        self.check_cancelled()
        if task.total:
            self._bars[task] = comfy.utils.ProgressBar(task.total)

    def advanced(self, task: Task) -> None:
        if task in self._bars:
            self._bars[task].update_absolute(task.done, task.total)

    def finished(self, task: Task) -> None:
        self._bars.pop(task, None)

    def note(self, message: str) -> None:
        logging.getLogger("lpd").info("%s: %s", self._name, message)
        self.notes.append(message)

    def preview(self, image: Any) -> None:
        from PIL import Image  # the host's own dependency

        task, bar = next(reversed(self._bars.items()), (None, None))
        if bar is not None:
            picture = ("JPEG", Image.fromarray(image), _PREVIEW_SIZE)
            bar.update_absolute(task.done, task.total, preview=picture)

    def check_cancelled(self) -> None:
        # The bar of newer hosts asks this only now and then.
        comfy.model_management.throw_exception_if_processing_interrupted()


def host_context(node: type[Node], hidden: Any) -> Context:
    """The context of one run of a node. The graph is left out where the host's owner wants no metadata."""
    residency.register()
    temp = Path(folder_paths.get_temp_directory())
    temp.mkdir(parents=True, exist_ok=True)
    return Context(
        progress=HostProgress(node.name),
        device=str(comfy.model_management.get_torch_device()),
        cache_folder=default_cache_folder(),
        temp_folder=temp,
        graph=None if metadata_disabled() else getattr(hidden, "prompt", None),
        node_id=str(getattr(hidden, "unique_id", None) or ""),
        shows=True,
    )


def metadata_disabled() -> bool:
    """Whether the host was started with --disable-metadata."""
    from comfy.cli_args import args

    return bool(getattr(args, "disable_metadata", False))


def interrupted() -> BaseException:
    """The host's exception for work stopped by the user."""
    return comfy.model_management.InterruptProcessingException()


def shown(context: Context) -> dict | None:
    """What the editor shows on the node: pictures of the work, files it saved in the host's own folders, its notes."""
    results = [_written(picture, context) for picture in context.shown]
    animated = False
    for path in context.saved:
        if (found := _in_hosts_folders(path)) is not None:
            results.append(found)
            animated |= path.suffix.lower() in _MOVIES
    ui: dict[str, Any] = {}
    if results:
        ui["images"] = results
    if animated:
        ui["animated"] = (True,)
    if notes := getattr(context.progress, "notes", None):
        ui["text"] = list(dict.fromkeys(notes))
    for name, content in context.told.items():
        ui[f"lpd_{name}"] = [_with_files(content, context)]
    return ui or None


def _with_files(content: Any, context: Context) -> Any:
    """JSON-ready content, pictures in it replaced by the files they are written to."""
    if isinstance(content, dict):
        return {key: _with_files(one, context) for key, one in content.items()}
    if isinstance(content, (list, tuple)):
        return [_with_files(one, context) for one in content]
    return _written(content, context) if hasattr(content, "dtype") else content


def _written(picture: Any, context: Context) -> dict[str, str]:
    """A picture, uint8 RGB (H, W, 3), as a file in the temporary folder."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((_SHOWN_SIZE, _SHOWN_SIZE))
    handle, name = tempfile.mkstemp(prefix=f"lpd-{context.node_id.replace(':', '.')}-", suffix=".png", dir=context.temp_folder)
    with os.fdopen(handle, "wb") as file:
        image.save(file, "PNG", compress_level=1)
    return {"filename": os.path.basename(name), "subfolder": "", "type": "temp"}


def _in_hosts_folders(path: Path) -> dict[str, str] | None:
    """A picture or movie as the host names it, None where it cannot show it."""
    if path.suffix.lower() not in _PICTURES | _MOVIES:
        return None
    folders = {"output": folder_paths.get_output_directory(), "temp": folder_paths.get_temp_directory()}
    for kind, folder in folders.items():
        if path.resolve().is_relative_to(Path(folder).resolve()):
            subfolder = os.path.relpath(path.resolve().parent, Path(folder).resolve())
            return {"filename": path.name, "subfolder": "" if subfolder == "." else subfolder, "type": kind}
    return None
