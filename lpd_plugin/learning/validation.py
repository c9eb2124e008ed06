"""How good a model is on people it never saw: what decides which checkpoint is the best."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import BadInput
from ..networks.model import ReenactmentModel
from .data.store import Heads
from .losses.dice import dice_loss
from .losses.laplacian import laplacian_loss
from .pose_sources.rows import Driving, drives, pictures_drive

PERSONS, IDENTITY_PICTURES, DRIVERS = 16, 8, 4
MEASURES = ("validation", "validation_content", "validation_dice")


@torch.no_grad()
def held_out_measures(
    model: ReenactmentModel, store: Heads, device: torch.device, driving: Driving = pictures_drive
) -> dict[str, float]:
    """Self-reenactment of up to 16 persons of `store`, 4 frames each, from 8 other frames of the same video.

    validation_content: Laplacian-pyramid distance of rgb * mask to the frame * its mask; validation_dice: of the
    masks; validation: their sum, content times its default weight 10; smaller is better. Always the same frames,
    no augmentation; frames in which what drives sees no face are left out. The model is called as it is: give the running
    average in evaluation mode. Raises `BadInput` if no face is seen in any.
    """
    side = model.configuration.image_size
    content, dice, persons = 0.0, 0.0, 0
    for clips in list(store.by_person().values())[:PERSONS]:
        clip = store.clips[clips[0]]
        rows = np.linspace(clip.start, clip.stop - 1, IDENTITY_PICTURES + DRIVERS).astype(int)
        drivers = np.zeros(len(rows), bool)
        drivers[1 :: len(rows) // DRIVERS] = True
        identity, _ = store.pictures(rows[~drivers])
        pose = driving(store, rows[drivers])
        seen = drives(pose)
        if not seen.any():
            continue
        pose, (target, mask) = pose[seen].to(device), (t[seen].to(device) for t in store.pictures(rows[drivers]))
        embedding = model.identity_encoder(identity[None].to(device)).expand(len(target), -1)
        rgb, made = model.generator(embedding, model.pose_encoder(pose))
        if target.shape[-1] != side:
            target, mask = (torch.nn.functional.interpolate(t, (side, side), mode="area") for t in (target, mask))
        content += float(laplacian_loss(rgb * made, target * mask))
        dice += float(dice_loss(made, mask))
        persons += 1
    if not persons:
        raise BadInput("No face is seen in the held-out heads by what drives; set held_out to another split, or to nothing.")
    content, dice = content / persons, dice / persons
    return dict(zip(MEASURES, (10 * content + dice, content, dice)))
