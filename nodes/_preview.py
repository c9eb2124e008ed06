"""Small pictures of what a node did."""

from __future__ import annotations


def track_preview(clip, track, moments: int = 6, height: int = 240):
    """IMAGE batch (moments, height, W, 3) float 0..1: frames spread over the clip with their boxes."""
    import cv2
    import numpy as np
    import torch

    from lpd_plugin.compositing.picture.look import frames_at
    from lpd_plugin.video.tracking.drawing import draw_track

    chosen = np.unique(np.linspace(0, len(track) - 1, min(moments, len(track))).round().astype(int))
    pictures = []
    for frame in frames_at(clip, [int(i) for i in chosen]):
        drawn = draw_track(frame.rgb(), track.box(frame.index), track.origin[frame.index])
        width = round(drawn.shape[1] * height / drawn.shape[0])
        pictures.append(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(pictures)).float() / 255
