"""Head crops of a tracked clip, streamed; and a few of them, chosen to differ in pose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..errors import BadInput
from ..learning.adaptation.views import farthest_points
from ..learning.pose_sources import described, descriptor_file
from ..networks.configurations import LATENT
from ..networks.model import ReenactmentModel
from ..progress import Progress
from ..video.clip import Clip
from ..video.crop import crop_square
from ..video.track import Origin, Track
from ..weights.residency import at_work

CROP_SIZE = 256
MICRO_BATCH = 8
MOST_LOOKED_AT = 400  # frames of all clips together: enough to choose from, bounded for any length
ODDEST = 0.03  # share of the frames, farthest from the middle one, that many frames can do without


def head_crops(clip: Clip, track: Track, size: int = CROP_SIZE) -> Iterator[np.ndarray | None]:
    """One uint8 RGB crop (size, size, 3) per frame, None where the head is absent. Streaming."""
    for frame in clip.frames():
        box = track.box(frame.index) if frame.index < len(track) else None
        yield None if box is None else crop_square(frame.rgb(), box, size)


def chosen_crops(
    footage: Sequence[tuple[Clip, Track]], count: int, model: ReenactmentModel, progress: Progress | None = None
) -> np.ndarray:
    """Up to `count` head crops (K, 256, 256, 3) uint8 of one person, spread over pose rather than over time.

    footage: clips and stills with their tracks. Up to 400 frames of all are read as pose descriptors;
    farthest-point selection picks those that differ most from what was picked before, starting with the frame
    nearest the mean. Two decodes, memory for the descriptors only. Raises `BadInput` if no head is ever seen.
    """
    progress = progress or Progress()
    wanted = [_worth_looking_at(track) for _, track in footage]
    total = sum(map(len, wanted))
    if not total:
        names = " or ".join(clip.describe() for clip, _ in footage)
        raise BadInput(f"No head was found in {names}; give a box by hand or another clip.")
    stride = -(-total // MOST_LOOKED_AT)
    wanted = [rows[::stride] for rows in wanted]
    places, descriptors = [], []
    with progress.task("looking for different poses", sum(map(len, wanted))) as task:
        for index, ((clip, track), rows) in enumerate(zip(footage, wanted)):
            for frames, crops in _batches(_crops_at(clip, track, rows)):
                values = encode_crops(model, crops)
                seen = np.isfinite(values).all(1)
                places += [(index, frame) for frame, there in zip(frames, seen) if there]
                descriptors.append(values[seen])
                task.advance(len(frames))
    if not places:  # a track may promise frames that its clip no longer has
        raise BadInput(f"No face could be read in {footage[0][0].describe()}; choose another file.")
    descriptors = np.concatenate(descriptors)
    usable = _without_oddest(descriptors, np.array([index for index, _ in places]), count)
    picked = {places[usable[i]] for i in farthest_points(descriptors[usable], count)}
    crops = []
    for index, (clip, track) in enumerate(footage):
        rows = sorted(frame for clip_index, frame in picked if clip_index == index)
        crops += [crop for _, crop in _crops_at(clip, track, rows)]
    return np.stack(crops)


@torch.inference_mode()
def encode_crops(model: ReenactmentModel, crops: np.ndarray) -> np.ndarray:
    """Pose descriptors (B, descriptor_size) float32 of head crops (B, S, S, 3) uint8 RGB.

    Where weights are driven by another descriptor than the latent one, that, standardised as in their training: a row is NaN
    where it sees no face. Raises `BadInput` where its package or file is missing.
    """
    at_work(model)
    device = model.generator.constant.device
    if model.configuration.pose_source == LATENT:
        poses = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255
    else:
        describe = described(model.descriptor.name, descriptor_file(model.descriptor, model.folder))
        poses = torch.from_numpy(describe(crops)).to(device)
    return model.pose_encoder(poses).float().cpu().numpy()


def _worth_looking_at(track: Track) -> np.ndarray:
    """Frames in which the head was seen; bridged gaps, which may show a hand, only where there is nothing else."""
    seen = np.flatnonzero(track.present & (track.origin != Origin.INTERPOLATED))
    return seen if len(seen) else np.flatnonzero(track.present)


def _without_oddest(descriptors: np.ndarray, clips: np.ndarray, count: int) -> np.ndarray:
    """Rows without the oddest few of each clip: the farthest point would be the frame with a mistaken box before
    any other. descriptors (N, D); clips (N,): which clip a row comes from."""
    kept = []
    for clip in np.unique(clips):
        rows = np.flatnonzero(clips == clip)
        oddest = int(ODDEST * len(rows))
        if len(rows) - oddest >= 2 * count:
            distance = np.linalg.norm(descriptors[rows] - np.median(descriptors[rows], 0), axis=1)
            rows = rows[np.argsort(distance, kind="stable")[: len(rows) - oddest]]
        kept.append(np.sort(rows))
    return np.concatenate(kept)


def _crops_at(clip: Clip, track: Track, rows: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """(frame index, crop) of these frames, ascending; decoding ends with the last of them."""
    if not len(rows):
        return
    rows, last = {int(row) for row in rows}, int(max(rows))
    for frame in clip.frames():
        if frame.index in rows:
            yield frame.index, crop_square(frame.rgb(), track.box(frame.index), CROP_SIZE)
        if frame.index >= last:
            return


def _batches(crops: Iterator[tuple[int, np.ndarray]]) -> Iterator[tuple[list[int], np.ndarray]]:
    frames, batch = [], []
    for frame, crop in crops:
        frames.append(frame)
        batch.append(crop)
        if len(batch) == MICRO_BATCH:
            yield frames, np.stack(batch)
            frames, batch = [], []
    if batch:
        yield frames, np.stack(batch)
