"""Self-reenactment and cross-reenactment: the person's head made to follow frames, and looked at by the judges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch

from ...reenactment.mattes import crop_mattes
from ...weights.files import load_matte
from ..choice import Moments
from ..judges.base import Face, Judges
from ..measures.landmarks import SIXTY_EIGHT, landmark_error
from ..measures.likeness import mean_embedding
from ..measures.masks import edge_error, intersection_over_union
from ..measures.pictures import multi_scale_ssim, psnr, ssim
from ..measures.stability import face_flicker, mask_flicker
from ..subjects import Performer, Shown, as_tensor, filmed, shown
from .unit import TILES, WORST, Driven, Unit, driven, jpeg, some, tiles
SELF, CROSS = "self", "cross"
POINTS = {478: None, 68: SIXTY_EIGHT}


def reenacted(
    protocol: str, moments: list[Moments], performer: Performer, heads: Iterator, given: np.ndarray, truth: Moments,
    judges: Judges,
) -> Unit:  # fmt: skip
    """What one subject makes of one person in some moments, and what the judges say.

    heads: of all the moments' frames, one after the other; given: the person's pictures that the subject has; truth: real
    frames of the person that it has not, to which likeness is compared. In SELF the driving frames are the person's own
    and the result can be compared with them, point by point and pixel by pixel.
    """
    unit, person = Unit(about=performer.about), _embedding_of(truth, judges)
    scattered: list[Driven] = []
    for one in moments:
        made = [shown(head) for head in islice(heads, len(one))]
        both = driven(one, made, judges)
        if one.run:
            unit.runs.append(_run_record(both))
        else:
            records = [_frame_record(both, k, person, judges, protocol == SELF) for k in range(len(one))]
            if protocol == SELF:
                mattes = np.float32(crop_mattes(load_matte(), one.frames)) / 255
                for record, matte, real in zip(records, mattes, both.filmed):
                    record["matte iou"] = intersection_over_union(matte, real.mask)
            unit.frames += records
            scattered.append(both)
    _keep_pictures(unit, scattered, given, protocol)
    return unit


def _embedding_of(truth: Moments, judges: Judges) -> np.ndarray | None:
    if judges.recogniser is None or judges.landmarker is None:
        return None
    pictures = [filmed(*both).picture for both in zip(truth.frames, truth.masks)]
    seen = [judges.recogniser.embedding(p, f.landmarks) for p, f in zip(pictures, judges.faces(pictures)) if f is not None]
    return mean_embedding(np.array(seen)) if seen else None


def _frame_record(both: Driven, k: int, person: np.ndarray | None, judges: Judges, own: bool) -> dict:
    """Everything about one frame; what no judge could say is None."""
    wanted, seen, moments = both.wanted[k], both.seen[k], both.moments
    record = {
        "driver": moments.driver, "clip": moments.clip, "row": int(moments.rows[k]),
        "looked": judges.landmarker is not None, "found": seen is not None,
        "wanted": _movements(wanted), "seen": _movements(seen), "cosine": None,
    }  # fmt: skip
    place = seen or wanted  # where no face is seen, it should have been where the driver's is
    if person is not None and place is not None:
        record["cosine"] = float(judges.recogniser.embedding(both.made[k].picture, place.landmarks) @ person)
    if own:
        record |= _landmark_errors(seen, wanted) | _picture_errors(both.made[k], both.filmed[k])
    return record


def _movements(face: Face | None) -> list[float] | None:
    return None if face is None else [float(v) for v in face.movements]


def _landmark_errors(seen: Face | None, wanted: Face | None) -> dict:
    names = {f"{kind} {count}": (rows, kind == "aligned") for kind in ("plain", "aligned") for count, rows in POINTS.items()}
    if seen is None or wanted is None:
        return {"landmarks": None}
    return {"landmarks": {n: landmark_error(seen.landmarks, wanted.landmarks, *arguments) for n, arguments in names.items()}}


def _picture_errors(made: Shown, truth: Shown) -> dict:
    """Of masks, and of pictures where either is (at least half of) the person."""
    region = torch.from_numpy((made.mask >= 0.5) | (truth.mask >= 0.5))
    a, b = as_tensor(made), as_tensor(truth)
    alike = {"ssim": ssim, "psnr": psnr, "ms-ssim": multi_scale_ssim}
    return {
        "iou": intersection_over_union(made.mask, truth.mask), "edge": edge_error(made.mask, truth.mask),
        **{name: measure(a, b, region) if bool(region.any()) else None for name, measure in alike.items()},
    }  # fmt: skip


def _run_record(both: Driven) -> dict:
    """Consecutive frames: what moves, and what flickers in the made heads and in the driver's own."""
    sides = {"made": (both.made, both.seen), "driver": (both.filmed, both.wanted)}
    masks = {name: mask_flicker(np.stack([one.mask for one in many])) for name, (many, _) in sides.items()}
    faces = {
        name: face_flicker(np.stack([one.picture for one in many]) / np.float32(255), [f and f.landmarks for f in seen])
        for name, (many, seen) in sides.items()
    }
    return {
        "driver": both.moments.driver, "clip": both.moments.clip, "rows": both.moments.rows.tolist(),
        "wanted": [_movements(f) for f in both.wanted], "seen": [_movements(f) for f in both.seen],
        "mask flicker": masks, "face flicker": faces,
    }  # fmt: skip


def _keep_pictures(unit: Unit, scattered: list[Driven], given: np.ndarray, protocol: str) -> None:
    """A strip of what drove and one of what was made, and the worst frames beside their drivers."""
    drove = [one.picture for both in scattered for one in both.filmed]
    made = [one.picture for both in scattered for one in both.made]
    places = some(TILES, len(made))
    unit.pictures["drivers"] = tiles([np.full_like(given[0], 128), *(drove[k] for k in places)])
    unit.pictures["made"] = tiles([given[0], *(made[k] for k in places)])
    ranked = sorted(range(len(made)), key=lambda k: (-_badness(unit.frames[k], protocol)[0], k))
    for number, k in enumerate(ranked[:WORST]):
        value, why = _badness(unit.frames[k], protocol)
        unit.pictures[f"worst-{number}"] = jpeg(np.concatenate([given[0], drove[k], made[k]], 1))
        unit.worst.append({"picture": f"worst-{number}", "badness": value, "why": why, "frame": k})


def _badness(frame: dict, protocol: str) -> tuple[float, str]:
    """How bad a frame is, and in which way; comparable between frames of one protocol and the same judges."""
    if frame["looked"] and not frame["found"]:
        return 10.0, "no face is seen"
    if protocol == SELF and frame["landmarks"]:
        error = frame["landmarks"]["plain 68"]
        return error, f"points off by {error:.3f} of the outer eyes' distance"
    if frame["cosine"] is not None:
        return 1 - frame["cosine"], f"identity error {1 - frame['cosine']:.2f}"
    if protocol == SELF:
        return 1 - frame["iou"], f"mask IoU {frame['iou']:.3f}"
    return 0.0, "no judge says how bad"
