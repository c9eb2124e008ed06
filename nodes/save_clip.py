"""A finished clip as a file."""

from __future__ import annotations

from functools import cache

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Choice, Context, File, Input, Node, Output


@cache
def _formats():
    from lpd_plugin.video.formats import list_formats

    return tuple(list_formats())


class SaveClip(Node):
    id = "LPDSaveClip"
    name = "Save clip"
    category = "LPD/footage"
    description = "Renders a clip to a file: complete or not at all, tagged as synthetic with the graph that made it."
    search_aliases = ("save video", "render", "export")
    inputs = (
        Input("clip", types.VIDEO, tooltip="What to render"),
        File("file", writes=True, tooltip="Where to; the suffix has to suit the format"),
        Choice("format", _formats, default="h264", tooltip="h264: plays everywhere; ffv1: lossless"),
        Bool("overwrite", default=False, tooltip="Replace an existing file"),
    )
    outputs = (Output("saved", types.VIDEO, tooltip="The written file as footage"),)
    output_node = True

    def run(self, context: Context, clip, file, format, overwrite):
        import json

        from lpd_plugin.video.open import open_clip
        from lpd_plugin.video.writer import write_clip

        metadata = {"lpd_graph": json.dumps(dict(context.graph))} if context.graph else {}
        result = write_clip(clip, file, format, context.progress, metadata, overwrite)
        for note in (*result.notes, *_summary(clip)):
            context.note(note)
        context.saved_file(result.path)
        return (open_clip(result.path),)


def _summary(clip):
    report = getattr(clip, "report", None)
    return (report.summary(),) if report is not None else ()
