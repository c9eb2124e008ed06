"""Generated heads as the host's own pictures."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Input, Int, Node, Output


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
        drawn = [empty if h is None else (h.rgb * h.matte[..., None], h.matte) for h in heads.retimed(times, "hold")]
        return tuple(torch.from_numpy(np.stack(part)) for part in zip(*drawn))
