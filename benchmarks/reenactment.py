"""How well held-out people follow others, and stay themselves, by judges from outside.

    python benchmarks/reenactment.py HEADS --models FOLDER [--weights compact] [--pictures 32] [--drivers 3] [--sheet FILE.png]

HEADS is a heads folder (index.csv, val/PERSON/CLIP.mp4). Every val person is painted from `pictures` of its own frames,
without adaptation, and driven by `drivers` of the others, `frames` frames each. FOLDER holds MobileFaceNet.onnx and
face_landmarker.task (onnxruntime and mediapipe installed; see face_judges.py). Followed: correlation between what the
landmarker sees in the driver and in the painted head, pooled over all frames of all drivers, and the mean over driver
and person pairs. Likeness: mean cosine to the person's real frames. Prints markdown; the committed table is reenactment.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from adaptation import encode_all, frames_of  # noqa: E402
from face_judges import MOVEMENTS, FaceJudges  # noqa: E402

from lpd_plugin.learning.adaptation_views import farthest_points  # noqa: E402
from lpd_plugin.reenactment.crops import encode_crops  # noqa: E402
from lpd_plugin.reenactment.identity import encode_identity  # noqa: E402
from lpd_plugin.reenactment.painting import Painting  # noqa: E402
from lpd_plugin.weights.files import load_model  # noqa: E402

LOOKED_AT = 24  # frames of each driver, of which those with a face are used
REAL = 6  # frames of the person that say who it is


class Person:
    """One val person: frames (N, 256, 256, 3), and some moments with what the judge sees there."""

    def __init__(self, folder: Path, judges: FaceJudges, count: int):
        self.frames = frames_of(folder)
        rows = np.linspace(0, len(self.frames) - 1, LOOKED_AT).round().astype(int)
        seen = [(row, found) for row in rows if (found := judges.look(self.frames[row])) is not None]
        self.moments = [seen[k] for k in np.linspace(0, len(seen) - 1, count).round().astype(int)]


@torch.inference_mode()
def painted(person: Person, driver: Person, painting: Painting, embedding: torch.Tensor) -> np.ndarray:
    """The person in the driver's moments on grey, (M, 256, 256, 3) uint8."""
    poses = torch.from_numpy(encode_crops(painting.model, driver.frames[[row for row, _ in driver.moments]]))
    rgb, mask = painting(embedding.expand(len(poses), -1), poses)
    return ((rgb * mask + (1 - mask) * 0.5) * 255).round().byte().permute(0, 2, 3, 1).numpy()


def drivers_of(index: int, names: list[str], count: int) -> list[str]:
    """Others, at uneven distances so that everybody drives."""
    places = [(index + 4 * k + 3) % len(names) for k in range(count)]
    return [names[p] if p != index else names[(p + 1) % len(names)] for p in places]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-3 and b.std() > 1e-6 else np.nan


def measure(people: dict[str, Person], model, judges: FaceJudges, arguments) -> tuple[list[tuple], list[np.ndarray]]:
    """Per painted frame (pair, wanted movements, seen movements or None, likeness), and strips to look at."""
    results, strips, names = [], [], list(people)
    for index, name in enumerate(names):
        person = people[name]
        order = farthest_points(encode_all(model, person.frames), min(len(person.frames), arguments.pictures))
        identity = encode_identity(model, person.frames[order], arguments.weights)
        painting = Painting(identity, model, model.generator)
        real = [(row, judges.look(person.frames[row])) for row in order[:REAL]]
        own = np.mean([judges.embedding(person.frames[row], found[0]) for row, found in real if found is not None], 0)
        own /= np.linalg.norm(own)
        strip = [person.frames[order[0]]]
        for driver in drivers_of(index, names, arguments.drivers):
            heads = painted(person, people[driver], painting, identity.embedding[None])
            for (row, wanted), head in zip(people[driver].moments, heads):
                seen = judges.look(head)
                place = wanted[0] if seen is None else seen[0]
                likeness = float(judges.embedding(head, place) @ own)
                results.append(((name, driver), wanted[1], None if seen is None else seen[1], likeness))
            strip += [people[driver].frames[people[driver].moments[2][0]], heads[2]]
        strips.append(np.concatenate([cv2.resize(s, (128, 128), interpolation=cv2.INTER_AREA) for s in strip], 1))
        print(f"{name} done", file=sys.stderr, flush=True)
    return results, strips


def table(results: list[tuple]) -> str:
    found = [r for r in results if r[2] is not None]
    pairs = sorted({r[0] for r in found})
    wanted, seen = (np.array([r[k] for r in found]) for k in (1, 2))
    member = np.array([pairs.index(r[0]) for r in found])
    lines = [
        "| measure | pooled | mean per driver and person |", "|---|---|---|",
        f"| face found | {len(found) / len(results):.3f} | |",
        f"| likeness | {np.mean([r[3] for r in results]):.3f} | |",
    ]  # fmt: skip
    for k, name in enumerate(MOVEMENTS):
        each = [correlation(wanted[member == p, k], seen[member == p, k]) for p in range(len(pairs)) if (member == p).sum() > 4]
        lines.append(f"| {name} | {correlation(wanted[:, k], seen[:, k]):.3f} | {np.nanmean(each):.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heads", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--weights", default="compact")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--drivers", type=int, default=3)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    if not (arguments.heads / "val").is_dir():
        sys.exit(f"skipped: {arguments.heads} is no heads folder with held-out people (val/) on this machine.")
    model, judges = load_model(arguments.weights), FaceJudges(arguments.models)
    folders = sorted((arguments.heads / "val").iterdir())
    people = {folder.name: Person(folder, judges, arguments.frames) for folder in folders}
    results, strips = measure(people, model, judges, arguments)
    print(f"{len(people)} people, {len(results)} painted frames, {arguments.pictures} pictures a person.\n\n{table(results)}")
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), np.concatenate(strips)[..., ::-1])


if __name__ == "__main__":
    main()
