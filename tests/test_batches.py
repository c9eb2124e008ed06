"""Pictures, masks and sound of a host become footage and heads, and footage becomes pictures."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from lpd_plugin.errors import BadInput
from lpd_plugin.graph.node import Context
from lpd_plugin.graph.registry import node_classes
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.writer import write_clip


def run_node(id: str, **given):
    """What a node gives for some inputs, the others as they are by default."""
    node = node_classes()[id]
    values = {one.name: getattr(one, "default", None) for one in node.inputs}
    return node().run(Context(), **{**values, **given})


@pytest.fixture
def pictures(carphone):
    """The talking man's first frames as a host's batch."""
    return torch.from_numpy(np.stack([frame.rgb() for frame in FileClip(carphone, None, Fraction(1, 3)).frames()])) / 255


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_a_batch_of_any_precision_becomes_the_same_footage(pictures, kind):
    (clip,) = run_node("LPDImagesToClip", images=pictures.to(kind), rate=30.0)
    frames = [frame.rgb() for frame in clip.frames()]
    off = np.abs(np.stack(frames).astype(int) - (pictures.numpy() * 255).round().astype(int)).max()
    assert len(frames) == 10 and clip.info.rate == 30 and off <= {torch.float32: 0, torch.float16: 1, torch.bfloat16: 1}[kind]


def test_a_mask_becomes_the_alpha_whether_it_is_one_or_many_and_comes_back(pictures):
    mask = torch.zeros(pictures.shape[1:3])
    mask[:, :80] = 1
    for given in (mask, mask[None], mask[None].repeat(len(pictures), 1, 1), mask.half()):
        (clip,) = run_node("LPDImagesToClip", images=pictures, rate=25.0, masks=given)
        images, masks, rate = run_node("LPDClipToImages", clip=clip, first=2, count=3)
        assert images.shape == (3, 144, 176, 3) and rate == 25.0 and torch.equal(masks, mask[None].repeat(3, 1, 1))
        assert (images - pictures[2:5]).abs().max() < 1e-6
    rgba = torch.cat((pictures, mask[None, ..., None].repeat(len(pictures), 1, 1, 1)), 3)
    _, masks, _ = run_node("LPDClipToImages", clip=run_node("LPDImagesToClip", images=rgba, rate=25.0)[0], first=0, count=1)
    assert torch.equal(masks[0], mask)


def test_one_picture_alone_is_a_still_that_lasts_as_long_as_it_is_needed(pictures):
    from lpd_plugin.nodes._sources import as_clip

    still, moving = as_clip(pictures[:1]), as_clip(pictures[:2])
    assert still.info.is_still and not moving.info.is_still
    assert np.abs(next(still.frames()).rgb() - (pictures[0].numpy() * 255).round()).max() == 0
    assert still.fingerprint() == as_clip(pictures[:1].clone()).fingerprint() != as_clip(pictures[1:2]).fingerprint()


def test_nothing_given_is_written_into(pictures):
    before = pictures.clone()
    (clip,) = run_node("LPDImagesToClip", images=pictures, rate=25.0, masks=torch.ones(144, 176))
    list(clip.frames())
    assert torch.equal(pictures, before)


def test_sound_goes_along_cut_like_the_pictures(pictures, tmp_path):
    wave = torch.zeros(1, 2, 16000)
    wave[..., 4000:] = 0.25
    (clip,) = run_node("LPDImagesToClip", images=pictures, rate=10.0, audio={"waveform": wave, "sample_rate": 16000})
    path = tmp_path / "a.mkv"
    write_clip(clip.trimmed(Fraction(1, 4), None), path, "ffv1")
    with av.open(str(path)) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    level = samples.astype(np.float64) / (np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1)
    assert abs(samples.size / 2 - 12000) < 2100 and np.allclose(level[level != 0], 0.25, atol=1e-3)
    assert np.count_nonzero(level) > 0.99 * level.size - 4200


@pytest.mark.parametrize(
    ("node", "given", "said"),
    [
        ("LPDImagesToClip", {"masks": torch.ones(3, 144, 176)}, "there are 3 masks for 10 images: give one for all, or one each"),
        ("LPDImagesToClip", {"masks": torch.ones(72, 88)}, "the masks are 88x72, the images 176x144: make them the same size"),
        ("LPDImagesToHeads", {}, "heads are square pictures; these are 176x144: crop them to a square"),
        ("LPDImagesToClip", {"images": torch.ones(144, 176, 3)}, "an image batch has the shape .frames, height"),
        ("LPDImagesToClip", {"audio": {"waveform": torch.ones(1, 6, 9), "sample_rate": 8}}, "give samples of one or two channels"),
    ],
)
def test_sizes_and_counts_that_do_not_fit_are_explained(pictures, node, given, said):
    with pytest.raises(BadInput, match=said):
        run_node(node, **{"images": pictures, "rate": 25.0, **given})


def test_pictures_of_heads_are_heads_that_follow_the_time_they_are_asked_for(pictures):
    square = pictures[:, :128, :128]
    mask = torch.rand(128, 128)
    (heads,) = run_node("LPDImagesToHeads", images=square.half(), masks=mask, rate=10.0)
    assert len(heads) == 10 and heads.size == 128
    drawn = list(heads.retimed(np.array([0.0, 0.26, 0.99, 1.2]), "trim"))
    assert np.abs(drawn[1].rgb - square[3].numpy()).max() < 1e-3 and np.allclose(drawn[1].matte, mask)
    assert drawn[3] is None and list(heads.retimed(np.array([1.2]), "hold"))[0] is not None
    looped = list(heads.retimed(np.array([1.2]), "loop"))[0]
    assert np.array_equal(looped.rgb, list(heads)[2].rgb)
    other = run_node("LPDImagesToHeads", images=square.half(), masks=mask * 0.5, rate=10.0)[0]
    assert heads.fingerprint() != other.fingerprint()


def test_a_frame_beyond_the_clips_end_is_refused_by_number(carphone):
    with pytest.raises(BadInput, match="has 120 frames; 'first' is 500; choose a smaller one"):
        run_node("LPDClipToImages", clip=FileClip(carphone), first=500, count=1)
