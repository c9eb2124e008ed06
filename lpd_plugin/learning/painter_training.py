"""Training the painter; generator and encoders, the face reader too, stay as they are."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import BadInput
from ..networks.configurations import configuration
from ..networks.face_reader import face_view
from ..networks.model import ReenactmentModel
from ..networks.painter import resized
from ..whole_files import write_png
from .augmentation import PoseAugmentation
from .checkpoint import CHECKPOINT, module_state, read_checkpoint, restore_optimiser, save_checkpoint
from .contact_sheet import painter_sheet
from .data.splits import require_trainable
from .data.store import Heads
from .face_marks import FaceMarks
from .growth import grow_generator
from .losses.face_features import FaceFeatures, face_feature_loss
from .losses.laplacian import centre_weight, laplacian_loss
from .losses.painting import followed_loss, point_loss, roughness
from .painter_pairs import PainterPairs, coarsened
from .running_average import follow, memory
from .single_run import SingleRun

# Weights of the losses: the painted picture, its mask, how much neighbouring places move apart, points of the face that have
# to come from where they are in the reference, and what a face recogniser sees (where one is given). In another person's pose,
# where no picture says what is right: what the face reader reads off it, and whom the recogniser sees.
LOSSES = {"painted": 13.0, "masks": 7.0, "motion": 2.0, "points": 10.0, "face": 2.0, "followed": 4.0, "likeness": 1.0}


@dataclass
class PainterConfig:
    """A painter's run. Sides in pixels, rates per step."""

    configuration: str = "compact"
    side: int = 128
    pairs: int = 6  # of frames a step, each painted from the other
    steps: int = 4000
    rate: float = 1e-3
    other_identity: float = 0.5  # share of drawings that show somebody else: what they look like must not matter
    strangers: int = 6  # frames a step that are painted in another person's pose
    centre_ratio: float = 5.0
    face_features: str = ""  # safetensors of a face recogniser, for training only
    misread: float = 0.2  # spreads: faces of people who were never seen are read less exactly than those trained on
    average: float = 0.995
    seed: int = 0
    checkpoint_minutes: float = 4.0
    log_steps: int = 25
    sheet_steps: int = 200


