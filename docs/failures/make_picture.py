"""The picture of the model card's known failures, from the demo's media:

    python docs/failures/make_picture.py

Above, a picture that was given of the person; below, what the embedded weights make of it. The model card says what each shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from lpd_plugin.reenactment.crops import head_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.performance.filters import moved
from lpd_plugin.reenactment.performance.strip import CELL, cells
from lpd_plugin.reenactment.pose import Pose, encode_pose
from lpd_plugin.rendering.demo import demo_media
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_model

PICTURE = Path(__file__).parent / "known-failures.jpg"
CLOSED = range(0, 40, 4)  # frames in which the man's mouth is closed or nearly


class Person:
    """Somebody of the demo's media, of whom these frames are given."""

    def __init__(self, path: Path, frames: Sequence[int]):
        clip, self.model = open_clip(path), load_model()
        track = track_head(clip)
        crops = list(head_crops(clip, track))
        self.given = [crops[k] for k in frames]
        self.identity = encode_identity(self.model, np.stack(self.given), "compact")
        self.performance = encode_pose(self.model, clip, track)

    def asked(self, given: int = 0, frame: int = 0, gaze: float = 0.0, **offsets: float) -> np.ndarray:
        """One of the given pictures, and below it the head at a frame of the person's own performance, with gaze and movements
        offset, in spreads."""
        moment = moved(self.performance.sampled(self.performance.times[[frame]], "trim"), offsets)
        descriptors = moment.descriptors.copy()
        descriptors[:, self.model.columns_of(["gaze"])] += gaze
        return self._shown(given, replace(moment, descriptors=descriptors))

    def _shown(self, given: int, pose: Pose) -> np.ndarray:
        above = cv2.resize(self.given[given], (CELL, CELL), interpolation=cv2.INTER_AREA)
        return np.concatenate([above, *cells(GeneratedHeads(self.identity, pose, self.model))])


def main() -> None:
    portrait_file, man_file = demo_media()
    portrait, man = Person(portrait_file, [0]), Person(man_file, CLOSED)
    columns = [
        man.asked(jaw=3.5),
        portrait.asked(jaw=-2, smile=-2.5),
        portrait.asked(yaw=4),
        portrait.asked(gaze=3),
        portrait.asked(blink=2.75),
        man.asked(given=-1, frame=CLOSED[-1]),
    ]
    cv2.imwrite(str(PICTURE), np.concatenate(columns, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"wrote {PICTURE.name}")


if __name__ == "__main__":
    main()
