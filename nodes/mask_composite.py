"""The generated head in the footage."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Choice, Context, Input, Int, Node, Output

from ._composites import EDGE_INPUTS, END_INPUT, FADE_INPUTS, LOOK_INPUTS, PLACEMENT_INPUTS


class MaskComposite(Node):
    id = "LPDMaskComposite"
    name = "Mask composite"
    category = "LPD/composite"
    description = "Lays generated heads over the footage by their own mask; everything else stays as it came in."
    search_aliases = ("blend", "matte", "over", "paste")
    inputs = (
        Input("footage", (types.VIDEO, types.IMAGE), tooltip="What to composite into; a still lasts as long as the heads"),
        Input("heads", types.HEADS, tooltip="What to lay over the footage"),
        Input("track", types.TRACK, optional=True, tooltip="Where the head is in the footage; else the largest is tracked"),
        Input(
            "plate", (types.VIDEO, types.IMAGE), optional=True,
            tooltip="Your own clean plate, a still or a clip of the footage's size; else it is found",
        ),
        Input("driver_track", types.TRACK, optional=True, tooltip="The driver's own track, for the placement 'driver'"),
        END_INPUT,
        *EDGE_INPUTS,
        *PLACEMENT_INPUTS,
        Bool("clean_plate", default=True, tooltip="Remove the original head with what is behind it"),
        *LOOK_INPUTS,
        Choice(
            "blend", ("straight", "poisson", "multi-band"), default="straight",
            tooltip="How head and surroundings meet where they show one surface, such as the neck",
        ),
        *FADE_INPUTS,
        Int("seed", default=0, minimum=0, maximum=2**31, tooltip="The same seed gives the same grain; a run's own is added"),
    )  # fmt: skip
    outputs = (
        Output("clip", types.VIDEO),
        Output("matte", types.VIDEO, tooltip="The alpha that was used"),
    )

    @classmethod
    def check(cls, **values):
        from ._composites import wrong_fades

        return wrong_fades(values)

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("matte", "finder")

    def run(self, context: Context, footage, heads, track, plate, driver_track, end, clean_plate, blend, seed, **values):
        from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
        from lpd_plugin.compositing.plate.clean_plate import plate_for

        from ._composites import edge_options, fade_options, head_matte, head_options
        from ._sources import as_clip, tracked

        clip = as_clip(footage)
        options = CompositeOptions(
            edge_options(values), head_options(values, context.seed + seed), fade_options(values), blend, end_policy=end
        )
        track, matte = tracked(clip, track, context), head_matte(context.device)
        own = None if plate is None else as_clip(plate)
        background = plate_for(clip, track, own, matte, progress=context.progress) if clean_plate else None
        composite = CompositeClip(clip, track, heads, background, options, matte, driver_track)
        return composite, composite.matte_clip()
