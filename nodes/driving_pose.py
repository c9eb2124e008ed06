"""What the driver does."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Context, Input, Model, Node, Output


class DrivingPose(Node):
    id = "LPDDrivingPose"
    name = "Driving pose"
    category = "LPD/performance"
    description = "Reads a performance: one pose descriptor a frame."
    search_aliases = ("driver", "performance", "motion")
    version = 4
    inputs = (
        Input("driver", (types.VIDEO, types.IMAGE), tooltip="A clip of anybody performing"),
        Input("track", types.TRACK, optional=True, tooltip="Which head; without it the largest is tracked"),
        Model("weights", ("compact",), "compact", tooltip="'compact' (embedded) or the path of a weights file"),
    )
    outputs = (Output("pose", types.POSE),)

    @classmethod
    def fingerprint(cls, weights, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint(weights, "finder")

    def run(self, context: Context, driver, track, weights):
        from lpd_plugin.reenactment.pose import encode_pose
        from lpd_plugin.weights.files import load_model

        from ._preview import performance_preview
        from ._sources import as_clip, tracked

        clip = as_clip(driver)
        model = load_model(weights, context.device)
        track = tracked(clip, track, context)
        pose = encode_pose(model, clip, track, context.progress)
        context.show(lambda: performance_preview(clip, track, pose))
        return (pose,)
