"""Small folders of real heads with masks, for the tests of data."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from training_runs import two_persons


def write_video(path: Path, pictures: np.ndarray) -> None:
    """uint8 RGB pictures (N, H, W, 3) as H.264, 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))


def heads_folder(folder: Path, carphone: Path, astronaut: Path) -> Path:
    """A heads folder of 64 px: the talking man in three clips and the astronaut in one to train on, and one held out (the
    man, mirrored, under another name); 12 frames each, her 10, round masks."""
    store = two_persons(carphone, astronaut)
    frames, masks = store.frames[:, ::2, ::2], np.repeat(store.masks[:, ::2, ::2, None], 3, 3)
    clips = {
        ("train", "man", "a"): slice(0, 12), ("train", "man", "b"): slice(12, 24), ("train", "man", "c"): slice(18, 30),
        ("train", "her", "a"): slice(30, 40), ("val", "other", "a"): slice(6, 18),
    }  # fmt: skip
    lines = ["split,person,clip,frames,pad_fraction"]
    for (split, person, clip), rows in clips.items():
        pictures = frames[rows, :, ::-1] if split == "val" else frames[rows]
        write_video(folder / split / person / f"{clip}.mp4", np.ascontiguousarray(pictures))
        write_video(folder / split / person / f"{clip}.mask.mp4", masks[rows])
        lines.append(f"{split},{person},{clip},{len(pictures)},{'0.400' if clip == 'c' else '0.000'}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder
