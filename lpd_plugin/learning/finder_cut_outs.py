"""Persons cut out of the head clips, each with the face box that YuNet sees: what finder scenes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

CUT_OUT_SIDE = 192  # pixels; the clips' 256 are more than the finder looks at


@dataclass
class CutOut:
    """rgb (S, S, 3) and mask (S, S) uint8; face box (4,) float l, t, r, b in pixels of the cut-out."""

    rgb: np.ndarray
    mask: np.ndarray
    face: np.ndarray


def read_cut_outs(folder: Path, yunet_onnx: Path, every: int = 4) -> list[CutOut]:
    """Every `every`-th frame of `folder`/*/clip*.mp4 with its mask video and the face box YuNet sees.

    The crops' centres were smoothed, so the box has to be measured on each frame.
    """
    detector = cv2.FaceDetectorYN.create(str(yunet_onnx), "", (256, 256), 0.7, 0.3, 50)
    cut_outs = []
    for path in sorted(folder.glob("*/clip*.mp4")):
        if path.name.endswith(".mask.mp4"):
            continue
        with av.open(str(path)) as video, av.open(str(path.with_suffix(".mask.mp4"))) as mask_video:
            frames = zip(video.decode(video=0), mask_video.decode(video=0))
            for index, (frame, mask_frame) in enumerate(frames):
                if index % every:
                    continue
                rgb = frame.to_ndarray(format="rgb24")
                face = _central_face(detector, rgb)
                if face is None:
                    continue
                shape = (CUT_OUT_SIDE, CUT_OUT_SIDE)
                mask = cv2.resize(mask_frame.to_ndarray(format="gray"), shape, interpolation=cv2.INTER_AREA)
                small = cv2.resize(rgb, shape, interpolation=cv2.INTER_AREA)
                cut_outs.append(CutOut(small, mask, face * CUT_OUT_SIDE / rgb.shape[0]))
    return cut_outs


def _central_face(detector: cv2.FaceDetectorYN, rgb: np.ndarray) -> np.ndarray | None:
    height, width = rgb.shape[:2]
    detector.setInputSize((width, height))
    _, found = detector.detect(np.ascontiguousarray(rgb[..., ::-1]))
    if found is None:
        return None
    boxes = found[:, :4].astype(np.float64)
    boxes[:, 2:] += boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return boxes[np.linalg.norm(centre - (width / 2, height / 2), axis=1).argmin()]
