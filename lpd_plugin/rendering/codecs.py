"""How identities, performances and tracks are kept between runs. What loads them is imported only then: most of it needs torch."""

from __future__ import annotations

from pathlib import Path

from ..graph import types
from ..graph.cache import register_codec


def _identity(path: Path):
    from ..reenactment.identity import Identity

    return Identity.load(path)


def _pose(path: Path):
    from ..reenactment.pose import Pose

    return Pose.load(path)


def _track(path: Path):
    from ..video.track import Track

    return Track.load(path)


register_codec(types.IDENTITY, lambda identity, path: identity.save(path), _identity, ".lpd.safetensors")
register_codec(types.POSE, lambda pose, path: pose.save(path), _pose, ".npz")
register_codec(types.TRACK, lambda track, path: track.save(path), _track, ".npz")
