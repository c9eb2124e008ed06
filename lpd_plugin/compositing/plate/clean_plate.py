"""The clean plate of a piece of footage: what is behind the head, whether the camera stands or moves."""

from __future__ import annotations

from ...allocator import give_back_freed
from ...progress import Progress
from ...video.clip import Clip
from ...video.track import Track
from ..picture.square import HeadMatte
from .camera_path import camera_path
from .grainy import with_grain
from .moving_camera import MovingPlate
from .own_plate import own_plate
from .plate import Plate, empty_plate, plate_digest
from .still_camera import still_plate


def plate_for(
    clip: Clip,
    track: Track,
    own: Clip | None = None,
    head_matte: HeadMatte | None = None,
    samples: int = 48,
    grain: bool = True,
    progress: Progress | None = None,
) -> Plate:
    """The user's own plate where there is one, taken as it is; else `clean_plate`, with the footage's grain if wanted.

    Raises BadInput where the own plate is not of the footage's size.
    """
    if own is not None:
        return own_plate(own, clip)
    plate = clean_plate(clip, track, head_matte, samples, progress)
    if grain and track.present.any():
        plate = with_grain(plate, clip, track)
    give_back_freed()
    return plate


def clean_plate(
    clip: Clip,
    track: Track,
    head_matte: HeadMatte | None = None,
    samples: int = 48,
    progress: Progress | None = None,
) -> Plate:
    """Find what is behind the head.

    Where the camera stands: the temporal median of each pixel over at most `samples` moments that show it. Where it
    moves: frames near in time laid over each other by the background's motion. Where the background is
    never seen: texture from around. Memory is bounded whatever the clip's length. The plate is empty where there is no
    head at all.
    """
    progress = progress or Progress()
    if not track.present.any():
        return empty_plate(plate_digest("no plate", clip, track))
    plate = still_plate(clip, track, head_matte, samples, progress)
    if plate is not None:
        return plate
    digest = plate_digest("moving plate 2", clip, track, head_matte is None)
    return MovingPlate(clip, track, camera_path(clip, track, progress), head_matte, digest)
