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
    target_masks (V, T, 1, S, S), not yet multiplied; label (V,) int64, one per clip; target_rows (V, T): the
    store's; mirrored (V,) bool: videos of which all pictures are.
    """

    identity: torch.Tensor
    identity_masks: torch.Tensor
    target: torch.Tensor
    target_masks: torch.Tensor
    label: torch.Tensor
    target_rows: np.ndarray
    mirrored: np.ndarray


class Sampler:
    """Chooses what a step sees; all choices come from one numpy generator.

    by "person": persons evenly (not clips: a person with four clips is no better known than one with one).
    Identity pictures come from another clip of the person where there are two, so that clothes, light and
    place do not count as identity. Half of the persons are mirrored: mirrored people are new people.

    by "video", as published: videos evenly, identity pictures and targets different frames of the same one,
    nothing mirrored.

    seen (rows of the store,) bool: which of them may be targets, None = all; persons and clips without such a row are no
    targets, identity pictures are any.
    """

    def __init__(
        self, store: Heads, videos: int, identity_pictures: int, targets: int, seed: int, by: str = "person",
        seen: np.ndarray | None = None,
    ):  # fmt: skip
        self.store, self.videos, self.pictures, self.targets = store, videos, identity_pictures, targets
        self.seen = seen
        self.persons, self.shown = list(store.by_person().values()), {}
        if seen is not None:
            clips = [clip for person in self.persons for clip in person]
            self.shown = {clip: rows for clip in clips if len(rows := self._seen_rows(clip))}
            self.persons = [person for person in self.persons if any(clip in self.shown for clip in person)]
        self.seed, self.by = seed, by
        self.random = np.random.default_rng(seed)

    def seek(self, step: int, part: int = 0) -> None:
        """Make the next draw that of micro-batch `part` of `step`, the same whatever was drawn before."""
        self.random = np.random.default_rng((self.seed, step, part))

    def draw(self) -> Sample:
        return self._draw_videos() if self.by == "video" else self._draw_persons()

    def _draw_videos(self) -> Sample:
        clips = np.concatenate(self.persons) if self.seen is None else np.array(list(self.shown))
        labels = self.random.choice(clips, self.videos, replace=self.videos > len(clips))
        rows, count = [], self.pictures + self.targets
        for label in labels:
            own = np.arange(self.store.clips[label].start, self.store.clips[label].stop)
            rows.append(self._video_rows(label, own, count))
        rows, k = np.stack(rows), self.pictures
        frames, masks = self.store.pictures(rows)
        plain = np.zeros(len(labels), bool)
        return Sample(
            frames[:, :k], masks[:, :k], frames[:, k:], masks[:, k:], torch.from_numpy(labels), rows[:, k:], plain
        )

    def _video_rows(self, clip: int, own: np.ndarray, count: int) -> np.ndarray:
        """Identity rows, then targets, of a clip's `own` rows: different ones where there are enough."""
        if self.seen is None:
            return self.random.choice(own, count, replace=count > len(own))
        targets = self.random.choice(self.shown[clip], self.targets, replace=self.targets > len(self.shown[clip]))
        others = np.setdiff1d(own, targets)
        others = others if len(others) else own
        return np.concatenate((self.random.choice(others, self.pictures, replace=self.pictures > len(others)), targets))

    def _draw_persons(self) -> Sample:
        persons = self.random.choice(len(self.persons), self.videos, replace=self.videos > len(self.persons))
        identity_rows, target_rows, labels = [], [], []
        for person in persons:
            clips = self.persons[person]
            target_clip = int(self.random.choice(clips if self.seen is None else [c for c in clips if c in self.shown]))
            others = [c for c in clips if c != target_clip]
            source_clip = int(self.random.choice(others)) if others and self.random.random() < 0.6 else target_clip
            identity_rows.append(self._rows(source_clip, self.pictures))
            target_rows.append(self._target_rows(target_clip))
            labels.append(target_clip)
        identity, identity_masks = self.store.pictures(np.stack(identity_rows))
        target, target_masks = self.store.pictures(np.stack(target_rows))
        mirrored = self.random.random(self.videos) < 0.5
        for index in np.flatnonzero(mirrored):
            for tensor in (identity, identity_masks, target, target_masks):
                tensor[index] = tensor[index].flip(-1)
        rows = np.stack(target_rows)
        return Sample(identity, identity_masks, target, target_masks, torch.tensor(labels), rows, mirrored)

    def _target_rows(self, clip: int) -> np.ndarray:
        if self.seen is None:
            return self._rows(clip, self.targets)
        return self.shown[clip][self._spread(len(self.shown[clip]), self.targets)]

    def _seen_rows(self, clip: int) -> np.ndarray:
        start, stop = self.store.clips[clip].start, self.store.clips[clip].stop
        return start + np.flatnonzero(self.seen[start:stop])

    def _rows(self, clip: int, count: int) -> np.ndarray:
        """`count` frames of a clip, one from each of `count` equal stretches: spread over its poses."""
        return self._spread(self.store.clips[clip].stop, count, self.store.clips[clip].start)

    def _spread(self, stop: int, count: int, start: int = 0) -> np.ndarray:
        """`count` whole numbers from start to stop, one from each of `count` equal stretches, shuffled."""
        edges = np.linspace(start, stop, count + 1)
        rows = [int(self.random.integers(int(a), max(int(a) + 1, int(b)))) for a, b in zip(edges, edges[1:])]
        return self.random.permutation(rows)
