"""Where 68 points of each training face are, and where it looks: what the face reader learns from.

The points come from networks that are given as files (point_networks.py), or else from dlib's shape predictor (Kazemi and
Sullivan 2014), whose file the package face_recognition_models carries. They are needed for training only: what ships looks at
pixels alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import BadInput
from ..networks.face_pose import POINTS
from ..progress import Progress
from ..whole_files import written_whole
from .data.store import Heads
from .point_networks import mean_finder

# The face box in a head crop: the crop's side is 1.8 times the box's, and dlib's boxes sit a little lower.
BOX = (0.24, 0.29, 0.76, 0.81)
LEAST_SCORE = -0.3
MIRRORED = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # the point that each one becomes in a mirror
INNER_LIPS = slice(60, 68)
EYE_PATCH = (48, 24)  # pixels wide and high: an eye is looked at in this size


@dataclass(frozen=True)
class FaceMarks:
    """points (rows, 68, 2): x and y in shares of the side; in the usual order, jaw 0-16, brows 17-26, nose 27-35,
    eyes 36-47, lips 48-67. gaze (rows,): where the irises lie between the eyes' corners, -0.5 left to 0.5 right."""

    points: np.ndarray
    gaze: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "FaceMarks":
        return FaceMarks(self.points[rows], self.gaze[rows])

    def with_seam_of(self, other: "FaceMarks") -> "FaceMarks":
        """These marks with the other ones' inner edges of lips: where lips meet."""
        points = self.points.copy()
        points[:, INNER_LIPS] = other.points[:, INNER_LIPS]
        return FaceMarks(points, self.gaze)

    def mirrored(self) -> "FaceMarks":
        return FaceMarks(self.points[:, MIRRORED] * (-1, 1) + (1, 0), -self.gaze)


def marks_of(
    store: Heads, cache: Path, progress: Progress | None = None, networks: Sequence[str | Path] | None = None
) -> FaceMarks:
    """The marks of every row of a store, read from `cache` (npz) if it is there, else found and written there.

    networks: files of those that find the points, whose mean counts; none of them: dlib. None: whoever found what is there.
    Raises `BadInput` where the labelling packages are missing, a file is no such network, or `cache` belongs to other data or is
    of others' points.
    """
    who = " + ".join(Path(path).name for path in networks or ()) or "dlib"
    if cache.exists():
        with np.load(cache) as file:
            marks = FaceMarks(file["points"].astype(np.float64), file["gaze"].astype(np.float64))
            before = str(file["finder"]) if "finder" in file else "dlib"
        if len(marks.gaze) != store.count:
            raise BadInput(f"{cache} is of {len(marks.gaze)} pictures, the data of {store.count}: delete it to make it again.")
        if networks is not None and before != who:
            raise BadInput(f"{cache} holds points that {before} found, not {who}: delete it, or take another folder.")
        return marks
    find = mean_finder(networks, np.reshape(BOX, (2, 2)), MIRRORED) if networks else point_finder()
    points, gaze = np.zeros((store.count, POINTS, 2)), np.zeros(store.count)
    with (progress or Progress()).task("finding points of faces", store.count) as task:
        for row in range(store.count):
            picture = store.raw(np.array([row]))[0][0]
            points[row] = find(picture)
            gaze[row] = where_it_looks(picture, points[row])
            task.advance()
    cache.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(cache) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, points=points.astype(np.float32), gaze=gaze.astype(np.float32), finder=np.array(who))
    return FaceMarks(points, gaze)


def taught_by(
    store: Heads, split: str, folder: Path, progress: Progress | None = None, networks: Sequence[str | Path] | None = None
) -> tuple[FaceMarks, FaceMarks | None]:
    """What a face reader in `folder` learns from, and a painter over it: the marks of a store's rows, and those by which mouths are
    measured where networks found the points. dlib says where lips meet and how far they are apart (docs/weights.md).

    networks as in `marks_of`, which says what is raised.
    """
    marks = marks_of(store, folder / f"points-{split}.npz", progress, networks)
    cache = folder / f"mouths-{split}.npz"
    if not (networks or (networks is None and cache.exists())):
        return marks, None
    mouths = marks_of(store, cache, progress, ())
    return marks.with_seam_of(mouths), mouths


def point_finder(need_face: bool = False):
    """The labeller: a head crop (S, S, 3) uint8 -> (68, 2) in shares of its side. Where dlib sees no face, the points of one in
    the crop's middle, or None with `need_face`. Raises `BadInput` without its packages."""
    spec = importlib.util.find_spec("face_recognition_models")
    try:
        import dlib
    except ImportError:
        spec = None
    if spec is None:
        raise BadInput("Finding the points of faces needs dlib and its file: pip install dlib-bin face-recognition-models.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    points = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
    detector = dlib.get_frontal_face_detector()

    def find(picture: np.ndarray) -> np.ndarray | None:
        side = picture.shape[0]
        picture = np.ascontiguousarray(picture)
        boxes, scores, _ = detector.run(picture, 0, LEAST_SCORE)
        box = dlib.rectangle(*(round(part * side) for part in BOX))
        if need_face and not boxes:
            return None
        if boxes:  # the one in the middle: crops are centred on their faces
            off = [abs(b.center().x - side / 2) / (side / 4) for b in boxes]
            box = boxes[int(np.argmax(np.array(scores) - off))]
        shape = points(picture, box)
        return np.array([(shape.part(k).x, shape.part(k).y) for k in range(POINTS)]) / side

    return find


def where_it_looks(picture: np.ndarray, points: np.ndarray) -> float:
    """The dark part's place between an eye's corners, mean of both eyes; 0 where the lids hide it.

    picture (S, S, 3) uint8, points (68, 2) in shares of S.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    places = [_iris(grey, points[eye] * len(grey)) for eye in (slice(36, 42), slice(42, 48))]
    seen = [place for place in places if place is not None]
    return float(np.mean(seen)) if seen else 0.0


def _iris(grey: np.ndarray, eye: np.ndarray) -> float | None:
    (width, height), corner = EYE_PATCH, eye[0]
    along = eye[3] - corner
    length = float(np.linalg.norm(along)) + 1e-6
    unit, down = along / length, np.array([-along[1], along[0]]) / length
    x, y = (np.arange(width) + 0.5) / width, ((np.arange(height) + 0.5) / height - 0.5) / 2
    places = corner + x[None, :, None] * along + y[:, None, None] * length * down
    maps = np.ascontiguousarray(places.astype(np.float32).transpose(2, 0, 1))
    patch = cv2.remap(grey, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    outline = np.stack(((eye - corner) @ unit / length * width, ((eye - corner) @ down / length * 2 + 0.5) * height), 1)
    inside = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), outline.round().astype(np.int32), 1)
    inside[:, :4] = inside[:, -4:] = 0  # lashes and corners are dark, too
    if inside.sum() < 20:
        return None
    dark, light = np.percentile(patch[inside > 0], [5, 95])
    weight = np.clip(((dark + light) / 2 - patch) / (light - dark + 1e-3), 0, 1) * inside
    return float(weight.sum(0) @ x / weight.sum() - 0.5) if weight.sum() > 0 else None
