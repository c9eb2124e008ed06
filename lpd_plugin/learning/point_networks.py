"""Networks of others that find the 68 points of a face: teachers of the face reader, needed for training only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import BadInput
from ..networks.face_pose import POINTS

SIDE = 112  # pixels of a face that they look at
# A face's cut-out is a square so many times as long as its points reach: such networks learned from boxes as detectors draw
# them. They look at it in both sizes, and at its mirror image; the mean is what counts.
LARGER = (1.1, 1.2)

Answer = Callable[[np.ndarray], np.ndarray]  # (1, 3, SIDE, SIDE) float32 -> what a network says


class PointNetwork:
    """One of them, in a file: ONNX (opened by onnxruntime) or OpenVINO's .xml (by openvino). It takes 1 x 3 x 112 x 112, RGB in
    [0, 1], and says x and y of each point in turn, in shares of the cut-out; PFLD (Guo et al. 2019) and MobileFaceNet as their
    public trainings on 68 points export them.

    Raises `BadInput` for a file that is neither or says something else, and where what opens it is not installed.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise BadInput(f"There is no file {path}: name a network that finds 68 points of a face (.onnx or .xml).")
        openers = {".onnx": ("onnxruntime", _onnx), ".xml": ("openvino", _openvino)}
        if self.path.suffix not in openers:
            raise BadInput(f"{path} is no network of points: an .onnx file or OpenVINO's .xml is needed.")
        package, opened = openers[self.path.suffix]
        try:
            self._answer = opened(self.path)
            said = self._answer(np.zeros((1, 3, SIDE, SIDE), np.float32))
        except ImportError as error:
            raise BadInput(f"{path} needs {package}: pip install {package}.") from error
        except Exception as error:  # both have classes of their own for every way to fail
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise BadInput(f"{package} cannot run {path} on a face of 3x{SIDE}x{SIDE} ({reason}).") from error
        if said.size != 2 * POINTS:
            raise BadInput(f"{path} says {said.size} numbers of a face, not x and y of {POINTS} points.")

    def points(self, picture: np.ndarray, near: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        """(68, 2) in shares of the side of a head crop (S, S, 3) uint8, looked for around `near`, points in such shares;
        `mirrored` (68,) says which point each one becomes in a mirror. As dlib counts them: 0 is the middle of the first pixel."""
        half = 0.5 / picture.shape[0]
        found, (least, most) = [], (near.min(0) + half, near.max(0) + half)
        for larger in LARGER:
            side = larger * float((most - least).max())
            corner = (least + most - side) / 2
            face = _cut(picture, corner, side)
            for flipped in (False, True):
                seen = face[:, ::-1] if flipped else face
                said = self._answer(np.ascontiguousarray(seen.transpose(2, 0, 1)[None])).reshape(POINTS, 2).astype(np.float64)
                found.append(corner + side * (said[mirrored] * (-1, 1) + (1, 0) if flipped else said))
        return np.mean(found, 0) - half


def mean_finder(paths: Sequence[str | Path], begin: np.ndarray, mirrored: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A labeller: a head crop (S, S, 3) uint8 -> (68, 2) in shares of its side, the mean of what these networks say.

    begin: two corners of where faces are in a crop, in shares; looked at first, and again around what was found there.
    Raises `BadInput` as `PointNetwork` does.
    """
    networks = [PointNetwork(path) for path in paths]

    def find(picture: np.ndarray) -> np.ndarray:
        near = begin
        for _ in range(2):
            near = np.mean([network.points(picture, near, mirrored) for network in networks], 0)
        return near

    return find


def _cut(picture: np.ndarray, corner: np.ndarray, side: float) -> np.ndarray:
    """(SIDE, SIDE, 3) float32 in [0, 1]: the square at `corner`, both in shares of the picture's side."""
    pixels = picture.shape[0]
    scale = SIDE / (side * pixels)
    shift = 0.5 * scale - 0.5 - corner * pixels * scale  # OpenCV counts from the middle of the first pixel
    matrix = np.float64([[scale, 0, shift[0]], [0, scale, shift[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.float32) / 255


def _onnx(path: Path) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def answer(face: np.ndarray) -> np.ndarray:
        said = session.run(None, {name: face})
        return next((values for values in said if values.size == 2 * POINTS), said[0])  # PFLD says what else it has learned, too

    return answer


def _openvino(path: Path) -> Answer:
    import openvino

    core = openvino.Core()
    request = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_NUM_THREADS": 1}).create_infer_request()
    return lambda face: np.array(next(iter(request.infer([face]).values())))
