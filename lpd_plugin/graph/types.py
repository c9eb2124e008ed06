"""What may flow along a link, by name. Names are the host's where it has one, else carry the prefix LPD."""

from __future__ import annotations

VIDEO = "VIDEO"
TRACK = "LPD_TRACK"
IDENTITY = "LPD_IDENTITY"
POSE = "LPD_POSE"
HEADS = "LPD_HEADS"
IMAGE = "IMAGE"
MASK = "MASK"
AUDIO = "AUDIO"
STRING = "STRING"
INT = "INT"
FLOAT = "FLOAT"
BOOLEAN = "BOOLEAN"
COMBO = "COMBO"

DESCRIPTIONS = {
    VIDEO: "A re-openable, lazily decoded piece of footage; a handle, of any length",
    TRACK: "A head's square crop box and confidence per frame, and how each was found",
    IDENTITY: "Identity embedding, reference pictures and, after adaptation, the adapted weights",
    POSE: "Pose descriptors with their timestamps",
    HEADS: "A lazy sequence of generated heads (RGB and matte), computed when pulled",
    IMAGE: "A batch of pictures: float (B, H, W, C), 0..1",
    MASK: "A batch of mattes: float (B, H, W), 0..1",
    AUDIO: "Sound: samples (1, channels, samples), -1..1, and their rate",
    STRING: "Text",
    INT: "A whole number",
    FLOAT: "A number",
    BOOLEAN: "True or false",
    COMBO: "One of a list of names",
}

# The host converts a whole number where a number is asked, and passes text where a choice is asked.
_CONVERTIBLE = {(INT, FLOAT), (STRING, COMBO), (COMBO, STRING)}


def can_link(source: str, accepted: tuple[str, ...]) -> bool:
    """Whether an output of type `source` may feed an input that takes any of `accepted`."""
    return any(source == target or (source, target) in _CONVERTIBLE for target in accepted)