class PainterTraining(SingleRun):
    """A run in a folder; resumes from its checkpoint, else starts from `start`: a weights file of the same configuration, or
    a generator's run (its checkpoint) and `reader`, a face reader's.

    store: at the side of the finished picture, or more; marks: of its rows. held_out: persons for the contact sheets,
    else training persons. What a step sees follows from seed and step. Raises `BadInput` where `start` or `reader` do not
    hold the networks of the configuration, and for persons who are held out.
    """

    LABEL, COLUMNS = "training the painter", tuple(LOSSES)

    def __init__(
        self, config: PainterConfig, store: Heads, folder: str | Path, start: str | Path | None = None,
        device: str = "cpu", held_out: Heads | None = None, marks: FaceMarks | None = None, reader: str | Path | None = None,
    ):  # fmt: skip
        require_trainable(store.clips)
        self.config, self.folder, self.device = config, Path(folder), torch.device(device)
        self.held_out = held_out or store
        self.pairs = PainterPairs(store, config.pairs, config.seed, marks=marks)
        torch.manual_seed(config.seed)
        size = configuration(config.configuration)
        if not size.drawn_size:
            raise BadInput(f"The configuration '{size.name}' has no painter; choose compact.")
        self.model = ReenactmentModel(size).requires_grad_(False).eval()
        self.learning = self.model.painter.channels_last()
        self.step, self.seconds, resumed = 0, 0.0, (self.folder / CHECKPOINT).exists()
        if not resumed:
            load_beginning(self.model, start, reader)
        self.average = copy.deepcopy(self.model)
        self.learning.requires_grad_(True)
        self.model.to(self.device), self.average.to(self.device)
        self.optimiser = torch.optim.Adam(self.learning.parameters(), lr=config.rate, betas=(0.9, 0.99))
        self.augment = PoseAugmentation("colours").to(self.device)
        self.centre = centre_weight(config.side, config.centre_ratio, self.device)
        self.face = FaceFeatures(config.face_features).to(self.device) if config.face_features else None
        if resumed:
            self._resume()

    def _resume(self) -> None:
        tensors, extra = read_checkpoint(self.folder / CHECKPOINT)
        self.model.load_state_dict(module_state(tensors, "model"))
        self.average.load_state_dict(module_state(tensors, "average"))
        restore_optimiser(self.optimiser, tensors, "painter")
        self.step, self.seconds = extra["step"], extra["seconds"]

    def save(self) -> None:
        modules = {"model": self.model, "average": self.average}
        full = {**asdict(self.config), "side": self.model.configuration.image_size}
        extra = {"step": self.step, "seconds": self.seconds, "config": full}
        save_checkpoint(self.folder / CHECKPOINT, modules, {"painter": self.optimiser}, extra)

    def look(self, last: bool) -> None:
        if last or self.step % self.config.sheet_steps == 0:
            write_png(self.folder / "sheet.png", painter_sheet(self.average, self.held_out, self.config.seed, self.device))

    def train_step(self) -> dict[str, float]:
        """One step; returns the losses by name, unweighted."""
        config = self.config
        falling = 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * min(1.0, self.step / config.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / 50) * falling
        terms = self._losses(*(t.to(self.device) for t in self.pairs.draw(self.step)))
        self.optimiser.zero_grad(set_to_none=True)
        sum(LOSSES[name] * value for name, value in terms.items()).backward()
        nn.utils.clip_grad_norm_(self.learning.parameters(), 5.0)
        self.optimiser.step()
        follow(self.average, self.model, memory(config.average, self.step))
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _losses(self, pictures: torch.Tensor, masks: torch.Tensor, points: torch.Tensor) -> dict[str, torch.Tensor]:
        """pictures (2P, 3, S, S), masks (2P, 1, S, S): frames P and what is painted from them, and back; points of their
        faces (2P, N, 2)."""
        with torch.no_grad():
            faces = self.model.pose_encoder.read_face(pictures)
            pictures, masks = resized(pictures, self.config.side), resized(masks, self.config.side)
            # What drives has false colours and is coarse; what is painted from is neither.
            latent = self.model.pose_encoder.latent(self.augment(coarsened(pictures)))
            reference = torch.cat((pictures * masks, masks), 1)
            embedding = self._embeddings(pictures)
            drawn = self._drawn(embedding, latent)
        read = torch.cat((_swapped(self._misread(faces)), faces), 1)
        painted, motion = self.model.painter(_swapped(drawn), drawn, reference, read)
        wanted = _swapped(reference)
        terms = {
            "painted": laplacian_loss(painted[:, :3], wanted[:, :3], self.centre),
            "masks": laplacian_loss(painted[:, 3:], wanted[:, 3:]),
            "motion": roughness(motion),
            "points": point_loss(motion, _swapped(points), points),
            "face": self._seen_alike(painted[:, :3], wanted[:, :3]),
        }
        foreign, apart = self._strangers(embedding, latent, drawn, faces, reference)
        terms["motion"] = terms["motion"] + 0.25 * apart
        return {**terms, **foreign}

    def _seen_alike(self, painted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Of the first half alone: a recogniser costs as much as a painter."""
        if self.face is None:
            return painted.new_zeros(())
        half = len(painted) // 2
        return face_feature_loss(self.face, painted[:half], wanted[:half])

    def _misread(self, faces: torch.Tensor) -> torch.Tensor:
        return faces + self.config.misread * torch.rand(len(faces), 1, device=faces.device) * torch.randn_like(faces)

    def _embeddings(self, pictures: torch.Tensor) -> torch.Tensor:
        """Identities to draw with, (2P, identity_size): the same for both moments, somebody else's for a share."""
        pairs = len(pictures) // 2
        embedding = self.model.identity_encoder(pictures[:pairs, None])
        others = (torch.rand(pairs, 1, device=self.device) < self.config.other_identity).float()
        return torch.lerp(embedding, embedding[torch.randperm(pairs, device=self.device)], others).repeat(2, 1)

    @torch.no_grad()
    def _drawn(self, embedding: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        rgb, mask = self.model.generator(embedding, latent)
        return torch.cat((rgb.clamp(0, 1) * mask, mask), 1)

    def _strangers(
        self, embedding: torch.Tensor, latent: torch.Tensor, drawn: torch.Tensor, faces: torch.Tensor, reference: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Some references in other persons' poses: losses by name, and how motions part."""
        count = min(self.config.strangers, len(reference))
        wanted, reference = faces.roll(2, 0)[:count], reference[:count]
        posed = self._drawn(embedding[:count], latent.roll(2, 0)[:count])
        painted, motion = self.model.painter(posed, drawn[:count], reference, torch.cat((wanted, faces[:count]), 1))
        ground = torch.rand(count, 3, 1, 1, device=painted.device)
        shown = (painted[:, :3] + (1 - painted[:, 3:]) * ground).clamp(0, 1)
        encoder = self.model.pose_encoder
        losses = {
            "followed": followed_loss(encoder.face(face_view(shown, encoder.size)), wanted),
            "likeness": painted.new_zeros(()),
        }
        if self.face is not None:
            with torch.no_grad():
                own = self.face(reference[:, :3])[-1]
            losses["likeness"] = 1 - (self.face(painted[:, :3])[-1] * own).sum(1).mean()
        return losses, roughness(motion)


def load_beginning(model: ReenactmentModel, start: str | Path | None, reader: str | Path | None) -> None:
    """Generator, encoders and what there is of a painter from `start`, the face reader from `reader`; see PainterTraining."""
    if start is None:
        raise BadInput("This folder holds no painter's run yet: say which generator's run it starts from (--from).")
    tensors, _ = read_checkpoint(start)
    state = module_state(tensors, "average") or tensors
    try:
        model.identity_encoder.load_state_dict(_of(state, "identity_encoder"))
        model.pose_encoder.backbone.load_state_dict(_of(state, "pose_encoder.backbone"))
        grow_generator(_of(state, "generator"), model.generator)
        face = _of(state, "pose_encoder.face")
        if reader is not None:
            face = module_state(read_checkpoint(reader)[0], "average")
        if not face:
            raise BadInput(f"{start} holds no face reader: train one (lpd train face-reader) and name its run with --reader.")
        model.pose_encoder.face.load_state_dict(face)
    except RuntimeError as error:
        wrong = f"{start} with {reader}" if reader else start
        raise BadInput(f"{wrong} does not hold the networks of '{model.configuration.name}'.") from error
    own = model.painter.state_dict()
    model.painter.load_state_dict(own | {k: v for k, v in _of(state, "painter").items() if k in own and own[k].shape == v.shape})


def _swapped(pairs: torch.Tensor) -> torch.Tensor:
    """Second halves before first ones."""
    return torch.cat(tuple(reversed(pairs.chunk(2))))


def _of(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(part + "."): v for k, v in state.items() if k.startswith(part + ".")}
