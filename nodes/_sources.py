"""What several nodes accept as footage: a clip, or the host's batch of pictures."""

from __future__ import annotations


def as_clip(value, rate: float = 25.0):
    """A clip as it is; an IMAGE batch as a clip of `rate` frames a second."""
    from lpd_plugin.video.batch_clip import BatchClip
    from lpd_plugin.video.clip import Clip

    return value if isinstance(value, Clip) else BatchClip(value, rate)


def tracked(clip, track, context):
    """The given track, or the largest head's."""
    if track is not None:
        return track
    from lpd_plugin.video.tracking.tracker import track_head

    return track_head(clip, progress=context.progress)


def weights_fingerprint(*names):
    """The contents of weights files, for `fingerprint`: 'compact', 'matte', 'finder' or paths; None for one that is not there.

    A result that was kept is not one of other weights, also where new ones come under an old name.
    """
    from lpd_plugin.errors import BadInput
    from lpd_plugin.video.tracking.finder import WEIGHTS as finder
    from lpd_plugin.weights.files import file_digest, weights_path

    digests = []
    for name in names:
        try:
            digests.append(file_digest(finder if name == "finder" else weights_path(name)))
        except (BadInput, OSError, TypeError):
            digests.append(None)
    return digests
