"""Small nodes for the tests of the graph; every run is written down in `log`."""

from __future__ import annotations

from lpd_plugin.errors import BadInput, Cancelled, WorkFailed
from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Choice, File, Float, Input, Int, Node, Output, Text

log: list[str] = []
released: list[str] = []


class Handle:
    """A value that can be closed, as a lazy clip can."""

    def __init__(self, name: str):
        self.name, self.closed = name, False

    def close(self) -> None:
        self.closed = True

    def __del__(self):
        released.append(self.name)


class LoadClip(Node):
    id = "LPDLoadClip"
    name = "Load clip"
    inputs = (File("file"), Int("first", default=0, minimum=0, maximum=64))
    outputs = (Output("clip", types.VIDEO),)
    stamp = 1  # stands for the file's time of change

    @classmethod
    def fingerprint(cls, file, first):
        if file == "missing.mp4":
            raise BadInput("missing.mp4 does not exist; check the path")
        return cls.stamp

    def run(self, context, file, first):
        log.append(f"load {file}")
        return (Handle(file),)


class TrackHead(Node):
    id = "LPDTrackHead"
    name = "Track head"
    inputs = (
        Input("footage", types.VIDEO),
        Choice("which", ("largest", "leftmost"), default="largest"),
        Float("smoothing", default=0.7, minimum=0.0, maximum=5.0),
        Bool("strict", default=False),
        Input("keys", types.MASK, optional=True),
    )
    outputs = (Output("track", types.TRACK), Output("preview", types.IMAGE))

    @classmethod
    def check(cls, which, smoothing, strict):
        if strict and smoothing == 0.0:
            return "strict needs some smoothing; raise it above 0"
        return None

    def run(self, context, footage, which, smoothing, strict, keys):
        log.append(f"track {which}")
        for _ in context.progress.track(range(2), "finding", 2):
            pass
        context.note("bridged 3 frames")
        return {"preview": Handle("preview"), "track": f"track of {footage.name}, {which}, {smoothing!r}"}


class SaveText(Node):
    id = "LPDSaveText"
    name = "Save text"
    output_node = True
    inputs = (Input("value", (types.TRACK, types.STRING, types.VIDEO, types.IMAGE)), Text("title"))
    outputs = ()

    def run(self, context, value, title):
        log.append(f"save {getattr(value, 'name', value)}")
        context.saved_file(f"{title}.txt")


class Number(Node):
    id = "LPDNumber"
    name = "Number"
    inputs = (Int("value"),)
    outputs = (Output("number", types.INT),)

    def run(self, context, value):
        log.append(f"number {value}")
        return (value,)


class Break(Node):
    """Raises what `how` names, in the middle of its work."""

    id = "LPDBreak"
    name = "Break"
    output_node = True
    errors = {
        "bad": BadInput("the clip has no head; choose another"),
        "failed": WorkFailed("the disk is full; make room"),
        "bug": ZeroDivisionError("division by zero"),
        "memory": MemoryError(),
        "interrupt": KeyboardInterrupt(),
        "cancel": Cancelled(),
    }
    inputs = (Input("clip", types.VIDEO, optional=True), Choice("how", tuple(errors)))
    outputs = ()

    def run(self, context, clip, how):
        raise self.errors[how]


CLASSES = {node.id: node for node in (LoadClip, TrackHead, SaveText, Number, Break)}
