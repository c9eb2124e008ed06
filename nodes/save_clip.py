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
        File(
            "file", writes=True, example="lpd/clip_%count%.mp4",
            tooltip="Where to, %count% is the next free number; the suffix has to suit the format; images: shot/shot.####.exr",
        ),
        Choice("format", _formats, default="h264", tooltip="h264 plays everywhere; ffv1 is lossless; see docs/formats.md"),
        Bool("overwrite", default=False, tooltip="Replace an existing file"),
        Choice("first_number", ("1", "1001", "timecode"), default="1", tooltip="Of an image sequence's first file"),
        File("report", default="", writes=True, extensions=(".csv",), tooltip="A CSV with a line a frame of what a composite did; empty for none"),
    )  # fmt: skip
    outputs = (Output("saved", types.VIDEO, tooltip="The written file as footage"),)
    output_node = True

    @classmethod
    def check(cls, file, format, report, **_):
        from lpd_plugin.video.formats import load_format
        from lpd_plugin.video.writer import wrong_suffix

        if file and format and (problem := wrong_suffix(file, load_format(format))):
            return problem
        if report and not report.lower().endswith(".csv"):
            return f"a report is a table; give a name that ends with .csv instead of {report}"
        return None

    def run(self, context: Context, clip, file, format, overwrite, first_number, report):
        import json
        from pathlib import Path

        from lpd_plugin.errors import BadInput

        from lpd_plugin.video.open import open_clip
        from lpd_plugin.video.writer import write_clip

        made = getattr(clip, "report", None)
        if report and made is None:
            raise BadInput("A report tells of a composite; this clip is none: leave 'report' empty.")
        metadata = {"lpd_graph": json.dumps(dict(context.graph))} if context.graph else {}
        number = first_number if first_number == "timecode" else int(first_number)
        result = write_clip(clip, file, format, context.progress, metadata, overwrite, number)
        for note in (*result.notes, *_summary(clip)):
            context.note(note)
        if result.first_file != result.path:
            context.note(f"{result.frames} images are in {result.path}")
            images = {"file": Path(result.path).name, "first": Path(result.first_file).name, "frames": result.frames}
            context.tell("images", lambda: images)
        context.saved_file(result.first_file)
        if report:
            context.saved_file(made.write_csv(report, overwrite))
        return (open_clip(result.path, rate=clip.info.rate),)


def _summary(clip):
    report = getattr(clip, "report", None)
    return (report.summary(),) if report is not None else ()
