"""The generated head in the footage."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Choice, Context, Float, Input, Node, Output


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
        Choice("end", ("trim", "hold", "loop", "ping-pong"), default="trim", tooltip="What follows the performance's end"),
        Choice("region", ("head", "person"), default="head", tooltip="Down to the neck, or with the shoulders in the crop"),
        Float("erode", default=0.0, minimum=-50.0, maximum=50.0, step=0.5, tooltip="Pixels off the edge; negative adds"),
        Float("feather", default=3.0, minimum=0.0, maximum=100.0, step=0.5, tooltip="Width of the soft edge, pixels"),
        Float("gamma", default=1.0, minimum=0.2, maximum=5.0, step=0.05, tooltip="Above 1 thins half-transparent edges"),
        Bool("clean_plate", default=True, tooltip="Remove the original head with what is behind it"),
        Bool("colour_match", default=True, tooltip="Bring the face's colours to the footage's"),
    )
    outputs = (
        Output("clip", types.VIDEO),
        Output("matte", types.VIDEO, tooltip="The alpha that was used"),
    )

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("matte", "finder")

    def run(self, context: Context, footage, heads, track, end, region, erode, feather, gamma, clean_plate, colour_match):
        from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
        from lpd_plugin.compositing.matte.edge import EdgeOptions
        from lpd_plugin.compositing.plate.still_camera import clean_plate as make_plate
        from lpd_plugin.weights.files import load_matte

        from ._sources import as_clip, tracked

        clip = as_clip(footage)
        track = tracked(clip, track, context)
        matte = _on_crops(load_matte(device=context.device), context.device)
        plate = make_plate(clip, track, matte, progress=context.progress) if clean_plate else None
        options = CompositeOptions(
            EdgeOptions(region=region, erode=erode, feather=feather, gamma=gamma), end_policy=end, colour_match=colour_match
        )
        composite = CompositeClip(clip, track, heads, plate, options, matte)
        return composite, composite.matte_clip()


def _on_crops(network, device):
    """The matte network as compositing calls it: float32 arrays or tensors (N, 3, 256, 256) -> the same kind."""
    import numpy as np
    import torch

    def matte(crops):
        with torch.inference_mode():
            out = network(torch.as_tensor(np.asarray(crops), dtype=torch.float32, device=device)).cpu()
        return out.numpy()

    return matte
