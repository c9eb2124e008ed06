"""Footage and the host's batches of pictures, both ways."""

from __future__ import annotations

from lpd_plugin.graph import types
from lpd_plugin.graph.node import Choice, Context, Float, Input, Int, Node, Output


class ImagesToClip(Node):
    id = "LPDImagesToClip"
    name = "Images to clip"
    category = "LPD/footage"
    description = "A batch of pictures from any loader as footage, with its mask as alpha, its sound and its frame rate."
    search_aliases = ("batch to video", "create video", "images to video")
    inputs = (
        Input("images", types.IMAGE, tooltip="The pictures: grey, RGB or RGBA, of any precision"),
        Float("rate", default=25.0, minimum=1.0, maximum=240.0, step=0.001, tooltip="Pictures a second"),
        Input("masks", types.MASK, optional=True, tooltip="Becomes the alpha: one for all, or one each"),
        Input("audio", types.AUDIO, optional=True, tooltip="Becomes the sound"),
        Choice("depth", ("8", "16"), default="8", tooltip="Bits a sample; 16 keeps what a render had beyond 8"),
    )
    outputs = (Output("clip", types.VIDEO),)

    def run(self, context: Context, images, rate, masks, audio, depth):
        from lpd_plugin.video.batch_clip import BatchClip, with_alpha

        from ._sources import sound_of

        if masks is not None:
            images = with_alpha(images, masks)
        clip = BatchClip(images, rate, int(depth))
        if audio is not None:
            clip.audio = sound_of(audio, context.temp_folder)
        return (clip,)


class ClipToImages(Node):
    id = "LPDClipToImages"
    name = "Clip to images"
    category = "LPD/footage"
    description = "Frames of a clip as IMAGE and MASK batches: 24 MB a 1080p frame, so take only as many as you need."
    search_aliases = ("video to images", "get frames", "extract frames")
    inputs = (
        Input("clip", types.VIDEO, tooltip="The footage"),
        Int("first", default=0, minimum=0, maximum=10_000_000, tooltip="The first frame"),
        Int("count", default=64, minimum=1, maximum=4096, tooltip="How many frames at most"),
    )
    outputs = (
        Output("images", types.IMAGE),
        Output("masks", types.MASK, tooltip="The clip's alpha; white where it has none"),
        Output("rate", types.FLOAT, tooltip="Frames a second"),
    )

    def run(self, context: Context, clip, first, count):
        from itertools import islice

        import numpy as np
        import torch

        from lpd_plugin.errors import BadInput
        from lpd_plugin.video.colour import coded_rgb

        images, masks = [], []
        frames = islice(clip.frames(first), count)
        for frame in context.progress.track(frames, "decoding", min(count, max(1, (clip.info.frame_count or count) - first))):
            rgb, alpha = coded_rgb(frame.picture)
            images.append(rgb.clip(0, 1).astype(np.float32))
            masks.append(np.ones(rgb.shape[:2], np.float32) if alpha is None else alpha.astype(np.float32))
        if not images:
            raise BadInput(f"{clip.describe()} has {len(clip.timestamps())} frames; 'first' is {first}; choose a smaller one.")
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)), float(clip.info.rate)
