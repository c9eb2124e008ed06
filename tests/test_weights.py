"""The embedded weights and identities as files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.adaptation.config import AdaptationConfig
from lpd_plugin.reenactment.adapted import adapt_identity
from lpd_plugin.reenactment.generate import GeneratedHeads, drawing_for
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.video.crop import crop_square
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.track import CropBox
from lpd_plugin.weights.files import EMBEDDED, FOLDER, load_matte, load_model, weights_info


@pytest.fixture(scope="module")
def portrait(astronaut) -> np.ndarray:
    """The portrait's head crop (1, 256, 256, 3)."""
    frame = next(iter(open_clip(astronaut).frames()))
    return crop_square(frame.rgb(), CropBox(130, 5, 190), 256)[None]


def one_pose(model, count: int = 3) -> Pose:
    times = np.arange(count) / 25
    return Pose(times, model.pose_bank[:count].numpy(), np.ones(count, bool), count / 25, model.digest)


def test_what_ships_is_at_most_48_megabytes():
    assert sum((FOLDER / name).stat().st_size for name in EMBEDDED.values()) <= 48e6


def test_every_embedded_file_says_what_it_is_and_what_it_is_for():
    for name in EMBEDDED:
        info = weights_info(name)
        assert info.note.startswith("For research and evaluation") and info.training["steps"] > 0


def test_a_file_that_is_no_weights_file_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(BadInput, match="holds no LPD weights"):
        load_model(path)
    path.write_bytes(b"garbage")
    with pytest.raises(BadInput, match="not a readable safetensors file"):
        load_model(path)


def test_the_matte_finds_the_astronaut_and_not_the_flag(portrait):
    matte = load_matte()(torch.from_numpy(portrait).permute(0, 3, 1, 2).float() / 255)[0, 0]
    assert matte[110:150, 110:150].mean() > 0.9  # the face
    assert matte[:40, :30].mean() < 0.2  # the flag's corner


def test_an_identity_saved_and_loaded_draws_the_same_heads(portrait, tmp_path):
    model = load_model()
    identity = encode_identity(model, portrait)
    adapted = adapt_identity(identity, model, load_matte(), AdaptationConfig(steps=1, batch=1, foreign=1))
    assert adapted.adapted and all(v.dtype == torch.float16 for v in adapted.adapted.values())
    adapted.save(tmp_path / "a.lpd.safetensors")
    loaded = Identity.load(tmp_path / "a.lpd.safetensors")
    before, after = (list(GeneratedHeads(i, one_pose(model), model)) for i in (adapted, loaded))
    assert all(np.array_equal(b.rgb, a.rgb) and np.array_equal(b.matte, a.matte) for b, a in zip(before, after))


def test_no_steps_of_adaptation_change_nothing(portrait):
    model = load_model()
    identity = encode_identity(model, portrait)
    same = adapt_identity(identity, model, load_matte(), AdaptationConfig(steps=0))
    assert torch.equal(same.embedding, identity.embedding) and not same.adapted


def test_adaptation_inside_a_hosts_inference_mode_leaves_a_portrait_itself(portrait):
    model = load_model()
    with torch.inference_mode():
        identity = encode_identity(model, portrait)
        adapted = adapt_identity(identity, model, load_matte(), AdaptationConfig(steps=12, batch=1, foreign=1))
    picture = torch.from_numpy(portrait).permute(0, 3, 1, 2).float() / 255
    wanted = picture * load_matte()(picture)

    def error(one):
        rgb, mask = drawing_for(one, model)(one.embedding[None], model.pose_encoder(picture))
        return float((rgb * mask - wanted).abs().mean())

    with torch.inference_mode():
        before, after = error(identity), error(adapted)
    assert after != before and after < 1.2 * before < 0.09


def test_micro_batches_do_not_change_the_heads(portrait):
    model = load_model()
    identity, pose = encode_identity(model, portrait), one_pose(model, 5)
    one, four = (list(GeneratedHeads(identity, pose, model, size)) for size in (1, 4))
    assert max(float(np.abs(a.rgb - b.rgb).max()) for a, b in zip(one, four)) < 1e-4


@pytest.mark.parametrize("threads", [2, 3])
def test_heads_are_the_same_to_the_last_bit_however_many_threads_draw_them(portrait, one_thread, threads):
    model = load_model()
    identity, pose = encode_identity(model, portrait), one_pose(model, 9)
    heads = GeneratedHeads(identity, pose, model, 2)
    alone = list(heads)
    torch.set_num_threads(threads)
    together = iter(heads)
    drawn = [next(together)]
    assert torch.get_num_threads() == 1  # of this thread, as long as the others draw
    drawn += together
    assert torch.get_num_threads() == threads
    torch.set_num_threads(1)
    assert len(alone) == len(drawn) == 9
    assert all(np.array_equal(a.rgb, b.rgb) and np.array_equal(a.matte, b.matte) for a, b in zip(alone, drawn))


def test_an_identity_of_other_weights_is_refused(portrait):
    model = load_model()
    identity = encode_identity(model, portrait)
    foreign = replace(identity, weights="0" * 64)
    with pytest.raises(BadInput, match="made with other weights"):
        GeneratedHeads(foreign, one_pose(model), model)
