"""Where the head is, frame by frame."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, Context, Float, Input, Int, Node, Output, Text

CHOICES = ("largest", "leftmost", "rightmost", "index", "nearest")


class TrackHead(Node):
    id = "LPDTrackHead"
    name = "Track head"
    category = "LPD/footage"
    description = "Finds one head and follows it through the clip; gaps are bridged, absence is reported."
    search_aliases = ("face detection", "face tracking", "crop")
    inputs = (
        Input("clip", (types.VIDEO, types.IMAGE), tooltip="The footage to search"),
        Choice("which", CHOICES, default="largest", tooltip="Which head, where there are several"),
        Int("index", default=0, minimum=0, maximum=99, tooltip="For which = index: heads counted from the left, from 0"),
        Float("x", default=0.5, minimum=0.0, maximum=1.0, tooltip="For which = nearest: share of the width"),
        Float("y", default=0.5, minimum=0.0, maximum=1.0, tooltip="For which = nearest: share of the height"),
        Text(
            "keyframes", default="", multiline=True,
            tooltip="Boxes set by hand, one a line: frame, left, top, side (pixels); they always win",
        ),
    )  # fmt: skip
    outputs = (
        Output("track", types.TRACK),
        Output("preview", types.IMAGE, tooltip="Frames with the box drawn in, one a moment"),
    )

    @classmethod
    def check(cls, keyframes, **_):
        from lpd_plugin.errors import BadInput
        from lpd_plugin.video.tracking.keyframes import parse_keyframes

        try:
            parse_keyframes(keyframes or "")
        except BadInput as error:
            return str(error)
        return None

    @classmethod
    def fingerprint(cls, **_):
        from ._sources import weights_fingerprint

        return weights_fingerprint("finder")

    def run(self, context: Context, clip, which, index, x, y, keyframes):
        from lpd_plugin.video.tracking.keyframes import parse_keyframes
        from lpd_plugin.video.tracking.tracker import track_head

        from ._preview import as_picture, track_preview, track_view
        from ._sources import as_clip

        clip = as_clip(clip)
        width, height = clip.info.width, clip.info.height
        wanted = {"index": f"index:{index}", "nearest": f"nearest:{x * width},{y * height}"}.get(which, which)
        track = track_head(clip, wanted, parse_keyframes(keyframes), progress=context.progress)
        preview = track_preview(clip, track)
        context.note(track.summary())
        context.show(lambda: as_picture(preview))
        context.tell("track", lambda: track_view(clip, track))
        return track, preview
