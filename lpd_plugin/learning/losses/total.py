"""The losses of a training step, each times its weight."""

from __future__ import annotations

import torch

from ..training_config import TrainingConfig
from .adversarial import discriminator_hinge, generator_hinge
from .content import content_loss
from .dice import dice_loss
from .embedding_match import embedding_match
from .face_content import face_content_loss
from .face_features import FaceFeatures, face_feature_loss
from .feature_matching import feature_matching
from .laplacian import centre_weight, laplacian_loss
from .ssim import ssim_loss
from .vgg import Vgg


class LossTerms:
    """Which losses a configuration asks for. Pictures are rgb * mask, (B, 3, S, S)."""

    def __init__(self, config: TrainingConfig, device: str):
        self.weights = config.loss_weights()
        self.centre = centre_weight(config.side, config.centre_ratio, device)
        self.vgg19 = Vgg("VGG-19", config.vgg19, config.vgg_input).to(device) if config.vgg19 else None
        self.vgg_face = Vgg("VGG-16", config.vgg_face, config.vgg_input).to(device) if config.vgg_face else None
        self.face = FaceFeatures(config.face_features).to(device) if config.face_features else None

    def generator_terms(self, picture, mask, sample, first_identity, discriminator=None) -> dict[str, torch.Tensor]:
        """Weighted terms by name. sample: target, mask, label; first_identity (V, E); discriminator or None."""
        weights, target = self.weights, sample["target"]
        terms = {
            "content_laplacian": laplacian_loss(picture, target, self.centre) if weights["content_laplacian"] else None,
            "ssim": ssim_loss(picture, target) if weights["ssim"] else None,
            "dice": dice_loss(mask, sample["mask"]),
            "mask_pyramid": laplacian_loss(mask, sample["mask"]) if weights["mask_pyramid"] else None,
        }
        if self.vgg19 is not None and weights["content"]:
            terms["content"] = content_loss(self.vgg19, picture, target)
        if self.vgg_face is not None and weights["face_content"]:
            terms["face_content"] = face_content_loss(self.vgg_face, picture, target)
        if self.face is not None and weights["face_features"]:
            terms["face_features"] = face_feature_loss(self.face, picture, target)
        if discriminator is not None:
            terms |= self._adversarial_terms(discriminator, picture, sample, first_identity)
        return {name: weights[name] * value for name, value in terms.items() if value is not None}

    def _adversarial_terms(self, discriminator, picture, sample, first_identity) -> dict[str, torch.Tensor]:
        discriminator.requires_grad_(False)
        score, fake_features = discriminator(picture, sample["label"])
        with torch.no_grad():
            _, real_features = discriminator(sample["target"], sample["label"])
            every = len(sample["label"]) // len(first_identity)
            labels = discriminator.label_embedding(sample["label"][::every])
        discriminator.requires_grad_(True)
        return {
            "adversarial": generator_hinge(score),
            "feature_matching": feature_matching(fake_features, real_features),
            "embedding_match": embedding_match(first_identity, labels),
        }

    def discriminator_loss(self, discriminator, fake, sample) -> torch.Tensor:
        """The hinge loss of the discriminator on detached fakes (B, 3, S, S).

        As released, a video's embedding learns from its real frames only.
        """
        score_fake, _ = discriminator(fake, sample["label"], learn_label=False)
        score_real, _ = discriminator(sample["target"], sample["label"])
        return discriminator_hinge(score_fake, score_real)
