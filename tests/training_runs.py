"""Small training runs on real people, for the tests of training."""

from __future__ import annotations

import numpy as np

from lpd_plugin.learning.data.any_heads import open_heads
from lpd_plugin.learning.data.store import HeadClip, HeadStore
from lpd_plugin.learning.export import export_run
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.training_config import TrainingConfig
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox


def two_persons(carphone, astronaut) -> HeadStore:
    """Two real persons, 128 px: the talking man in two clips, the astronaut in one; round masks."""
    man = [crop_square(f.rgb(), CropBox(30, 5, 110), 128) for f in open_clip(carphone).frames()][::4]
    portrait = next(iter(open_clip(astronaut).frames())).rgb()
    her = [crop_square(portrait, CropBox(130 + i, 5, 190), 128) for i in range(10)]
    frames = np.stack(man + her)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    mask = ((x**2 + y**2 < 0.6) * 255).astype(np.uint8)
    clips = [HeadClip("man", "a", 0, 15), HeadClip("man", "b", 15, 30), HeadClip("her", "a", 30, 40)]
    return HeadStore(frames, np.repeat(mask[None], len(frames), 0), clips)


def small_run(**changes) -> TrainingConfig:
    """A few steps at 32 px; `changes` win."""
    values = {"side": 32, "videos": 2, "targets": 1, "identity_pictures": 1, "warm_up": 1, "adam_eps": 1e-8}
    values |= {"weights": {"ssim": 0.0}, "steps": 4, "sheet_steps": 1000}
    return TrainingConfig(**{**values, **changes})


def exported_run(heads, folder, **changes):
    """A short run over a heads folder, and the weights file that it gave: (MetaLearning, path)."""
    run = MetaLearning(small_run(held_out="", heads=str(heads), **changes), open_heads(heads, "train", 128), folder / "run")
    run.run()
    export_run(folder / "run", folder / "exported.safetensors")
    return run, folder / "exported.safetensors"
