"""How identities and tracks are kept between runs."""

from __future__ import annotations

from ..graph import types
from ..graph.cache import register_codec
from ..reenactment.identity import Identity
from ..video.track import Track

register_codec(types.IDENTITY, lambda identity, path: identity.save(path), Identity.load, ".lpd.safetensors")
register_codec(types.TRACK, lambda track, path: track.save(path), Track.load, ".npz")
