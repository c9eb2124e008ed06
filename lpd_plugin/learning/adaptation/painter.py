"""Adapting a painter: how one person's own pictures move.

The generator's drawing and the encoders stay as they are; the painter learns to make each frame of the person out of the
others, and goes on following strangers.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...networks.face_recogniser import FaceRecogniser
from ...networks.matte import HeadMatte
from ...networks.model import ReenactmentModel
from ...reenactment.identity import Identity
from ...reenactment.painting import Painting
from ..losses.face_features import face_feature_loss
from ..losses.laplacian import centre_weight, laplacian_loss
from ..losses.painting import followed_loss, roughness, shift
from ..painter_pairs import displaced
from ..running_average import follow, memory
from .config import AdaptationConfig
from .curve import Measurement
from .judge import BACKGROUND, MICRO_BATCH, Judge, split_bank
from .views import Frames, farthest_points, person_frames, split_frames

TRAINED_POSES = 24  # foreign poses, spread over the weights' bank
# In strangers' poses: how much stays as it was, how exactly the pose is followed, whom the judge of likeness sees. FACE: what
# that judge sees in the person's own frames, where there is one (the paper's face content loss).
KEPT, FOLLOWED, LIKENESS, FACE = 1.0, 6.0, 4.0, 1.0
# Heads stay where they were (half sides): a judge that knows faces in one place is pleased by moving them there, pixel by pixel.
PLACE = 30.0
CONTENT, OUTLINE = 13.0, 3.0  # of the person's own frames
OWN_FOLLOWED = 3.0  # how exactly the person's own frames are followed, beside looking alike
NEAR = 4  # references as like the wanted frame as these are what a render paints from


class PainterAdaptation:
    """The painter becomes the person's own: `step`, `measure`, `kept`. To be used outside inference mode, with gradients."""

    def __init__(
        self, model: ReenactmentModel, matte: HeadMatte, crops: np.ndarray, embedding: torch.Tensor, config: AdaptationConfig,
        likeness: FaceRecogniser | None = None,
    ):  # fmt: skip
        """likeness: says whom a head shows; the model's identity encoder where there is none."""
        self.model, self.config, self.likeness, self.taken = model, config, likeness, 0
        self.device = model.generator.constant.device
        self.random = np.random.default_rng(config.seed)
        self.painter = copy.deepcopy(model.painter).channels_last().train().requires_grad_(True)
        self.average = copy.deepcopy(model.painter).requires_grad_(False)
        self.embedding = embedding.clone().to(self.device)
        self._sort_frames(person_frames(matte, crops, self.device, model.configuration.image_size))
        self._prepare_poses()
        self.optimiser = torch.optim.Adam(self.painter.parameters(), lr=config.painter_rate, betas=(0.9, 0.99), eps=1e-6)

    @torch.no_grad()
    def _sort_frames(self, frames: Frames) -> None:
        self.learned, self.held_out, self.altered = frames, None, False
        if self.config.steps is None:
            faces = [self.model.pose_encoder.read_face(p.float() / 255) for p in frames.pictures.split(MICRO_BATCH)]
            split = split_frames(frames, torch.cat(faces).cpu().numpy())
            self.learned, self.held_out, self.altered = split.learned, split.held_out, split.altered
        pictures, mattes = self.learned.pictures.permute(0, 2, 3, 1).cpu().numpy(), self.learned.masks[:, 0].cpu().numpy()
        person = Identity(self.embedding.cpu(), pictures, mattes, self.model.digest)
        self.painting = Painting(person, self.model, self.model.generator, self.average)
        heads = [self._whose(self.painting.references(rows)) for rows in torch.arange(len(pictures)).split(MICRO_BATCH)]
        self.person = torch.cat(heads).mean(0)
        self.faces = self.painting.descriptors[:, self.model.configuration.pose_size :].clone()
        apart = torch.cdist(self.faces, self.faces).fill_diagonal_(torch.inf)
        self.nearest = apart.argsort(1)[:, : max(1, min(NEAR, len(apart) - 1))].cpu().numpy()

    @torch.no_grad()
    def _prepare_poses(self) -> None:
        bank = self.model.pose_bank.clone()
        trained, judged = split_bank(bank)
        some = farthest_points(trained.cpu().numpy(), TRAINED_POSES) if self.config.foreign and len(trained) else []
        self.foreign = trained[some]
        if len(self.foreign):
            size = self.model.configuration.pose_size
            self.foreign_rows = torch.cdist(self.foreign[:, size:], self.faces).argmin(1).cpu().numpy()
            parts = zip(self.foreign.split(MICRO_BATCH), np.array_split(self.foreign_rows, range(MICRO_BATCH, len(some), MICRO_BATCH)))
            heads, motions = zip(*(self._painted(poses, rows) for poses, rows in parts))
            self.foreign_heads = (torch.cat(heads).clamp(0, 1) * 255).round().byte()
            self.foreign_motions = torch.cat(motions)
            # What always differs from what drives is how the face reader misreads this person: nothing to be made good.
            faces = self.foreign[:, size:]
            self.foreign_wanted = faces + (torch.cat([self._read(h) for h in heads]) - faces).mean(0)
        side = self.learned.pictures.shape[-1]
        self.centre = centre_weight(side, self.config.centre_ratio, self.device)
        if self.held_out is not None:
            encoder = self.model.pose_encoder
            spread = torch.ones(self.model.configuration.face_size, device=self.device)
            self.judge = Judge(self.model, self.held_out, judged, spread, self.config.centre_ratio, encoder.read_face, encoder, self._seen)

    def measure(self) -> Measurement:
        """The running average as it stands; only where the steps are not given."""
        return self.judge.measure(self.painting, self.embedding, self.taken)

    def kept(self) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The embedding (identity_size,) and the changed parameters in half precision, by their names in the model."""
        before, after = self.model.painter.state_dict(), self.average.state_dict()
        changed = {f"painter.{k}": v.half().cpu().clone() for k, v in after.items() if not torch.equal(v, before[k])}
        return self.embedding.cpu().clone(), changed

    def step(self) -> float:
        """One step of optimisation; returns the content loss."""
        config = self.config
        # Slower and slower, and with no end in mind: every moment can be the last.
        for group in self.optimiser.param_groups:
            group["lr"] = config.painter_rate * min(1.0, (self.taken + 1) / 15) / (1 + self.taken / 150) ** 0.5
        content, loss = self._own_frames()
        if len(self.foreign):
            loss = loss + config.keep_pose * self._foreign_poses()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.painter.parameters(), 5.0)
        self.optimiser.step()
        self.taken += 1
        self._update_average()
        return float(content.detach())

    def _own_frames(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The content loss of some frames painted from others, and the loss with everything that is asked of them."""
        rows = self.random.choice(len(self.learned), self.config.batch, replace=len(self.learned) < self.config.batch)
        with torch.no_grad():
            both = torch.cat(self.learned.rows(rows).floats(), 1)
            if len(self.learned) == 1 or self.random.random() < 0.5:  # drivers frame themselves otherwise
                both, _ = displaced(both, both.new_zeros(len(both), 0, 2))
            pictures, masks = both[:, :3], both[:, 3:]
            wanted, poses = torch.cat((pictures * masks, masks), 1), self.model.pose_encoder(pictures)
        painted, motion = self._painted(poses, self._references(rows))
        content = laplacian_loss(painted[:, :3], wanted[:, :3], self.centre)
        loss = CONTENT * content + OUTLINE * laplacian_loss(painted[:, 3:], wanted[:, 3:])
        if self.likeness is not None:
            grey = BACKGROUND * (1 - masks)
            loss = loss + FACE * face_feature_loss(self.likeness, (painted[:, :3] + grey).clamp(0, 1), wanted[:, :3] + grey)
        with torch.no_grad():
            read = self._read(wanted)  # and not what drives, which was read before another background
        loss = loss + OWN_FOLLOWED * followed_loss(self._read(painted), read)
        return content, loss + 2 * roughness(motion)

    def _foreign_poses(self) -> torch.Tensor:
        """Heads in strangers' poses stay much as they were, and are whom the judge of likeness sees in the person's frames.

        What the face reader reads off them is asked to be what drove them, too: alone, a painter that pleases it changes who
        that is, since some of how a person always looks is read as expression (so what it always misreads is left alone); and
        likeness alone goes back to the person's usual expression, a closed mouth.
        """
        count = min(self.config.foreign, len(self.foreign))
        some = self.random.choice(len(self.foreign), count, replace=False)
        painted, motion = self._painted(self.foreign[some], self.foreign_rows[some])
        before = self.foreign_heads[some].float() / 255
        kept = laplacian_loss(painted, before, self.centre)
        likeness = 1 - F.cosine_similarity(self._whose(painted), self.person[None]).mean()
        followed = followed_loss(self._read(painted), self.foreign_wanted[some])
        moved = PLACE * shift(motion, self.foreign_motions[some], before[:, 3:])
        return KEPT * kept + FOLLOWED * followed + LIKENESS * likeness + moved + 0.5 * roughness(motion)

    def _read(self, heads: torch.Tensor) -> torch.Tensor:
        """What the face reader reads off premultiplied heads (B, 4, S, S): (B, face_size)."""
        return self.model.pose_encoder.read_face((heads[:, :3] + BACKGROUND * (1 - heads[:, 3:])).clamp(0, 1))

    def _whose(self, heads: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, E) of premultiplied heads (B, 4, S, S)."""
        return self._seen((heads[:, :3] + BACKGROUND * (1 - heads[:, 3:])).clamp(0, 1))

    def _seen(self, pictures: torch.Tensor) -> torch.Tensor:
        if self.likeness is not None:
            return self.likeness(pictures)[-1]
        return self.model.identity_encoder.per_picture(pictures[None])[0]

    def _painted(self, poses: torch.Tensor, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """What a render would show, with the learning painter, of the pictures `rows` in poses (B, descriptor_size); see
        Painter.forward."""
        with torch.no_grad():
            drawn = self.painting.drawn(self.embedding.expand(len(poses), -1), poses)
            index = torch.from_numpy(np.asarray(rows)).to(self.device)
            faces = torch.cat((poses[:, self.model.configuration.pose_size :], self.faces[index]), 1)
            reference = self.painting.references(index).clone()
        moved, motion = self.painter(drawn, self.painting.drawings[index].clone(), reference, faces)
        return self.painting.finished(moved, reference, motion, index, self.painting.closing(poses)), motion

    def _references(self, rows: np.ndarray) -> np.ndarray:
        """For each frame another one to paint it from: one of the likest, or any."""
        if len(self.learned) == 1:
            return rows
        likest = self.nearest[rows, self.random.integers(0, self.nearest.shape[1], len(rows))]
        others = (rows + self.random.integers(1, len(self.learned), len(rows))) % len(self.learned)
        return np.where(self.random.random(len(rows)) < 0.5, likest, others)

    def _update_average(self) -> None:
        keep = memory(self.config.average, self.taken - 1, delay=6)
        follow(self.average, self.painter, keep)
