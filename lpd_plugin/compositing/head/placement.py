"""Where the generated head sits in the footage: its size and place in its own square against the original's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ...errors import BadInput
from ...reenactment.mattes import tidied
from ...video.track import Track

MODES = ("follow", "hold", "driver")
LARGEST_SCALE = 1.4  # of a measured fit, and its inverse
LARGEST_SHIFT = 0.2  # of a measured fit, shares of the square's side
NOTICEABLE = 1 / 256  # a fit that moves no edge by more than this share of the side is none
PROVEN = 0.06  # ... where only one of the two tops is seen: mattes that run up a wall look like heads that are cut
JUMP = 0.5  # shares of the side that a head never moves between two frames: the picture was cut there
BRIDGED = 1.0  # seconds without a head that do not begin a new stretch

# The part of a matte that is measured, in head widths below its top: from the forehead to above the jaw, where
# neither neck nor shoulders, and long hair least of all, make it wider.
FOREHEAD, JAW = 0.35, 0.85
MIDDLE = (0.35, 0.6)  # rows of the square that are measured where a head's top is cut, shares from above
TOP_WIDTH = 0.25  # of the head's width: narrower rows above it are strands, or somebody else's


@dataclass(frozen=True)
class PlacementOptions:
    """mode: "follow" lays the head where the footage's head sat and moves with it; "hold" keeps it at the middle
    of that motion, stretch by stretch; "driver" adds the driver's own motion in its picture to the footage's.

    scale: size of the head, 1 as it was. offset_x, offset_y: to the right and downwards, shares of the square's side.
    """

    mode: str = "follow"
    scale: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    def __post_init__(self):
        if self.mode not in MODES:
            raise BadInput(f'the placement "{self.mode}" does not exist; choose one of {", ".join(MODES)}.')
        for name, low, high in (("scale", 0.25, 4), ("offset_x", -1, 1), ("offset_y", -1, 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInput(f"the placement's {name} is {value}; it has to lie between {low} and {high}.")


@dataclass(frozen=True)
class Fit:
    """How the generated head's square has to change for its head to cover the original's: larger about its
    centre by `scale`, then moved right and down by dx, dy, shares of the original's square's side."""

    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0


@dataclass(frozen=True)
class HeadShape:
    """A head in its square: width, its centre across and its top, shares of the side from the left and above."""

    width: float
    centre: float
    top: float


def measure_placement(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Fit:
    """From pairs of mattes (original person's in its square, generated head's in its own), both (S, S) of any S.

    Medians over several moments make it a fit at rest; the two of a pair need not show the same pose. No change
    where nothing can be measured. Where a square cuts a head's top, its height is only moved as far as what is
    seen proves. The result is bounded.
    """
    measured = [shapes for shapes in (_both_shapes(*pair) for pair in pairs) if shapes]
    if not measured:
        return Fit()
    scale = float(np.median([original.width / made.width for original, made in measured]))
    scale = float(np.clip(scale, 1 / LARGEST_SCALE, LARGEST_SCALE))
    dx = np.median([original.centre - _scaled(made.centre, scale) for original, made in measured])
    dy = np.median([_rise(original.top, made.top, scale) for original, made in measured])
    dx, dy = (float(np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT)) for shift in (dx, dy))
    if max(abs(dx), abs(dy), abs(scale - 1) / 2) < NOTICEABLE:
        return Fit()
    return Fit(scale, dx, dy)


def _scaled(place: float, scale: float) -> float:
    return 0.5 + (place - 0.5) * scale


def _rise(original: float, made: float, scale: float) -> float:
    """How far down the made head has to go. A top of 0 says only that the head goes on beyond the square."""
    shift = original - _scaled(made, scale)
    if original > 0 and made > 0:
        return shift
    return float(np.clip(shift, -PROVEN if original == 0 else 0, PROVEN if made == 0 else 0)) if original != made else 0.0


def _both_shapes(original: np.ndarray, made: np.ndarray) -> tuple[HeadShape, HeadShape] | None:
    mattes = [tidied(np.asarray(matte, np.float32)) for matte in (original, made)]
    shapes = [head_shape(matte) for matte in mattes]
    if None in shapes:
        return None
    if not all(shape.top for shape in shapes):
        # Rows cannot be counted from a top that is not seen.
        shapes = [head_shape(matte, MIDDLE) for matte in mattes]
    return None if None in shapes else tuple(shapes)


def head_shape(matte: np.ndarray, between: tuple[float, float] | None = None) -> HeadShape | None:
    """The head's part of a matte (S, S) in [0, 1]; None without a head in it, or where it fills the square.

    Everything is measured by what the matte itself shows, so that a matte scaled or moved gives measures scaled
    and moved; sums of its soft values are finer than pixels. `between` measures rows of the square instead
    (shares from above). The top is 0 where the square cuts it.
    """
    side, widths = matte.shape[0], matte.sum(1)
    solid = widths[widths > 0.05 * side]
    if len(solid) < side / 8:
        return None
    # The width says where the head's rows are, and they say the width: a few rounds agree.
    width = float(np.median(solid[: len(solid) // 2]))
    for _ in range(12):
        top = _first_row(widths, TOP_WIDTH * width)
        first, last = (side * share for share in between) if between else (top + FOREHEAD * width, top + JAW * width)
        rows = slice(round(first), max(round(last), round(first) + 1))
        if rows.stop > side or not widths[rows].min() > 0:
            return None
        width = float(np.median(widths[rows]))
    if not 0.1 < width / side < 0.9:
        return None
    across = (matte[rows] * (np.arange(side) + 0.5)).sum(1) / widths[rows]
    return HeadShape(width / side, float(np.median(across)) / side, max(0.0, top / side))


def _first_row(widths: np.ndarray, limit: float) -> float:
    """Where, from above, the matte becomes wider than `limit`, between rows; 0 where it already is at the border."""
    row = int(np.argmax(widths > limit))
    if row == 0:
        return 0.0
    return row - 0.5 + float((limit - widths[row - 1]) / (widths[row] - widths[row - 1]))


def placed(
    track: Track,
    fit: Fit = Fit(),
    options: PlacementOptions = PlacementOptions(),
    driver_track: Track | None = None,
    moments: np.ndarray | None = None,
) -> Track:
    """The squares on which the heads are laid, frame by frame of the footage's `track`.

    driver_track: the driver's own track, for the mode "driver". moments (N,): which second of the driver each frame
    shows; the footage's own times when None. The whole track counts, so a frame's square does not depend on where
    rendering starts. Raises BadInput for the mode "driver" without a driver's track.
    """
    centre, side = track.centre.astype(np.float64), track.side.astype(np.float64)
    if options.mode == "hold":
        centre, side = _resting(track)
    elif options.mode == "driver":
        if driver_track is None:
            raise BadInput('the placement "driver" needs the driver\'s track; connect it, or choose "follow" or "hold".')
        shift, growth = _own_motion(driver_track, track.times if moments is None else np.asarray(moments, np.float64))
        centre, side = centre + shift * side[:, None], side * growth
    if options == PlacementOptions() and fit == Fit():
        return track
    offset = np.array([fit.dx + options.offset_x, fit.dy + options.offset_y])
    centre = centre + offset * side[:, None]
    side = side * fit.scale * options.scale
    return replace(
        track,
        centre=np.where(track.present[:, None], centre, 0).astype(np.float32),
        side=np.where(track.present, side, 0).astype(np.float32),
    )


def _resting(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Median centre (N, 2) and side (N,) of the stretch that each frame lies in; 0 where the head is absent."""
    centre, side = np.zeros((len(track), 2)), np.zeros(len(track))
    for stretch in _stretches(track):
        centre[stretch], side[stretch] = np.median(track.centre[stretch], 0), np.median(track.side[stretch])
    return centre, side


def _stretches(track: Track) -> list[np.ndarray]:
    """Numbers of the frames with a head, split where the picture was cut and where the head was long away."""
    seen = np.flatnonzero(track.present)
    if not len(seen):
        return []
    moved = np.abs(np.diff(track.centre[seen], axis=0)).max(1) / np.maximum(track.side[seen][1:], 1e-6)
    breaks = (moved > JUMP) | (np.diff(track.times[seen]) > BRIDGED)
    return np.split(seen, np.flatnonzero(breaks) + 1)


def _own_motion(driver: Track, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The driver's motion about its resting place at those moments (M,): shift (M, 2) in sides of its square, and
    growth (M,) as a factor. Short gaps are bridged; none where the driver's head is never seen."""
    seen = np.flatnonzero(driver.present)
    if not len(seen):
        return np.zeros((len(moments), 2)), np.ones(len(moments))
    centre, side = _resting(driver)
    shift = (driver.centre[seen] - centre[seen]) / side[seen, None]
    growth = np.log(driver.side[seen] / side[seen])
    times = driver.times[seen]
    return (
        np.stack([np.interp(moments, times, shift[:, axis]) for axis in (0, 1)], 1),
        np.exp(np.interp(moments, times, growth)),
    )
