"""How a node is declared: once, for the headless executor, ComfyUI and plugin.json alike.

    from lpd_plugin.graph import types
    from lpd_plugin.graph.node import Choice, Context, File, Float, Input, Int, Node, Output

    class TrackHead(Node):
        id = "LPDTrackHead"                 # for ever: saved workflows name it
        name = "Track head"
        category = "LPD/footage"
        description = "Finds one head in a clip and follows it."
        search_aliases = ("face detection", "crop")
        version = 1                         # raise it when results change: the disk cache forgets the old ones
        inputs = (
            Input("footage", types.VIDEO, tooltip="The clip to search"),
            Input("start_box", types.MASK, optional=True, tooltip="Where the head is in the first frame"),
            Choice("which", ("largest", "leftmost"), default="largest", tooltip="Which of several heads"),
            Float("smoothing", default=0.7, minimum=0.0, maximum=5.0, step=0.1, tooltip="Seconds"),
        )
        outputs = (Output("track", types.TRACK),)

        @classmethod
        def fingerprint(cls, which, smoothing):     # optional: what else the result depends on
            return weights_digest()

        def run(self, context, footage, start_box, which, smoothing):
            from lpd_plugin.video.tracking.tracker import track_head   # heavy imports only here
            return (track_head(footage, which, progress=context.progress),)

New inputs go last: saved workflows hold the values of widgets by their position.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..progress import Progress
from . import types
from .inputs import Bool, Choice, File, Float, Input, Int, Model, Text, Widget

__all__ = [
    "Bool", "Choice", "Context", "File", "Float", "Input", "Int", "Model", "Node", "Output", "Text", "Widget",
]  # fmt: skip


@dataclass(frozen=True)
class Output:
    """What a node gives: a name, and one type of `types`."""

    name: str
    type: str
    tooltip: str = field(default="", kw_only=True)


@dataclass
class Context:
    """What a running node may know of its surroundings."""

    progress: Progress = field(default_factory=Progress)
    device: str = "cpu"  # as torch.device takes it
    cache_folder: Path | None = None  # survives runs; None where nothing may be kept
    temp_folder: Path | None = None  # lives as long as the values of the run; None = the system's
    seed: int = 0
    graph: Mapping[str, Any] | None = None  # the workflow, for the metadata of what is written
    node_id: str = ""
    saved: list[Path] = field(default_factory=list)  # files that nodes have written, in order
    shows: bool = False  # whether pictures of the work are looked at
    shown: list[Any] = field(default_factory=list)  # uint8 RGB (H, W, 3), in order
    told: dict[str, Any] = field(default_factory=dict)  # by name, for a host's own view of a node

    def note(self, message: str) -> None:
        """Something the user should know, shown with the node's name."""
        self.progress.note(message)

    def show(self, picture: Callable[[], Any]) -> None:
        """A picture of what was done, uint8 RGB (H, W, 3), for a host to show on the node; made only where one does."""
        if self.shows:
            self.shown.append(picture())

    def tell(self, name: str, made: Callable[[], Any]) -> None:
        """What a host's own view of the node needs: JSON-ready, pictures in it as uint8 RGB; made only where somebody looks."""
        if self.shows:
            self.told[name] = made()

    def saved_file(self, path: str | Path) -> None:
        """Report a finished file: listed in the result, previewed by a host that can."""
        self.saved.append(Path(path))


class Node:
    """Base of all nodes; see the module's docstring for how to declare one. Instances hold no state."""

    id: ClassVar[str] = ""
    name: ClassVar[str] = ""
    category: ClassVar[str] = "LPD"
    description: ClassVar[str] = ""
    search_aliases: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[Output, ...]] = ()
    output_node: ClassVar[bool] = False  # always run, never cached: it writes or shows something

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if cls.id:
            _check_declaration(cls)

    def run(self, context: Context, **inputs: Any) -> tuple | Mapping[str, Any] | None:
        """Do the work: a tuple in the order of `outputs`, a mapping by their names, or None without outputs."""
        raise NotImplementedError(f"{type(self).__name__}.run")

    @classmethod
    def check(cls, **widgets: Any) -> str | None:
        """What is wrong with the widgets' values taken together, as one sentence, or None.

        Gets every widget by name; None where a link brings the value. Reads no file.
        """
        return None

    @classmethod
    def fingerprint(cls, **widgets: Any) -> Hashable:
        """What the results depend on besides the inputs: a file's size and mtime_ns, a weights digest.

        Gets what `check` gets. Numbers, text, bytes, paths, None, and tuples of them.
        """
        return None

    @classmethod
    def input(cls, name: str) -> Input | None:
        """The declaration of an input, or None."""
        return next((one for one in cls.inputs if one.name == name), None)

    @classmethod
    def widgets(cls) -> tuple[Widget, ...]:
        """The inputs whose values a workflow holds."""
        return tuple(one for one in cls.inputs if isinstance(one, Widget))


def _check_declaration(cls: type[Node]) -> None:
    """Programming errors in a declaration show when it is imported, not when a user meets them."""
    for kind in (cls.inputs, cls.outputs):
        names = [one.name for one in kind]
        if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
            raise TypeError(f"{cls.__name__}: names of inputs and outputs have to be identifiers, once each: {names}")
    for one in (*cls.inputs, *cls.outputs):
        for name in one.accepted if isinstance(one, Input) else (one.type,):
            if name not in types.DESCRIPTIONS:
                raise TypeError(f"{cls.__name__}.{one.name}: there is no type {name!r}")
    for widget in cls.widgets():
        late = isinstance(widget, Choice) and callable(widget.options)
        if widget.default is not None and not late and not widget.allows(widget.default):
            message = f"the default {widget.default!r} is not {widget.expectation()}"
            raise TypeError(f"{cls.__name__}.{widget.name}: {message}")
