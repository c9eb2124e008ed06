"""The parameter names of the authors' released state dicts, and ours. One table, both ways."""

from __future__ import annotations

import re

# released pattern -> ours; tried in order, the rest of the key (weight_orig, bias, ...) follows unchanged
GENERATOR = (
    (r"constant\.constant", "constant"),
    (r"decoder_blocks\.10\.", "to_image."),
    (r"decoder_blocks\.(\d+)\.block\.[34]\.", r"blocks.\1.convolution1."),
    (r"decoder_blocks\.(\d+)\.block\.[78]\.", r"blocks.\1.convolution2."),
    (r"decoder_blocks\.(\d+)\.skip\.[01]\.", r"blocks.\1.skip."),
    (r"affine_params_projector\.", "projector."),
)
EMBEDDER = (
    (r"identity_encoder\.", "identity_encoder.backbone."),
    (r"pose_encoder\.", "pose_encoder.backbone."),
)
DISCRIMINATOR = (
    (r"down_block\.0\.", "first1."),
    (r"down_block\.2\.", "first2."),
    (r"skip\.0\.", "first_skip."),
    (r"blocks\.(\d+)\.block\.2\.", r"blocks.\1.convolution1."),
    (r"blocks\.(\d+)\.block\.5\.", r"blocks.\1.convolution2."),
    (r"blocks\.(\d+)\.skip\.0\.", r"blocks.\1.skip."),
    (r"linear\.", "score."),
    (r"embed\.", "label_embedding."),
)


def own_name(released: str, table: tuple[tuple[str, str], ...]) -> str:
    """Our name for a released key; raises KeyError for one the table does not know."""
    for pattern, replacement in table:
        renamed, count = re.subn(f"^{pattern}", replacement, released)
        if count:
            return renamed
    raise KeyError(released)


def own_state(released: dict, table: tuple[tuple[str, str], ...]) -> dict:
    """A released state dict under our names (same tensors)."""
    return {own_name(key, table): value for key, value in released.items()}
