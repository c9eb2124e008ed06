"""Where adaptation stops by itself, against a sweep of steps, on people nobody trained on.

    python benchmarks/adaptation.py HEADS [--models FOLDER] [--persons 5] [--skip 0] [--limit 100] [--pictures 32]

HEADS is a heads folder (index.csv, val/PERSON/CLIP.mp4). Per person: `pictures` frames spread over pose are given to
the adaptation, other frames of the person are reconstructed, and frames of the other people drive. One run passes
through all the steps that the sweep compares; what the product's rule would have chosen comes from its own curve.
Identity error is 1 - cosine of a face recogniser's embeddings between the heads that others drive and the person's real
frames; pose error is the landmarks' distance from the real frame over the outer-eye distance, on the person's own
frames that were not given. With --models FOLDER (MobileFaceNet.onnx, face_landmarker.task; onnxruntime and mediapipe
installed) the judges are those; without, the model's own encoders, which is said in the table. Prints markdown; the
committed table is adaptation.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

from lpd_plugin.learning.adaptation.adapt import PAINTER_LIMIT, adaptation_run
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.learning.adaptation.curve import Curve, measured_steps
from lpd_plugin.learning.adaptation.judge import on_grey, pose_distance
from lpd_plugin.learning.adaptation.views import farthest_points
from lpd_plugin.reenactment.crops import encode_crops
from lpd_plugin.reenactment.generate import drawing_for
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.weights.files import load_discriminator, load_likeness, load_matte, load_model

sys.path.insert(0, str(Path(__file__).parent))

OWN, DRIVEN = 24, 12  # frames of the person to reconstruct, and frames of others to be driven by
POSE_MAY_LOSE = 1.05  # a step of the sweep counts as the best only if its pose error is at most this share of step 0's


@dataclass(frozen=True)
class Score:
    """identity: error when driven by others; pose: error on the person's own frames; seen: share of faces found."""

    identity: float
    pose: float
    seen: float = 1.0


