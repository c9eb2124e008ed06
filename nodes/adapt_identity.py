"""Making what draws heads one person's own."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Input, Int, Node, Output


class AdaptIdentity(Node):
    id = "LPDAdaptIdentity"
    name = "Adapt identity"
    category = "LPD/identity"
    description = (
        "Fits what draws the head to the person: minutes of work for likeness (a generator) or exactness (a painter). "
        "The number of steps is chosen by measuring, unless it is given."
    )
    search_aliases = ("fine-tune", "few-shot")
    version = 9
    inputs = (
        Input("identity", types.IDENTITY, tooltip="Whose pictures to fit"),
        Int(
            "steps", default=-1, minimum=-1, maximum=2000,
            tooltip="-1: stop where likeness no longer gains while the pose keeps; 0 leaves the identity as it is",
        ),
        Input("footage", (types.VIDEO, types.IMAGE), optional=True, tooltip="More of the same person to learn from"),
        Input("track", types.TRACK, optional=True, tooltip="Which head of the footage; without it the largest is tracked"),
        Int("pictures", default=32, minimum=1, maximum=512, tooltip="How many different poses of the footage to use at most"),
        Int("seed", default=0, minimum=0, maximum=2**31, tooltip="The same seed gives the same adaptation; a run's own is added"),
    )  # fmt: skip
    outputs = (
        Output("identity", types.IDENTITY),
        Output("curve", types.IMAGE, tooltip="What was measured over the steps, and what was chosen"),
    )

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("matte", "finder")

    def run(self, context: Context, identity, steps, footage, track, pictures, seed):
        import torch

        from lpd_plugin.learning.adaptation.config import AdaptationConfig
        from lpd_plugin.reenactment.adapted import adapt_identity, adaptation_sentence, curve_of, with_pictures
        from lpd_plugin.reenactment.crops import chosen_crops
        from lpd_plugin.weights.files import load_discriminator, load_matte, load_model

        from ._sources import as_clip, tracked

        model = load_model(identity.weights_name, context.device)
        if footage is not None:
            clip = as_clip(footage)
            crops = chosen_crops([(clip, tracked(clip, track, context))], pictures, model, context.progress)
            identity = with_pictures(identity, crops, model)
        config = AdaptationConfig(steps=None if steps < 0 else steps, seed=context.seed + seed)
        discriminator = load_discriminator(identity.weights_name, context.device) if steps else None
        matte = load_matte(device=context.device)
        adapted = adapt_identity(identity, model, matte, config, context.progress, discriminator)
        context.note(f"adaptation: {adaptation_sentence(adapted)}")
        measured = curve_of(adapted)
        curve = measured.picture()
        if measured.measurements:
            context.show(lambda: curve)
        return adapted, torch.from_numpy(curve)[None].float() / 255
