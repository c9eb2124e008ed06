"""The footage without the head."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Context, Input, Int, Node, Output


class CleanPlate(Node):
    id = "LPDCleanPlate"
    name = "Clean plate"
    category = "LPD/composite"
    description = (
        "Takes a head out of the footage: what is behind it, from the moments that show it, else texture from around."
    )
    search_aliases = ("remove head", "inpaint", "background", "object removal")
    inputs = (
        Input("footage", (types.VIDEO, types.IMAGE), tooltip="What to take the head out of"),
        Input("track", types.TRACK, optional=True, tooltip="Where the head is in the footage; else the largest is tracked"),
        Input(
            "plate", (types.VIDEO, types.IMAGE), optional=True,
            tooltip="Your own plate, a still or a clip of the footage's size; it is shown where the head was",
        ),
        Int("samples", default=48, minimum=5, maximum=200, tooltip="Frames that are looked at where the camera stands"),
        Bool("grain", default=True, tooltip="Give the found background the footage's grain"),
    )  # fmt: skip
    outputs = (
        Output("clip", types.VIDEO, tooltip="The footage without the head"),
        Output("confidence", types.VIDEO, tooltip="White where the background was seen, black where it is invented"),
    )

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("matte", "finder")

    def run(self, context: Context, footage, track, plate, samples, grain):
        from lpd_plugin.compositing.composite_clip import CompositeClip
        from lpd_plugin.compositing.plate.clean_plate import plate_for
        from lpd_plugin.compositing.plate.confidence_clip import ConfidenceClip

        from ._composites import head_matte
        from ._sources import as_clip, tracked

        clip = as_clip(footage)
        track = tracked(clip, track, context)
        matte = head_matte(context.device)
        own = None if plate is None else as_clip(plate)
        background = plate_for(clip, track, own, matte, samples, grain, context.progress)
        removed = CompositeClip(clip, track, None, background, head_matte=matte)
        return removed, ConfidenceClip(removed)
