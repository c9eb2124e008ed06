"""Shaping a performance."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Bool, Context, Float, Input, Node, Output, Text


class EditPose(Node):
    id = "LPDEditPose"
    name = "Edit pose"
    category = "LPD/performance"
    description = (
        "Shapes a performance before it drives anybody: smooths, strengthens or weakens, offsets, cross-fades two, "
        "reverses and retimes; shows it as curves and as generated frames."
    )
    search_aliases = ("smooth", "retime", "amplify", "exaggerate", "crossfade", "speed ramp")
    version = 3
    inputs = (
        Input("pose", types.POSE, tooltip="The performance to shape"),
        Float("smooth", default=0.0, minimum=0.0, maximum=30.0, step=0.1,
              tooltip="Cut-off in Hz, zero-phase: faster movements go; 0 leaves all, 4 calms jitter"),
        Float("amplify", default=1.0, minimum=0.0, maximum=2.0, step=0.05,
              tooltip="The expression about the neutral moment: 1 as performed, 0 frozen"),
        Bool("reverse", default=False, tooltip="Play the performance backwards"),
        Float("head_motion", default=1.0, minimum=0.0, maximum=2.0, step=0.05,
              tooltip="How the head is held, about the neutral moment: 1 as performed, 0 held still"),
        Text("neutral", default="", tooltip="Seconds of the neutral moment; empty finds one, mouth closed and eyes open"),
        Text("offset", default="",
             tooltip="Movements added, as 'yaw:0.5, smile:1'; pitch, roll, right, down, nearer, jaw, pucker, blink, brows"),
        Text("speed", default="", tooltip="Speeds over seconds of the result: '0:1, 2:0.5, 4:1'; empty as performed"),
        Input("second", types.POSE, optional=True, tooltip="A second performance to cross-fade to"),
        Float("fade_from", default=0.0, minimum=0.0, maximum=86400.0, step=0.04, tooltip="Seconds: the cross-fade begins"),
        Float("fade_to", default=0.5, minimum=0.0, maximum=86400.0, step=0.04, tooltip="Seconds: the second one alone"),
        Float("second_begins", default=0.0, minimum=0.0, maximum=86400.0, step=0.04,
              tooltip="Seconds: when the second one starts; 0 runs both together"),
        Input("identity", types.IDENTITY, optional=True, tooltip="Who to draw in the strip"),
    )  # fmt: skip
    outputs = (
        Output("pose", types.POSE),
        Output("curves", types.IMAGE, tooltip="Main movements over time, before (grey) and after (orange)"),
        Output("strip", types.IMAGE, tooltip="The identity before and after; the curves without an identity"),
    )

    @classmethod
    def check(cls, offset, speed, neutral, fade_from, fade_to, **_):
        from lpd_plugin.errors import BadInput
        from lpd_plugin.reenactment.performance.parts import MOVEMENTS
        from lpd_plugin.reenactment.performance.timing import SpeedRamp, parsed_offsets
        from lpd_plugin.video.timing import as_seconds

        try:
            parsed_offsets(offset or "", MOVEMENTS)
            SpeedRamp.parsed(speed or "")
            as_seconds((neutral or "").strip() or None, "neutral moment")
        except BadInput as error:
            return str(error)
        if None not in (fade_from, fade_to) and fade_to < fade_from:
            return f"fade_to ({fade_to:g} s) lies before fade_from ({fade_from:g} s)"
        return None

    def run(self, context: Context, pose, smooth, amplify, reverse, head_motion, neutral, offset, speed, second, fade_from,
            fade_to, second_begins, identity):  # fmt: skip
        from lpd_plugin.reenactment.performance.curves import curves
        from lpd_plugin.reenactment.performance.editing import Fade, PoseEdit
        from lpd_plugin.reenactment.performance.parts import MOVEMENTS
        from lpd_plugin.reenactment.performance.timing import SpeedRamp, parsed_offsets
        from lpd_plugin.video.timing import as_seconds

        moment = as_seconds(neutral.strip() or None, "neutral moment")
        edit = PoseEdit(
            smooth, amplify, head_motion, None if moment is None else float(moment), parsed_offsets(offset, MOVEMENTS),
            reverse, SpeedRamp.parsed(speed),
        )  # fmt: skip
        edited = edit.shaped(pose, second, Fade(fade_from, fade_to, second_begins))
        drawn = curves(pose, edited)
        context.show(lambda: drawn)
        return edited, _image(drawn), _image(drawn if identity is None else _strip(identity, pose, edited, context))


def _strip(identity, before, after, context):
    from lpd_plugin.reenactment.performance.strip import strip
    from lpd_plugin.weights.files import load_model

    return strip(identity, before, after, load_model(identity.weights_name, context.device))


def _image(picture):
    import torch

    return torch.from_numpy(picture).float()[None] / 255
