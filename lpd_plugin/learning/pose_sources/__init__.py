"""Pose descriptors other than the latent one, by name: what a generator may be trained on and driven by instead."""

from . import blendshapes, foreign, landmarks  # noqa: F401  (they register themselves)
from .registry import PoseSource, described, descriptor_file, given_file, known_descriptors, pose_descriptor, pose_source

__all__ = [
    "PoseSource", "described", "descriptor_file", "given_file", "known_descriptors", "pose_descriptor", "pose_source",
]  # fmt: skip
