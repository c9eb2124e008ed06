"""Footage and composite in one clip, to judge by eye."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, Context, Float, Input, Node, Output


class Comparison(Node):
    id = "LPDComparison"
    name = "Comparison"
    category = "LPD/look"
    description = "Two clips in one: a wipe, an onion skin, side by side, or their difference eight times as strong."
    search_aliases = ("compare", "wipe", "onion skin", "split screen", "before and after", "difference")
    inputs = (
        Input("before", (types.VIDEO, types.IMAGE), tooltip="The footage; a still holds"),
        Input("after", types.VIDEO, tooltip="What became of it, of the same size; its length and sound are kept"),
        Choice("mode", ("wipe", "onion", "side by side", "difference"), default="wipe", tooltip="How the two are shown"),
        Float("position", default=0.5, minimum=0.0, maximum=1.0, step=0.01,
              tooltip="Wipe: where the line stands; onion: how much of 'after' is seen"),
        Float("sweep", default=0.0, minimum=0.0, maximum=3600.0, step=0.5,
              tooltip="Wipe: seconds in which the line goes to the right and back; 0 stands still"),
    )  # fmt: skip
    outputs = (Output("clip", types.VIDEO),)

    def run(self, context: Context, before, after, mode, position, sweep):
        from lpd_plugin.compositing.views.comparison import ComparisonClip, ComparisonOptions

        from ._sources import as_clip

        return (ComparisonClip(as_clip(before), as_clip(after), ComparisonOptions(mode, position, sweep)),)
