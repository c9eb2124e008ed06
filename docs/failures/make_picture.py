"""The picture of the model card's known failures, from the demo's media:

    python docs/failures/make_picture.py

Above, a picture that was given of the person; below, what the embedded weights make of it, on grey.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from lpd_plugin.networks.face_reader import NAMES
from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.performance.filters import moved
from lpd_plugin.reenactment.pose import Pose, encode_pose
from lpd_plugin.rendering.demo import demo_media
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

PICTURE = Path(__file__).parent / "known-failures.jpg"
SIDE, LABEL, GREY = 260, 44, 0.5
CLOSED = range(0, 40, 4)  # frames in which the man's mouth is closed or nearly


class Person:
    """Somebody of the demo's media, of whom these frames are given."""

    def __init__(self, path: Path, frames: range):
        clip, self.model = open_clip(path), load_model()
        track = track_head(clip)
        crops = list(head_crops(clip, track, 256))
        self.given: np.ndarray = np.stack([crops[k] for k in frames])
        self.identity: Identity = encode_identity(self.model, self.given, "compact")
        self.performance = encode_pose(self.model, clip, track)

    def moment(self, row: int) -> Pose:
        """One moment of the person's own performance."""
        pose = self.performance
        return replace(pose, times=pose.times[:1], descriptors=pose.descriptors[[row]], present=pose.present[[row]])

    def asked(self, row: int = 0, **offsets: float) -> np.ndarray:
        """The head (S, S, 3), uint8 RGB on grey, at one moment of the person's own performance, its movements offset."""
        return self.made(moved(self.moment(row), offsets) if offsets else self.moment(row))

    def looking_aside(self, row: int = 0) -> np.ndarray:
        """The head asked for three spreads of gaze."""
        pose = self.moment(row)
        descriptors = pose.descriptors.copy()
        descriptors[:, self.model.configuration.pose_size + NAMES.index("gaze")] += 3
        return self.made(replace(pose, descriptors=descriptors))

    def made(self, pose: Pose) -> np.ndarray:
        head = next(iter(GeneratedHeads(self.identity, pose, self.model)))
        shown = head.rgb * head.matte[..., None] + GREY * (1 - head.matte[..., None])
        return (shown.clip(0, 1) * 255).round().astype(np.uint8)


def tile(words: str, given: np.ndarray, made: np.ndarray) -> np.ndarray:
    label = np.full((LABEL, SIDE, 3), 255, np.uint8)
    for k, line in enumerate(words.split("\n")):
        cv2.putText(label, line, (6, 17 + 19 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
    pictures = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in (given, made)]
    return np.concatenate([label, *pictures])


def main() -> None:
    portrait_file, man_file = demo_media()
    portrait, man = Person(portrait_file, range(1)), Person(man_file, CLOSED)
    tiles = [
        tile("a mouth hardly seen open:\ndark inside, no teeth", man.given[0], man.asked(0, jaw=3.5)),
        tile("a grin in all pictures,\nmade small", portrait.given[0], portrait.asked(jaw=-2, smile=-2.5)),
        tile("a turn that no picture shows:\ndrawn out", portrait.given[0], portrait.asked(yaw=4)),
        tile("eyes asked to look aside:\nthey stay", portrait.given[0], portrait.looking_aside()),
        tile("eyes never seen shut:\nlids with seams", portrait.given[0], portrait.asked(blink=2.75)),
        tile("what the matte takes along", man.given[-1], man.asked(36)),
    ]
    cv2.imwrite(str(PICTURE), np.concatenate(tiles, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"wrote {PICTURE.name}")


if __name__ == "__main__":
    main()
