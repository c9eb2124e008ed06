"""Footage from a file."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, File, Float, Node, Output, Text


class LoadClip(Node):
    id = "LPDLoadClip"
    name = "Load clip"
    category = "LPD/footage"
    description = "A video, a still or an image sequence as footage; decoded only as it is needed, of any length."
    search_aliases = ("load video", "footage", "image sequence")
    inputs = (
        File("file", tooltip="A video, an image, a folder of images or a pattern (shot_%04d.png)"),
        Text("in_point", default="", tooltip="Where to start, in seconds or h:mm:ss; empty for the beginning"),
        Text("out_point", default="", tooltip="Where to stop, in seconds or h:mm:ss; empty for the end"),
        Float("rate", default=25.0, minimum=1.0, maximum=240.0, step=0.001, tooltip="Frames a second of an image sequence"),
    )
    outputs = (Output("clip", types.VIDEO),)

    @classmethod
    def fingerprint(cls, file, **_):
        from lpd_plugin.video.open import state_of

        return (file, state_of(file)) if isinstance(file, str) else None

    def run(self, context: Context, file, in_point, out_point, rate):
        from fractions import Fraction

        from lpd_plugin.video.open import open_clip

        clip = open_clip(file, in_point or None, out_point or None, Fraction(rate).limit_denominator(1001))
        for note in getattr(clip, "notes", ()):
            context.note(note)
        return (clip,)
