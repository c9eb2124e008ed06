"""Head crops of a tracked clip, streamed; and a few of them, chosen to differ in pose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import av
import numpy as np
import torch

from ..ahead import networks_ahead
from ..errors import BadInput
from ..learning.adaptation.views import farthest_points
from ..learning.pose_sources import described, descriptor_file
from ..networks.configurations import LATENT
from ..networks.model import ReenactmentModel
from ..progress import Progress
from ..video.clip import Clip
from ..video.regions.region import box_rect
from ..video.regions.square import read_square
from ..video.track import CropBox, Origin, Track
from ..weights.residency import at_work

CROP_SIZE = 256
MICRO_BATCH = 8
MOST_LOOKED_AT = 400  # frames of all clips together: enough to choose from, bounded for any length
ODDEST = 0.03  # share of the frames, farthest from the middle one, that many frames can do without


def head_crops(clip: Clip, track: Track, size: int = CROP_SIZE) -> Iterator[np.ndarray | None]:
    """One uint8 RGB crop (size, size, 3) per frame, None where the head is absent. Streaming."""
    for frame in clip.frames():
        box = track.box(frame.index) if frame.index < len(track) else None
        yield None if box is None else head_crop(frame.picture, box, size)


def head_crop(picture: av.VideoFrame, box: CropBox, size: int = CROP_SIZE) -> np.ndarray | None:
    """The square of a head in a picture, uint8 RGB (size, size, 3), without converting what lies beyond it; None where it is
    wholly outside. As `crop_square` of the whole picture, give or take a code where the square is made smaller."""
    if box_rect(box, picture.width, picture.height).empty:
        return None
    return np.rint(read_square(picture, box, size).clip(0, 1) * 255).astype(np.uint8)


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

    def read(batch: tuple[list[int], np.ndarray]) -> tuple[list[int], np.ndarray]:
        return batch[0], encode_crops(model, batch[1])

    with (
        progress.task("looking for different poses", sum(map(len, wanted))) as task,
        reading_ahead(model) as ahead,
    ):
        for index, ((clip, track), rows) in enumerate(zip(footage, wanted)):
            for frames, values in ahead(read, batches(_crops_at(clip, track, rows))):
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


def reading_ahead(model: ReenactmentModel) -> contextlib.AbstractContextManager:
    """A block in which crops are read ahead, see `networks_ahead`; one by one where a package reads them, which may not bear
    several threads."""
    if model.configuration.pose_source == LATENT:
        return networks_ahead(model.generator.constant.device)
    return contextlib.nullcontext(map)


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
            crop = head_crop(frame.picture, track.box(frame.index))
            if crop is not None:
                yield frame.index, crop
        if frame.index >= last:
            return


def batches(crops: Iterator[tuple[int, np.ndarray]]) -> Iterator[tuple[list[int], np.ndarray]]:
    """Numbered crops a few at a time: their numbers, and crops (B, S, S, 3)."""
    frames, batch = [], []
    for frame, crop in crops:
        frames.append(frame)
        batch.append(crop)
        if len(batch) == MICRO_BATCH:
            yield frames, np.stack(batch)
            frames, batch = [], []
    if batch:
        yield frames, np.stack(batch)