def frames_of(person: Path) -> np.ndarray:
    """All frames of a person's clips, (N, 256, 256, 3) uint8."""
    frames = []
    for clip in sorted(p for p in person.glob("*.mp4") if not p.name.endswith(".mask.mp4")):
        with av.open(str(clip)) as container:
            frames += [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return np.stack(frames)


class OwnJudges:
    """The model's own encoders, where nothing better is at hand."""

    name = "the model's own encoders"

    def __init__(self, model, real: np.ndarray, drivers: np.ndarray):
        self.model, self.real = model, real
        self.person = self._embeddings(_tensor(real)).mean(0, keepdim=True)

    def score(self, own: torch.Tensor, driven: torch.Tensor) -> Score:
        likeness = F.cosine_similarity(self._embeddings(driven), self.person).mean()
        spread = self.model.pose_bank.std(0) + 1e-3
        wanted = torch.from_numpy(encode_crops(self.model, self.real))
        return Score(1 - float(likeness), float(pose_distance(self.model.pose_encoder(own), wanted, spread)))

    def _embeddings(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.model.identity_encoder.per_picture(pictures[None])[0]


class OutsideJudges:
    """The recogniser and the landmarker of face_judges.py; where a generated head shows no face, the driving
    frame's landmarks say where it should be."""

    name = "MobileFaceNet and MediaPipe's landmarker"

    def __init__(self, faces, real: np.ndarray, drivers: np.ndarray):
        self.faces = faces
        self.real = [faces.landmarks(one) for one in real]
        self.drivers = [faces.landmarks(one) for one in drivers]
        seen = [faces.embedding(p, k) for p, k in zip(real, self.real) if k is not None]
        self.person = np.mean(seen, 0)
        self.person /= np.linalg.norm(self.person)

    def score(self, own: torch.Tensor, driven: torch.Tensor) -> Score:
        from face_judges import landmark_error

        errors, likeness, seen = [], [], []
        for picture, wanted in zip(_bytes(own), self.real):
            found = self.faces.landmarks(picture)
            seen.append(found is not None)
            if found is not None and wanted is not None:
                errors.append(landmark_error(found, wanted))
        for picture, wanted in zip(_bytes(driven), self.drivers):
            found = self.faces.landmarks(picture)
            seen.append(found is not None)
            place = wanted if found is None else found
            if place is not None:
                likeness.append(float(self.faces.embedding(picture, place) @ self.person))
        return Score(1 - float(np.mean(likeness)), float(np.mean(errors)) if errors else np.nan, float(np.mean(seen)))


def _tensor(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255


def _bytes(pictures: torch.Tensor) -> np.ndarray:
    return (pictures * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


@torch.no_grad()
def drawn(identity: Identity, model, descriptors: np.ndarray) -> torch.Tensor:
    """Heads of the person on grey (B, 3, S, S), driven by descriptors (B, descriptor_size)."""
    draw = drawing_for(identity, model)
    parts = torch.from_numpy(descriptors).split(4)
    return torch.cat([on_grey(*draw(identity.embedding.expand(len(p), -1), p)) for p in parts])


def sweep(frames: np.ndarray, drivers: np.ndarray, model, matte, make_judges, arguments) -> tuple[Curve, list[Score], float]:
    """The product's curve, the judges' scores at the same steps, and seconds of adaptation."""
    descriptors = encode_all(model, frames)
    order = farthest_points(descriptors, min(len(frames), arguments.pictures + OWN))
    tested = [order[i] for i in np.linspace(1, len(order) - 1, OWN).astype(int)]
    given = [i for i in order if i not in tested]
    judges = make_judges(frames[tested], drivers)
    identity = encode_identity(model, frames[given], arguments.weights)
    config = AdaptationConfig(limit=arguments.limit)
    torch.manual_seed(config.seed)
    begun = time.monotonic()
    more = load_discriminator(arguments.weights), load_likeness()
    run = adaptation_run(model, matte, frames[given], identity.embedding, config, *more)
    seconds = time.monotonic() - begun
    measurements, scores = [], []
    for until in measured_steps(arguments.limit):
        begun = time.monotonic()
        while run.taken < until:
            run.step()
        measurements.append(run.measure())
        seconds += time.monotonic() - begun
        embedding, changed = run.kept()
        person = replace(identity, embedding=embedding, adapted=changed)
        scores.append(judges.score(*(drawn(person, model, d) for d in (descriptors[tested], encode_crops(model, drivers)))))
        one = scores[-1]
        print(f"  {measurements[-1]} identity {one.identity:.3f} pose {one.pose:.4f} faces {one.seen:.2f}", file=sys.stderr, flush=True)
    return Curve(tuple(measurements)), scores, seconds


def encode_all(model, frames: np.ndarray) -> np.ndarray:
    return np.concatenate([encode_crops(model, frames[i : i + 16]) for i in range(0, len(frames), 16)])


def would_choose(curve: Curve) -> int:
    """The index the product's search ends with: it looks no further once it has settled, or at its limit."""
    measurements = tuple(m for m in curve.measurements if m.step <= PAINTER_LIMIT)
    for length in range(1, len(measurements) + 1):
        part = Curve(measurements[:length])
        if part.settled:
            return part.best
    return Curve(measurements).best


def row(person: str, curve: Curve, scores: list[Score], seconds: float) -> tuple[str, bool]:
    """A line of the table, and whether the chosen step is within 10 % of the sweep's best identity error."""
    start, chosen = scores[0], would_choose(curve)
    allowed = [
        i for i, s in enumerate(scores) if np.isnan(start.pose) or np.isnan(s.pose) or s.pose <= POSE_MAY_LOSE * start.pose
    ]
    best = min(allowed, key=lambda i: scores[i].identity)
    near = scores[chosen].identity <= 1.1 * scores[best].identity
    steps = [m.step for m in curve.measurements]
    cells = [person, f"{start.identity:.3f}", f"{start.pose:.4f}"]
    for index in (chosen, best):
        cells += [steps[index], f"{scores[index].identity:.3f}", f"{scores[index].pose:.4f}"]
    cells += ["yes" if near else "no", f"{scores[chosen].seen:.0%}", f"{seconds / max(steps[-1], 1):.2f}"]
    return "| " + " | ".join(map(str, cells)) + " |", near


HEADER = (
    "| person | identity error, 0 steps | pose error, 0 steps | chosen steps | identity | pose | best of the sweep: steps "
    "| identity | pose | within 10 % | faces seen | s a step |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heads", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--persons", type=int, default=5)
    parser.add_argument("--skip", type=int, default=0, help="persons to leave out first, to share the work between processes")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--weights", default="compact")
    arguments = parser.parse_args()
    if not (arguments.heads / "val").is_dir():
        sys.exit(f"skipped: {arguments.heads} is no heads folder with held-out people (val/) on this machine.")
    torch.set_num_threads(1)
    model, matte = load_model(arguments.weights), load_matte()

    def own(real, drivers):
        return OwnJudges(model, real, drivers)

    make_judges, name = own, OwnJudges.name
    if arguments.models is not None:
        from face_judges import FaceJudges

        faces = FaceJudges(arguments.models)
        make_judges, name = (lambda real, drivers: OutsideJudges(faces, real, drivers)), OutsideJudges.name
    people = {p.name: frames_of(p) for p in sorted((arguments.heads / "val").iterdir())}
    people = {n: f for n, f in people.items() if len(f) >= arguments.pictures + OWN}
    print(f"Judged by {name}; {arguments.pictures} pictures a person, {arguments.limit} steps at most.\n\n{HEADER}")
    print("|---" * (HEADER.count("|") - 1) + "|", flush=True)
    near = []
    for person in list(people)[arguments.skip : arguments.skip + arguments.persons]:
        others = np.concatenate([f[:: max(1, len(f) // 8)] for n, f in people.items() if n != person])
        drivers = others[farthest_points(encode_all(model, others), DRIVEN)]
        line, close = row(person, *sweep(people[person], drivers, model, matte, make_judges, arguments))
        near.append(close)
        print(line, flush=True)
    print(f"\nThe chosen step is within 10 % of the best of the sweep for {sum(near)} of {len(near)} people.")


if __name__ == "__main__":
    main()
