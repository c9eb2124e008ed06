"""How good a model is on people it never saw: what decides which checkpoint is the best."""

from __future__ import annotations

import numpy as np
import torch

from ..networks.model import ReenactmentModel
from .data.store import Heads
from .losses.dice import dice_loss
from .losses.laplacian import laplacian_loss

PERSONS, IDENTITY_PICTURES, DRIVERS = 16, 8, 4
MEASURES = ("validation", "validation_content", "validation_dice")


@torch.no_grad()
def held_out_measures(model: ReenactmentModel, store: Heads, device: torch.device) -> dict[str, float]:
    """Self-reenactment of up to 16 persons of `store`, 4 frames each, from 8 other frames of the same video.

    validation_content: Laplacian-pyramid distance of rgb * mask to the frame * its mask; validation_dice: of the
    masks; validation: their sum, content times its default weight 10; smaller is better. Always the same frames,
    no augmentation. The model is called as it is: give the running average in evaluation mode.
    """
    side = model.configuration.image_size
    content, dice, persons = 0.0, 0.0, list(store.by_person().values())[:PERSONS]
    for clips in persons:
        clip = store.clips[clips[0]]
        rows = np.linspace(clip.start, clip.stop - 1, IDENTITY_PICTURES + DRIVERS).astype(int)
        driving = np.zeros(len(rows), bool)
        driving[1 :: len(rows) // DRIVERS] = True
        identity, _ = store.pictures(rows[~driving])
        target, mask = (t.to(device) for t in store.pictures(rows[driving]))
        embedding = model.identity_encoder(identity[None].to(device)).expand(len(target), -1)
        rgb, made = model.generator(embedding, model.pose_encoder(target))
        if target.shape[-1] != side:
            target, mask = (torch.nn.functional.interpolate(t, (side, side), mode="area") for t in (target, mask))
        content += float(laplacian_loss(rgb * made, target * mask))
        dice += float(dice_loss(made, mask))
    content, dice = content / len(persons), dice / len(persons)
    return dict(zip(MEASURES, (10 * content + dice, content, dice)))
