"""Heads and the host's batches of pictures, both ways."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Float, Input, Int, Node, Output


class HeadsToImages(Node):
    id = "LPDHeadsToImages"
    name = "Heads to images"
    category = "LPD/generate"
    description = "Draws heads into IMAGE and MASK batches: everything at once, so only for what fits in memory."
    inputs = (
        Input("heads", types.HEADS, tooltip="What to draw"),
        Int("first", default=0, minimum=0, maximum=10_000_000, tooltip="The first moment"),
        Int("count", default=64, minimum=1, maximum=4096, tooltip="How many moments at most"),
    )
    outputs = (Output("images", types.IMAGE), Output("masks", types.MASK))

    def run(self, context: Context, heads, first, count):
        import numpy as np
        import torch

        from lpd_plugin.errors import BadInput

        times = heads.times[first : first + count]
        if not len(times):
            raise BadInput(f"There are {len(heads)} heads; 'first' is {first}; choose a smaller one.")
        empty = np.zeros((heads.size, heads.size, 3), np.float32), np.zeros((heads.size, heads.size), np.float32)
        drawn = []
        for head in context.progress.track(heads.retimed(times, "hold"), "drawing heads", len(times)):
            drawn.append(empty if head is None else (head.rgb * head.matte[..., None], head.matte))
        return tuple(torch.from_numpy(np.stack(part)) for part in zip(*drawn))


class ImagesToHeads(Node):
    id = "LPDImagesToHeads"
    name = "Images to heads"
    category = "LPD/generate"
    description = "Takes square pictures of heads, drawn or retouched elsewhere, as heads to composite."
    search_aliases = ("import heads", "batch to heads")
    inputs = (
        Input("images", types.IMAGE, tooltip="Square pictures; a fourth channel is alpha"),
        Input("masks", types.MASK, optional=True, tooltip="What of each is head: one mask for all, or one each; else the alpha"),
        Float("rate", default=25.0, minimum=1.0, maximum=240.0, step=0.001, tooltip="Pictures a second"),
    )
    outputs = (Output("heads", types.HEADS),)

    def run(self, context: Context, images, masks, rate):
        from lpd_plugin.reenactment.given_heads import GivenHeads

        return (GivenHeads(images, masks, rate),)
