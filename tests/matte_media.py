"""Heads with known mattes, over known backgrounds and shaken, for the tests of mattes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from lpd_plugin.compositing.matte.motion import Motion
from lpd_plugin.compositing.plate.fill import push_pull
from lpd_plugin.reenactment.heads import Head, Heads

VAL = ("p067", "p068", "p072", "p075")  # short hair and long, plain backgrounds and busy ones


@dataclass(frozen=True)
class Known:
    """picture (S, S, 3) shows a head over another background than its own; truth (S, S) is its matte, exactly."""

    picture: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, rgb: np.ndarray, matte: np.ndarray, background: np.ndarray) -> "Known":
        # The head's own colours carried on outwards, so that nothing of its old background shows through its hair.
        colours = push_pull(rgb, np.clip((matte - 0.95) / 0.05, 0, 1))
        grain = np.random.default_rng(0).normal(0, 1 / 255, rgb.shape).astype(np.float32)
        picture = colours * matte[..., None] + background * (1 - matte[..., None]) + grain
        return cls(np.clip(picture, 0, 1), matte)

    def coarse(self, factor: int = 4) -> np.ndarray:
        """What a network that works at a fraction of the size would say, enlarged."""
        side = len(self.truth)
        small = cv2.resize(self.truth, (side // factor,) * 2, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), 0.7)
        return np.clip(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1)


def frames_of(path: Path, count: int, grey: bool = False) -> np.ndarray:
    """The first frames of a file: (N, H, W, 3), or (N, H, W) of a mask, float32 in [0, 1]."""
    pictures = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            pictures.append(picture.to_ndarray(format="gray" if grey else "rgb24"))
            if len(pictures) == count:
                break
    return np.stack(pictures).astype(np.float32) / 255


def head_clip(shared: Path, person: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and mattes of one of the shared head clips."""
    folder = shared / "heads" / "val" / person
    return frames_of(folder / "clip0.mp4", count), frames_of(folder / "clip0.mask.mp4", count, grey=True)


def astronaut_head(astronaut: Path, side: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """The portrait's head and the embedded network's matte of it, made as sharp as footage is."""
    import torch

    from lpd_plugin.reenactment.mattes import tidied
    from lpd_plugin.weights.files import load_matte

    whole = cv2.imread(str(astronaut))[..., ::-1].astype(np.float32) / 255
    rgb = np.ascontiguousarray(whole[:320, 64:384])
    with torch.inference_mode():
        small = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
        matte = tidied(load_matte()(torch.from_numpy(small[None].copy()))[0, 0].numpy())
    matte = cv2.resize(matte, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_CUBIC), np.clip((matte - 0.5) * 2 + 0.5, 0, 1)


def shaken(mattes: Sequence[np.ndarray], pixels: float = 2.0, seed: int = 0) -> np.ndarray:
    """Mattes whose edges jump to and fro, every stretch of the edge and every frame for itself."""
    random, result = np.random.default_rng(seed), []
    for matte in mattes:
        flow = random.normal(0, pixels, (10, 10, 2)).astype(np.float32)
        flow = cv2.resize(flow, matte.shape[::-1], interpolation=cv2.INTER_CUBIC)
        result.append(np.clip(Motion(flow).carried(matte), 0, 1))
    return np.stack(result)


def moved(image: np.ndarray, across: float) -> np.ndarray:
    """A picture or matte, that many pixels to the right."""
    matrix = np.float32([[1, 0, across], [0, 1, 0]])
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class MadeHeads(Heads):
    """Heads from arrays; None in `mattes` where there is none. Counts what was asked for in `pulled`."""

    def __init__(self, pictures: Sequence[np.ndarray], mattes: Sequence[np.ndarray | None], first: int = 0):
        self.pictures, self.mattes, self.first, self.pulled = pictures, mattes, first, 0
        self.size, self.times = len(pictures[0]), np.arange(first, len(mattes)) / 25

    def __iter__(self):
        for picture, matte in zip(self.pictures[self.first :], self.mattes[self.first :]):
            self.pulled += 1
            yield None if matte is None else Head(picture, matte)

    def retimed(self, times: np.ndarray, end_policy: str) -> "MadeHeads":
        picks = [int(round(time * 25)) for time in times]
        return MadeHeads([self.pictures[i] for i in picks], [self.mattes[i] for i in picks])

    def fingerprint(self) -> str:
        return f"made {len(self.mattes)} {self.first}"


def generated(identity: Path, driver: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and mattes of the first heads drawn of one clip's person as the other's moves, by the embedded weights."""
    from lpd_plugin.reenactment.crops import chosen_crops
    from lpd_plugin.reenactment.generate import GeneratedHeads
    from lpd_plugin.reenactment.identity import encode_identity
    from lpd_plugin.reenactment.pose import encode_pose
    from lpd_plugin.video.open import open_clip
    from lpd_plugin.video.tracking.tracker import track_head
    from lpd_plugin.weights.files import load_model

    model = load_model("compact")
    own, other = (open_clip(path).trimmed(Fraction(0), Fraction(s)) for path, s in ((identity, 2), (driver, 1)))
    person = encode_identity(model, chosen_crops([(own, track_head(own))], 4, model))
    heads = list(islice(GeneratedHeads(person, encode_pose(model, other, track_head(other)), model), count))
    return np.stack([head.rgb for head in heads]), np.stack([head.matte for head in heads])
