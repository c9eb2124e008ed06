"""What one training step sees: persons, identity pictures, driving pictures and targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .store import Heads


@dataclass
class Sample:
    """A batch of V videos with K identity pictures and T targets each; pictures float32 RGB in [0, 1].

    identity (V, K, 3, S, S) and identity_masks (V, K, 1, S, S); target (V, T, 3, S, S) and
    target_masks (V, T, 1, S, S), not yet multiplied; label (V,) int64, one per clip.
    """

    identity: torch.Tensor
    identity_masks: torch.Tensor
    target: torch.Tensor
    target_masks: torch.Tensor
    label: torch.Tensor


class Sampler:
    """Chooses what a step sees; all choices come from one numpy generator.

    by "person": persons evenly (not clips: a person with four clips is no better known than one with one).
    Identity pictures come from another clip of the person where there are two, so that clothes, light and
    place do not count as identity. Half of the persons are mirrored: mirrored people are new people.

    by "video", as published: videos evenly, identity pictures and targets different frames of the same one,
    nothing mirrored.
    """

    def __init__(
        self, store: Heads, videos: int, identity_pictures: int, targets: int, seed: int, by: str = "person"
    ):
        self.store, self.videos, self.pictures, self.targets = store, videos, identity_pictures, targets
        self.persons = list(store.by_person().values())
        self.seed, self.by = seed, by
        self.random = np.random.default_rng(seed)

    def seek(self, step: int, part: int = 0) -> None:
        """Make the next draw that of micro-batch `part` of `step`, the same whatever was drawn before."""
        self.random = np.random.default_rng((self.seed, step, part))

    def draw(self) -> Sample:
        return self._draw_videos() if self.by == "video" else self._draw_persons()

    def _draw_videos(self) -> Sample:
        clips = np.concatenate(self.persons)
        labels = self.random.choice(clips, self.videos, replace=self.videos > len(clips))
        rows, count = [], self.pictures + self.targets
        for label in labels:
            own = np.arange(self.store.clips[label].start, self.store.clips[label].stop)
            rows.append(self.random.choice(own, count, replace=count > len(own)))
        frames, masks = self.store.pictures(np.stack(rows))
        k = self.pictures
        return Sample(frames[:, :k], masks[:, :k], frames[:, k:], masks[:, k:], torch.from_numpy(labels))

    def _draw_persons(self) -> Sample:
        persons = self.random.choice(len(self.persons), self.videos, replace=self.videos > len(self.persons))
        identity_rows, target_rows, labels = [], [], []
        for person in persons:
            clips = self.persons[person]
            target_clip = int(self.random.choice(clips))
            others = [c for c in clips if c != target_clip]
            source_clip = int(self.random.choice(others)) if others and self.random.random() < 0.6 else target_clip
            identity_rows.append(self._rows(source_clip, self.pictures))
            target_rows.append(self._rows(target_clip, self.targets))
            labels.append(target_clip)
        identity, identity_masks = self.store.pictures(np.stack(identity_rows))
        target, target_masks = self.store.pictures(np.stack(target_rows))
        for index in np.flatnonzero(self.random.random(self.videos) < 0.5):
            for tensor in (identity, identity_masks, target, target_masks):
                tensor[index] = tensor[index].flip(-1)
        return Sample(identity, identity_masks, target, target_masks, torch.tensor(labels))

    def _rows(self, clip: int, count: int) -> np.ndarray:
        """`count` frames of a clip, one from each of `count` equal stretches: spread over its poses."""
        start, stop = self.store.clips[clip].start, self.store.clips[clip].stop
        edges = np.linspace(start, stop, count + 1)
        rows = [int(self.random.integers(int(a), max(int(a) + 1, int(b)))) for a, b in zip(edges, edges[1:])]
        return self.random.permutation(rows)
