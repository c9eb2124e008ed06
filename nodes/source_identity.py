"""Who the person is."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Input, Int, Model, Node, Output


class SourceIdentity(Node):
    id = "LPDSourceIdentity"
    name = "Source identity"
    category = "LPD/identity"
    description = "The identity of the person in a picture or clip: the mean over several different views."
    search_aliases = ("source face", "reference")
    version = 6
    inputs = (
        Input("source", (types.VIDEO, types.IMAGE), tooltip="One picture or a clip of the person"),
        Input("track", types.TRACK, optional=True, tooltip="Which head; without it the largest is tracked"),
        Int("pictures", default=8, minimum=1, maximum=256, tooltip="How many different views to use at most"),
        Model("weights", ("compact",), "compact", tooltip="'compact' (embedded) or the path of a weights file"),
    )
    outputs = (Output("identity", types.IDENTITY), Output("views", types.IMAGE, tooltip="The pictures used"))

    @classmethod
    def fingerprint(cls, weights, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint(weights, "matte", "finder")

    def run(self, context: Context, source, track, pictures, weights):
        import torch

        from lpd_plugin.reenactment.crops import chosen_crops
        from lpd_plugin.reenactment.identity import encode_identity
        from lpd_plugin.weights.files import load_model

        from ._preview import tiled
        from ._sources import as_clip, tracked

        clip = as_clip(source)
        model = load_model(weights, context.device)
        crops = chosen_crops([(clip, tracked(clip, track, context))], pictures, model, context.progress)
        identity = encode_identity(model, crops, weights)
        context.show(lambda: tiled(crops))
        return identity, torch.from_numpy(crops).float() / 255
