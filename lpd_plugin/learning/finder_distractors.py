"""What a head finder takes for a face and should not: hands, bare skin, lettering, patches of clothes, shapes."""

from __future__ import annotations

from string import ascii_letters, digits

import cv2
import numpy as np

from .finder_cut_outs import CutOut


def distract(picture: np.ndarray, cut_outs: list[CutOut], random: np.random.Generator) -> None:
    """Draw one distractor somewhere into a float32 RGB picture (S, S, 3), 0..255, in place."""
    size = picture.shape[0]
    reach = float(np.exp(random.uniform(np.log(8), np.log(0.35 * size))))
    centre = random.uniform(0, size, 2)
    cut_out = cut_outs[random.integers(len(cut_outs))]
    kind = random.choice(("hand", "skin", "letters", "patch", "shape"), p=(0.3, 0.15, 0.2, 0.2, 0.15))
    if kind == "hand":
        _hand(picture, centre, reach, _skin(cut_out, random), random)
    elif kind == "skin":
        _paint(picture, _ellipse(picture, centre, reach, random), _skin(cut_out, random), random)
    elif kind == "letters":
        _letters(picture, centre, reach, random)
    elif kind == "patch":
        _patch(picture, centre, reach, cut_out, random)
    else:
        _shape(picture, centre, reach, random)


def _skin(cut_out: CutOut, random: np.random.Generator) -> np.ndarray:
    left, top, right, bottom = cut_out.face.astype(int)
    middle = cut_out.rgb[(top + bottom) // 2 : bottom - 8, left + 12 : right - 12].reshape(-1, 3)
    colour = np.median(middle, axis=0) if len(middle) else np.array([180.0, 140.0, 120.0])
    return colour * random.uniform(0.7, 1.2)


def _ellipse(picture: np.ndarray, centre: np.ndarray, reach: float, random: np.random.Generator) -> np.ndarray:
    mask = np.zeros(picture.shape[:2], np.float32)
    axes = reach * random.uniform((0.6, 0.9), (1.0, 1.5))
    cv2.ellipse(mask, (tuple(centre), tuple(axes), float(random.uniform(0, 180))), 1.0, -1)
    return mask


def _paint(picture: np.ndarray, mask: np.ndarray, colour: np.ndarray, random: np.random.Generator) -> None:
    """Fill a mask with a colour under a soft light from one side."""
    mask = cv2.GaussianBlur(mask, (0, 0), random.uniform(0.4, 1.5))[..., None]
    size = picture.shape[0]
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    light = 1 + random.normal(0, 0.8) * (x - 0.5) + random.normal(0, 0.8) * (y - 0.5)
    blotches = cv2.resize(random.normal(0, 10, (9, 9)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    filled = colour * light[..., None] + blotches[..., None]
    picture += (filled.astype(np.float32) - picture) * mask


def _hand(picture, centre, reach, colour, random) -> None:
    mask = _ellipse(picture, centre, reach * 0.8, random)
    angle = random.uniform(0, 2 * np.pi)
    for finger in range(random.integers(2, 6)):
        towards = angle + (finger - 2) * random.uniform(0.15, 0.4)
        length = reach * random.uniform(0.6, 1.2)
        bend = towards + random.normal(0, 0.4)
        knuckle = centre + length * 0.6 * np.array([np.cos(towards), np.sin(towards)])
        tip = knuckle + length * 0.5 * np.array([np.cos(bend), np.sin(bend)])
        points = np.round([centre, knuckle, tip]).astype(np.int32)
        cv2.polylines(mask, [points], False, 1.0, max(1, int(reach * random.uniform(0.15, 0.3))))
        if random.random() < 0.6:  # the dark line between fingers
            edge = np.zeros_like(mask)
            cv2.polylines(edge, [points + int(reach * 0.1)], False, 1.0, 1)
            mask = np.where(edge > 0, mask * 0.5, mask)
    _paint(picture, mask, colour, random)


def _letters(picture, centre, reach, random) -> None:
    characters = list(ascii_letters + digits)
    text = "".join(random.choice(characters, random.integers(1, 8)))
    scale = max(0.25, reach / 30)
    colour = tuple(random.uniform(0, 255, 3))
    place = (int(centre[0] - reach * len(text) / 3), int(centre[1]))
    canvas = np.ascontiguousarray(picture)
    cv2.putText(canvas, text, place, int(random.integers(0, 8)), scale, colour, max(1, int(scale * 3 * random.random())), cv2.LINE_AA)
    picture[:] = canvas


def _patch(picture, centre, reach, cut_out, random) -> None:
    """A piece of neck, clothes, hair or background: anything of the crop that has no face in it."""
    side = cut_out.rgb.shape[0]
    below = int(cut_out.face[3]) + 6
    if side - below < 16:
        return
    part = cut_out.rgb[below:] if random.random() < 0.7 else cut_out.rgb[: max(8, int(cut_out.face[1]) - 4)]
    box = max(6, int(2 * reach))
    left = random.integers(0, max(1, side - 2 * part.shape[0]))
    part = cv2.resize(part[:, left : left + 2 * part.shape[0]], (box, box), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((box / 2, box / 2), random.uniform(0, 360), 1.0)
    turn[:, 2] += centre - box / 2
    size = picture.shape[1::-1]
    mask = np.zeros((box, box), np.float32)
    cv2.ellipse(mask, (box // 2, box // 2), (box // 2 - 1, int(box * random.uniform(0.3, 0.5))), 0, 0, 360, 1.0, -1)
    mask = cv2.warpAffine(mask, turn, size)[..., None]
    patch = cv2.warpAffine(part, turn, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    picture += (patch - picture) * mask


def _shape(picture, centre, reach, random) -> None:
    colour = random.uniform(0, 255, 3)
    mask = np.zeros(picture.shape[:2], np.float32)
    thickness = -1 if random.random() < 0.5 else int(random.integers(1, 4))
    corner, other = (np.round(centre + sign * reach * random.uniform(0.2, 0.7, 2)).astype(int) for sign in (-1, 1))
    if random.random() < 0.5:
        cv2.rectangle(mask, tuple(map(int, corner)), tuple(map(int, other)), 1.0, thickness)
    else:
        cv2.circle(mask, tuple(map(int, centre)), int(reach / 2), 1.0, thickness)
    picture += (colour.astype(np.float32) - picture) * mask[..., None]
