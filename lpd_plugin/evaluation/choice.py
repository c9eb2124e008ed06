"""Which frames are given, which are tested, and who drives whom: the one definition, which asks no network and no chance."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import BadInput
from ..learning.adaptation.views import farthest_points
from .people import FilmedClip, Person

LEAST_FRAMES = 6  # fewer cannot be parted into what is given and what is tested
THUMBNAIL = 24  # pixels
AROUND = 32  # frames of a driver's clip beside those that drive
A_CLIP = 8  # frames at least of a driver's clip, so that motion within it can be told
MIDDLE = 0.75  # share of the crop's side that holds the face


@dataclass(frozen=True)
class Moments:
    """Some frames of one clip that drive: rows (M,) in the clip, ascending; run: they follow each other without a gap.

    frames (M, 256, 256, 3) and masks (M, 256, 256), uint8: what the driver really looked like. around (N, 256, 256, 3): up to
    AROUND frames from all over that clip, which a performer may look at, too, since performances are whole clips.
    """

    driver: str
    clip: str
    rows: np.ndarray
    frames: np.ndarray
    masks: np.ndarray
    around: np.ndarray
    run: bool = False

    def __len__(self) -> int:
        return len(self.rows)


def given_pictures(person: Person, count: int) -> tuple[np.ndarray, np.ndarray]:
    """What a generator learns of the person: up to `count` frames (K, 256, 256, 3) and masks (K, 256, 256), those that
    look most different, never of the tested part (see `part_to_test`).

    Different: farthest points (Gonzalez 1985) among thumbnails of the crop's middle, the same for every generator.
    """
    clip, start, stop = part_to_test(person)
    frames = [c.frames if c is not clip else c.frames[:start] for c in person.clips]
    masks = [c.masks if c is not clip else c.masks[:start] for c in person.clips]
    frames, masks = np.concatenate(frames), np.concatenate(masks)
    rows = sorted(farthest_points(thumbnails(frames), count))
    return frames[rows], masks[rows]


def part_to_test(person: Person) -> tuple[FilmedClip, int, int]:
    """The frames that nothing is learned from, a clip and [start, stop) in it: the person's last clip, or the last third
    of an only one. (An only clip's frames have near doubles beside them: a third at the end has few.)

    Raises `BadInput` for a person with one clip of fewer than 6 frames."""
    clip = person.clips[-1]
    if len(clip) < LEAST_FRAMES and len(person.clips) == 1:
        raise BadInput(f"{person.name} has {len(clip)} frames, but {LEAST_FRAMES} are needed: leave the person out of the index.")
    return clip, 0 if len(person.clips) > 1 else len(clip) - len(clip) // 3, len(clip)


def own_moments(person: Person, count: int, run: int) -> list[Moments]:
    """For self-reenactment: `count` frames spread over the tested part, and `run` consecutive ones from its middle."""
    clip, start, stop = part_to_test(person)
    return [_moments(person.name, clip, spread(start, stop, count)), _run(person.name, clip, start, stop, run)]


def driving_moments(driver: Person, count: int, turn: int) -> list[Moments]:
    """`count` frames that drive others, spread over clips of the driver: 8 a clip at least, so that each tells of motion.

    turn: which clip comes first, so that different people see different ones.
    """
    used = max(1, min(len(driver.clips), count // A_CLIP))
    clips = [driver.clips[k] for k in sorted((turn + k) % len(driver.clips) for k in range(used))]
    shares = np.diff(np.linspace(0, count, used + 1).round().astype(int))
    return [_moments(driver.name, clip, spread(0, len(clip), share)) for clip, share in zip(clips, shares)]


def driving_run(driver: Person, length: int, turn: int) -> Moments:
    """`length` consecutive frames of one clip of a driver, from its middle."""
    clip = driver.clips[turn % len(driver.clips)]
    return _run(driver.name, clip, 0, len(clip), length)


def drivers_of(name: str, names: list[str], count: int) -> list[str]:
    """Up to `count` others, evenly around the circle of names after `name`: so everybody drives as often as everybody."""
    place, others = names.index(name), len(names) - 1
    steps = np.linspace(1, others, min(count, others)).round().astype(int) if others else []
    return [names[(place + step) % len(names)] for step in steps]


def chosen_persons(names: list[str], count: int | None) -> list[str]:
    """`count` of the persons (None: all), evenly over their names."""
    rows = np.linspace(0, len(names) - 1, min(count or len(names), len(names))).round().astype(int)
    return [names[row] for row in rows]


def spread(start: int, stop: int, count: int) -> np.ndarray:
    """Up to `count` rows of [start, stop), evenly, each once."""
    return np.unique(np.linspace(start, stop - 1, count).round().astype(int))


def thumbnails(frames: np.ndarray) -> np.ndarray:
    """(N, 576) float: the middle of each frame (N, S, S, 3) in grey, 24 px a side."""
    border = round(frames.shape[1] * (1 - MIDDLE) / 2)
    middle = frames[:, border:-border, border:-border]
    small = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (THUMBNAIL,) * 2, interpolation=cv2.INTER_AREA) for f in middle]
    return np.stack(small).reshape(len(frames), -1).astype(float)


def _moments(driver: str, clip: FilmedClip, rows: np.ndarray, run: bool = False) -> Moments:
    around = clip.frames[spread(0, len(clip), AROUND)]
    return Moments(driver, clip.name, rows, clip.frames[rows], clip.masks[rows], around, run)


def _run(driver: str, clip: FilmedClip, start: int, stop: int, length: int) -> Moments:
    length = min(length, stop - start)
    first = start + (stop - start - length) // 2
    return _moments(driver, clip, np.arange(first, first + length), run=True)
