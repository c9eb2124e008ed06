"""The person in the driver's pose."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, Context, Input, Int, Node, Output


class Generator(Node):
    id = "LPDGenerator"
    name = "Generator"
    category = "LPD/generate"
    description = "Heads of the identity in the performance's poses, drawn only when they are needed."
    search_aliases = ("reenact", "render head")
    version = 6
    inputs = (
        Input("identity", types.IDENTITY, tooltip="Who to draw"),
        Input("pose", types.POSE, tooltip="What they do"),
        Int("micro_batch", default=0, minimum=0, maximum=64, tooltip="Heads drawn at once; 0 chooses"),
        Choice(
            "precision", ("full", "half"), default="full",
            tooltip="Half is faster on graphics cards; what it cannot hold is drawn in full",
        ),
    )  # fmt: skip
    outputs = (Output("heads", types.HEADS),)

    def run(self, context: Context, identity, pose, micro_batch, precision):
        from lpd_plugin.reenactment.generate import GeneratedHeads
        from lpd_plugin.weights.files import load_model

        model = load_model(identity.weights_name, context.device)
        return (GeneratedHeads(identity, pose, model, micro_batch, precision == "half", context.note),)
