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


def as_picture(images):
    """An IMAGE batch (B, H, W, 3) float 0..1 as one uint8 RGB picture, its images side by side in rows of about one shape."""
    import numpy as np

    pictures = (images.detach().cpu().float().numpy() * 255).round().clip(0, 255).astype(np.uint8)
    return tiled(pictures)


def tiled(pictures, columns: int = 0):
    """uint8 RGB pictures of one size (N, H, W, 3), in rows, as one; the last row is filled up with grey."""
    import numpy as np

    pictures = np.asarray(pictures)
    count, height, width = pictures.shape[:3]
    columns = columns or max(1, min(count, round((count * height / width * 16 / 9) ** 0.5)))
    rows = -(-count // columns)
    sheet = np.full((rows * columns, height, width, 3), 40, np.uint8)
    sheet[:count] = pictures
    return sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def performance_preview(clip, track, pose, moments: int = 8, side: int = 128):
    """uint8 RGB (H, W, 3): head crops spread over a performance, above the curves of its movements."""
    import cv2
    import numpy as np

    from lpd_plugin.compositing.picture.look import frames_at
    from lpd_plugin.reenactment.performance.curves import curves
    from lpd_plugin.video.crop import crop_square

    seen = np.flatnonzero(pose.present & track.present[: len(pose)])
    chosen = np.unique(seen[np.linspace(0, len(seen) - 1, min(moments, len(seen))).round().astype(int)])
    crops = [crop_square(frame.rgb(), track.box(frame.index), side) for frame in frames_at(clip, [int(i) for i in chosen])]
    strip = tiled(crops, moments)
    drawn = curves(pose, pose)
    height = round(drawn.shape[0] * strip.shape[1] / drawn.shape[1])
    return np.concatenate((strip, cv2.resize(drawn, (strip.shape[1], height), interpolation=cv2.INTER_AREA)))


def track_view(clip, track, moments: int = 24, side: int = 640, most_boxes: int = 20_000):
    """What a host needs to let somebody scrub a track and set boxes: size of the footage, number of frames, some frames as
    pictures of at most `side` pixels, and box (left, top, side; pixels) and origin of every frame up to `most_boxes`."""
    import cv2
    import numpy as np

    from lpd_plugin.compositing.picture.look import frames_at

    chosen = np.unique(np.linspace(0, len(track) - 1, min(moments, len(track))).round().astype(int))
    scale = min(1.0, side / max(clip.info.width, clip.info.height))
    size = max(1, round(clip.info.width * scale)), max(1, round(clip.info.height * scale))
    frames = frames_at(clip, [int(i) for i in chosen])
    boxes = [track.box(index) for index in range(min(len(track), most_boxes))]
    return {
        "width": clip.info.width, "height": clip.info.height, "frames": len(track),
        "moments": [{"frame": f.index, "picture": cv2.resize(f.rgb(), size, interpolation=cv2.INTER_AREA)} for f in frames],
        "boxes": [None if box is None else [round(box.left, 1), round(box.top, 1), round(box.side, 1)] for box in boxes],
        "origins": [int(one) for one in track.origin[:most_boxes]],
    }  # fmt: skip
