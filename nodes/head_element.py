"""The generated head alone, with alpha, for a compositor."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, Context, Input, Int, Node, Output

from ._composites import EDGE_INPUTS, END_INPUT, LOOK_INPUTS, PLACEMENT_INPUTS


class HeadElement(Node):
    id = "LPDHeadElement"
    name = "Head element"
    category = "LPD/composite"
    description = "The generated head with alpha in the footage's frame, transparent around: to lay over it elsewhere."
    search_aliases = ("rgba", "alpha", "element", "cut out", "matte")
    inputs = (
        Input("footage", (types.VIDEO, types.IMAGE), tooltip="Where the head belongs; a still lasts as long as the heads"),
        Input("heads", types.HEADS, tooltip="What becomes the element"),
        Input("track", types.TRACK, optional=True, tooltip="Where the head is in the footage; else the largest is tracked"),
        Input("driver_track", types.TRACK, optional=True, tooltip="The driver's own track, for the placement 'driver'"),
        Choice("alpha", ("straight", "premultiplied"), default="straight", tooltip="Are colours multiplied by alpha?"),
        END_INPUT,
        *EDGE_INPUTS,
        *PLACEMENT_INPUTS,
        *LOOK_INPUTS,
        Int("seed", default=0, minimum=0, maximum=2**31, tooltip="The same seed gives the same grain; a run's own is added"),
    )
    outputs = (Output("element", types.VIDEO, tooltip="Save it as prores_4444, exr, png, ffv1 or vp9_alpha"),)

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("matte", "finder")

    def run(self, context: Context, footage, heads, track, driver_track, alpha, end, seed, **values):
        from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
        from lpd_plugin.compositing.element_clip import ElementClip

        from ._composites import edge_options, head_matte, head_options
        from ._sources import as_clip, tracked

        clip = as_clip(footage)
        track = tracked(clip, track, context)
        options = CompositeOptions(edge_options(values), head_options(values, context.seed + seed), end_policy=end)
        matte = head_matte(context.device)
        composite = CompositeClip(clip, track, heads, None, options, matte, driver_track)
        return (ElementClip(composite, alpha == "premultiplied"),)
