"""The edge of what is laid over the footage: matte refinement, the region's shape, the crop's border."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...errors import BadInput
from ...video.regions.region import Rect
from ...video.track import CropBox
from ..picture.square import square_coordinates, square_to_rect
from .neck import TYPICAL_NECK, Neck
from .refine import refined

REGIONS = ("head", "person", "square")
LIMITS = (
    ("erode", -200, 200), ("feather", 0, 200), ("gamma", 0.1, 10), ("border", 0, 0.5), ("refine", 0, 1), ("choke", 0, 1),
)  # fmt: skip


@dataclass(frozen=True)
class EdgeOptions:
    """How a matte becomes the alpha of the composite, in this order.

    region: "head" ends with a ramp at the neck, "person" keeps shoulders, which give way to the footage's towards the crop's
    lower border, "square" takes the matte as it is. refine: 0 to 1, how far a filmed picture's edges are followed at
    the footage's resolution. erode: footage pixels to take off (negative: to add). choke: 0 to 1, the alpha that
    becomes 0; takes away veils and thins soft edges, and leaves the opaque inside. feather: width in footage pixels
    (10 % to 90 %) that the edge has at least; its 50 % line stays. gamma: above 1 thins half-transparent edges, below 1
    thickens them. border: width of the fall-off inside the crop's border, as a share of its side.
    """

    region: str = "head"
    erode: float = 0.0
    feather: float = 2.0
    gamma: float = 1.0
    border: float = 0.06
    refine: float = 1.0
    choke: float = 0.0

    def __post_init__(self):
        if self.region not in REGIONS:
            raise BadInput(f'the region "{self.region}" does not exist; choose one of {", ".join(REGIONS)}.')
        for name, low, high in LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInput(f"{name} is {value}; it has to lie between {low} and {high}.")


SMOOTHSTEP_WIDTH = 0.608  # of a smoothstep's length: the part from 10 % to 90 %


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, without a kink between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def matte_on_rect(matte: np.ndarray, box: CropBox, rect: Rect) -> np.ndarray:
    """A head's matte (S, S) on the footage's pixels, smooth also where it is enlarged several times."""
    if box.side > matte.shape[0]:
        # Cubic interpolation of a hard edge shows the coarse grid as steps; less than half a coarse pixel of blur hides it.
        matte = cv2.GaussianBlur(matte, (0, 0), 0.4)
    return np.clip(square_to_rect(matte, box, rect), 0, 1)


def refine_matte(matte: np.ndarray, options: EdgeOptions, guide: np.ndarray | None = None) -> np.ndarray:
    """Refine, erode or dilate, choke, feather and bend a matte (h, w) float32 in [0, 1] at the footage's resolution.

    guide: (h, w, 3) float32, the filmed picture that the matte belongs to; None for a generated head, which has no
    background that its edge could be found against: it is then not refined.
    """
    if guide is not None and options.refine:
        matte = refined(matte, guide, options.refine)
    if options.erode:
        matte = shift_edge(matte, -options.erode)
    if options.choke:
        matte = choked(matte, options.choke)
    if options.feather:
        matte = feathered(matte, options.feather)
    if options.gamma != 1:
        matte = matte**options.gamma
    return matte


def shift_edge(matte: np.ndarray, pixels: float) -> np.ndarray:
    """Grow a soft matte by that many pixels (shrink where negative); fractions mix the two whole steps."""
    low = int(np.floor(abs(pixels)))
    part = abs(pixels) - low
    operate = cv2.dilate if pixels > 0 else cv2.erode

    def by(radius: int) -> np.ndarray:
        if radius == 0:
            return matte
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        # What lies beyond the rectangle continues it, or heads at the picture's border would lose their edge.
        return operate(matte, disc, borderType=cv2.BORDER_REPLICATE)

    return by(low) if part == 0 else (1 - part) * by(low) + part * by(low + 1)


def choked(matte: np.ndarray, black: float) -> np.ndarray:
    """Levels: what has an alpha of `black` or less becomes 0, 1 stays 1, straight between."""
    return np.clip((matte - np.float32(black)) * np.float32(1 / max(1 - black, 1e-3)), 0, 1)


def feathered(matte: np.ndarray, width: float) -> np.ndarray:
    """Make the edge at least `width` pixels soft (10 % to 90 %) without moving its 50 % line.

    A ramp by the distance from that line: alpha stays where it is softer than the ramp already, as in hair. Unlike a blur it
    rounds off no corner.
    """
    length = np.float32(width / SMOOTHSTEP_WIDTH)
    if _steepest(matte) <= 1 / length:
        return matte  # no pixel that far from the 50 % line can lie beyond the ramp
    inside = (matte >= 0.5).view(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    distance -= inside  # to the line between two pixels, not to the other pixel's centre
    distance += np.float32(0.5)
    distance = cv2.blur(distance, (3, 3))  # whole pixels make steps along a slanting edge
    distance *= 1 / length
    ramp = smoothstep(distance + np.float32(0.5))
    # The one in the middle of matte, ramp and 0.5: the softer of the first two, on the matte's side of the 50 % line.
    return np.clip(np.float32(0.5), cv2.min(matte, ramp), cv2.max(matte, ramp))


def _steepest(matte: np.ndarray) -> float:
    """The largest difference between neighbours, by the length of the gradient, per pixel."""
    across = cv2.absdiff(matte[:, 1:], matte[:, :-1]) if matte.shape[1] > 1 else np.zeros((1, 1))
    down = cv2.absdiff(matte[1:], matte[:-1]) if matte.shape[0] > 1 else np.zeros((1, 1))
    return float(np.hypot(across.max(), down.max()))


def border_falloff(box: CropBox, rect: Rect, border: float) -> np.ndarray:
    """(height, width): 0 on the outermost pixels of the crop square, 1 from `border` times its side inwards."""
    return fall_off(np.ones((rect.height, rect.width), np.float32), box, rect, border)


def fall_off(weight: np.ndarray, box: CropBox, rect: Rect, border: float) -> np.ndarray:
    """A weight (height, width) on `rect` times `border_falloff`, in place."""
    down, across = border_falloffs(box, rect, border)
    rows, columns = np.flatnonzero(down[:, 0] < 1), np.flatnonzero(across[0] < 1)
    weight[rows] *= down[rows]
    weight[:, columns] *= across[:, columns]
    return weight


def border_falloffs(box: CropBox, rect: Rect, border: float) -> tuple[np.ndarray, np.ndarray]:
    """`border_falloff` as (height, 1) and (1, width), to be multiplied."""
    if border == 0:
        return np.ones((rect.height, 1), np.float32), np.ones((1, rect.width), np.float32)
    u, v = square_coordinates(box, rect)
    pixel = np.float32(1 / box.side)
    width = max(border, 2 * pixel)
    across = smoothstep((np.minimum(u, 1 - u) - pixel) / (width - pixel))
    down = smoothstep((np.minimum(v, 1 - v) - pixel) / (width - pixel))
    return down, across


# Where, in square coordinates, the region "head" narrows from the square's width to the neck's, and where in the region
# "person" the new shoulders begin to give way.
NARROWING_TOP, NARROWING_BOTTOM = 0.48, 0.83
SIDE_SOFTNESS = 0.08
SHOULDERS_TOP = 0.82
WEIGHT_STEP = 4  # pixels


def region_weight(region: str, box: CropBox, rect: Rect, neck: Neck = TYPICAL_NECK) -> np.ndarray:
    """(height, width) in [0, 1]: where the region lets the composite change the footage at all.

    "head": everything down to the jaw, below it only the neck's width, fading out before the shoulders, so that the footage
    keeps its own body; `neck` is the original person's (`neck_of` its matte in the square). "person": everything, fading out
    over the shoulders towards the lower border, where the new ones rarely meet the footage's. "square": 1 everywhere.
    """
    height, width = rect.height, rect.width
    if region == "square":
        return np.ones((height, width), np.float32)
    # Smooth over many pixels: worked out for every fourth one.
    rows, columns = -(-height // WEIGHT_STEP), -(-width // WEIGHT_STEP)
    u = (rect.left - box.left + (np.arange(columns) + 0.5) * width / columns)[None] / box.side
    v = (rect.top - box.top + (np.arange(rows) + 0.5) * height / rows)[:, None] / box.side
    if region == "person":
        weight = np.broadcast_to(1 - smoothstep((v - SHOULDERS_TOP) / (1 - SHOULDERS_TOP)), (rows, columns))
    else:
        weight = _above_neck(u, v, neck)
    return cv2.resize(weight.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def _above_neck(u: np.ndarray, v: np.ndarray, neck: Neck) -> np.ndarray:
    down = 1 - smoothstep((v - neck.top) / (neck.bottom - neck.top))
    bottom = NARROWING_BOTTOM + neck.top - TYPICAL_NECK.top
    narrowing = smoothstep((v - NARROWING_TOP) / (bottom - NARROWING_TOP))
    half_width = 0.5 + SIDE_SOFTNESS + narrowing * (neck.half_width - 0.5 - SIDE_SOFTNESS)
    off_middle = np.abs(u - 0.5 - narrowing * (neck.middle - 0.5))
    return down * smoothstep((half_width + SIDE_SOFTNESS / 2 - off_middle) / SIDE_SOFTNESS)
