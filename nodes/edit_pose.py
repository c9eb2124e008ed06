"""Shaping a performance."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Context, Float, Input, Node, Output


class EditPose(Node):
    id = "LPDEditPose"
    name = "Edit pose"
    category = "LPD/performance"
    description = "Smooths, strengthens or reverses a performance before it drives anybody."
    search_aliases = ("smooth", "retime", "amplify")
    inputs = (
        Input("pose", types.POSE, tooltip="The performance to shape"),
        Float("smooth", default=0.0, minimum=0.0, maximum=2.0, step=0.01, tooltip="Seconds; zero-phase, nothing lags"),
        Float("amplify", default=1.0, minimum=0.0, maximum=2.0, step=0.05, tooltip="1 as performed, 0 frozen at its mean"),
        Bool("reverse", default=False, tooltip="Play the performance backwards"),
    )
    outputs = (Output("pose", types.POSE),)

    def run(self, context: Context, pose, smooth, amplify, reverse):
        pose = pose.smoothed(smooth)
        if amplify != 1.0:
            pose = pose.amplified(amplify)
        return (pose.reversed() if reverse else pose,)
