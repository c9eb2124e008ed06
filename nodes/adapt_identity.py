"""Making the generator one person's own."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Input, Int, Node, Output


class AdaptIdentity(Node):
    id = "LPDAdaptIdentity"
    name = "Adapt identity"
    category = "LPD/identity"
    description = "Fits the generator to the identity's pictures: likeness and sharpness for a minute of work."
    search_aliases = ("fine-tune", "few-shot")
    inputs = (
        Input("identity", types.IDENTITY, tooltip="Whose pictures to fit"),
        Int("steps", default=100, minimum=0, maximum=2000, tooltip="0 leaves the identity as it is"),
    )
    outputs = (Output("identity", types.IDENTITY),)

    def run(self, context: Context, identity, steps):
        from lpd_plugin.learning.adaptation import AdaptationConfig
        from lpd_plugin.reenactment.adapted import adapt_identity
        from lpd_plugin.weights.files import load_matte, load_model

        model = load_model(identity.weights_name, context.device)
        config = AdaptationConfig(steps=steps, seed=context.seed)
        return (adapt_identity(identity, model, load_matte(device=context.device), config, context.progress),)
