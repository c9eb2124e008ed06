"""The parameter names of the authors' released state dicts, and ours. One table, both ways."""

from __future__ import annotations

# (released prefix, ours); the rest of a key (weight_orig, bias, ...) is the same on both sides. An upsampling
# block holds one module more before its convolutions than a plain one; all but the first two upsample.
GENERATOR = (
    ("constant.constant", "constant"),
    ("decoder_blocks.10.", "to_image."),
    ("affine_params_projector.", "projector."),
    *(
        (f"decoder_blocks.{block}.block.{plain + (block >= 2)}.", f"blocks.{block}.convolution{number}.")
        for block in range(8)
        for number, plain in ((1, 3), (2, 7))
    ),
    *((f"decoder_blocks.{block}.skip.1.", f"blocks.{block}.skip.") for block in range(2, 8)),
)
EMBEDDER = (
    ("identity_encoder.", "identity_encoder.backbone."),
    ("pose_encoder.", "pose_encoder.backbone."),
)
DISCRIMINATOR = (
    ("down_block.0.", "first1."),
    ("down_block.2.", "first2."),
    ("skip.0.", "first_skip."),
    ("linear.", "score."),
    ("embed.", "label_embedding."),
    *(
        (f"blocks.{block}.{released}.", f"blocks.{block}.{own}.")
        for block in range(6)
        for released, own in (("block.2", "convolution1"), ("block.5", "convolution2"), ("skip.0", "skip"))
    ),
)
Table = tuple[tuple[str, str], ...]


def own_state(released: dict, table: Table) -> dict:
    """A released state dict under our names (same tensors); raises KeyError for a key the table does not know."""
    return {_renamed(key, table): value for key, value in released.items()}


def released_state(own: dict, table: Table) -> dict:
    """Our state dict under the released names (same tensors); raises KeyError for a key the table does not know."""
    back = tuple((ours, released) for released, ours in table)
    return {_renamed(key, back): value for key, value in own.items()}


def _renamed(key: str, table: Table) -> str:
    for prefix, replacement in table:
        if key.startswith(prefix):
            return replacement + key[len(prefix) :]
    raise KeyError(key)
